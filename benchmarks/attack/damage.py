# Licensed under a 3-clause BSD style license - see LICENSE
"""
Seeded damage of files: bits, blocks, header cards, and values that no writer means.

Whatever is hurt, the same seed hurts it in the same way.
"""

import gzip
import re

import numpy as np

__all__ = ["HOSTILE", "damaged"]

_BLOCK = 2880
#: What a number or a word of a header is replaced by.
HOSTILE = (
    "-1", "0", "1", "2", "7", "300", "99999", "2000000000", "9223372036854775808", "1e300", "-1e-300",
    "1e999", "NaN", "inf", "", "x", "T", "'", '"', "''", "*", "&a [*a]", "\x1b[2J", "=cmd|' /C calc'!A0",
    "\xe9", "1000000000D", "PJ(99999999)", "QD", "0J", "100000000A", "m**99999999999", "10**-999999999 m",
    "keV keV keV", "!!python/object/apply:os.system ['true']", "[" * 400, "%s%n", "2999-99-99", "float64",
    "string", "object")
_WORD = re.compile(rb"[\w.+-]+")


def _flip_bits(data, rng):
    where = rng.integers(0, len(data), int(2 ** rng.uniform(0, 8)))
    np.bitwise_xor.at(data, where, (1 << rng.integers(0, 8, where.size)).astype(np.uint8))
    return data


def _cut(data, rng):
    return data[:rng.integers(0, len(data)) * int(rng.random() > 0.05)]


def _zero(data, rng):
    start = rng.integers(0, max(len(data) // _BLOCK, 1)) * _BLOCK
    data[start:start + _BLOCK] = 0
    return data


def _lose(data, rng):
    start = rng.integers(0, max(len(data) // _BLOCK, 1)) * _BLOCK
    return np.concatenate([data[:start], data[start + _BLOCK:]])


def _repeat(data, rng):
    start, stop = np.sort(rng.integers(0, len(data) + 1, 2))
    return np.concatenate([data[:stop], data[start:]])


def _overwrite(data, rng):
    start, n = rng.integers(len(data)), rng.integers(1, 400)
    data[start:start + n] = rng.choice(np.array([0, 32, 48, 255, rng.integers(256)], np.uint8))
    return data


def _header_blocks(data):
    blocks = data[:len(data) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    text = np.flatnonzero(((blocks >= 32) & (blocks < 127)).mean(axis=1) > 0.99) if len(blocks) else []
    return [slice(n * _BLOCK, (n + 1) * _BLOCK) for n in text]


def _shuffle_cards(data, rng):
    blocks = _header_blocks(data)
    if not blocks:
        return _overwrite(data, rng)
    view = data[blocks[rng.integers(len(blocks))]].reshape(36, 80)
    view[:] = view[rng.permutation(36)]
    return data


def _edit_card(data, rng):
    """Another value for one card of a FITS header."""
    blocks = _header_blocks(data)
    if not blocks:
        return _edit_word(data, rng)
    view = data[blocks[rng.integers(len(blocks))]].reshape(36, 80)
    rows = np.flatnonzero(view[:, 8] == ord("="))
    if not rows.size:
        return _overwrite(data, rng)
    value = HOSTILE[rng.integers(len(HOSTILE))].encode("latin-1")[:60]
    text = value.rjust(20) if rng.random() < 0.5 else b"'" + value + b"'"
    view[rng.choice(rows), 10:] = np.frombuffer(text.ljust(70), np.uint8)
    return data


def _edit_word(data, rng):
    """Another number or word somewhere in the first kilobytes of a text."""
    raw = data.tobytes()
    words = list(_WORD.finditer(raw, 0, 2000 if rng.random() < 0.7 else len(raw)))
    if not words:
        return _overwrite(data, rng)
    word = words[rng.integers(len(words))]
    value = HOSTILE[rng.integers(len(HOSTILE))].encode("latin-1")
    return np.frombuffer(raw[:word.start()] + value + raw[word.end():], np.uint8).copy()


_ANY = (_flip_bits, _cut, _zero, _lose, _repeat, _overwrite)
_FITS = (*_ANY, _shuffle_cards, _edit_card, _edit_card, _edit_card)
_TEXT = (*_ANY, _edit_word, _edit_word, _edit_word, _edit_word)


def damaged(raw: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """
    Give the bytes of a file after one damage, of a gzipped one also inside the stream.

    Parameters
    ----------
    raw : bytes
        Not empty.
    rng : numpy.random.Generator

    Returns
    -------
    data : bytes
    what : str
        Name of the damage.
    """
    packed = raw[:2] == b"\x1f\x8b"
    inside = packed and rng.random() < 0.8
    raw = gzip.decompress(raw) if inside else raw
    kinds = _ANY if packed and not inside else _FITS if raw[:6] == b"SIMPLE" else _TEXT
    kind = kinds[rng.integers(len(kinds))]
    data = kind(np.frombuffer(raw, np.uint8).copy(), rng).tobytes()
    return (gzip.compress(data, 1) if inside else data), kind.__name__.strip("_")
