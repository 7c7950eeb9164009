# Licensed under a 3-clause BSD style license - see LICENSE
"""
Read many randomly damaged copies of a spectrum's files.

Run as a script with a folder list, so that the peak memory is that of the
reading alone: ``python damage.py SEED N SPECTRUM [SPECTRUM ...]`` prints JSON.
"""

import gzip
import json
import resource
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import XlatentError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.add_latents import predict_spectra

BLOCK = 2880


def flip_bits(data, rng):
    """Up to 300 flipped bits anywhere."""
    where = rng.integers(0, len(data), rng.integers(1, 300))
    np.bitwise_xor.at(data, where, (1 << rng.integers(0, 8, where.size)).astype(np.uint8))
    return data


def truncate(data, rng):
    """Cut off at a random byte, now and then to nothing."""
    return data[:rng.integers(0, len(data)) * int(rng.random() > 0.05)]


def zero_blocks(data, rng):
    """Up to three blocks of 2880 bytes set to zero."""
    for start in rng.integers(0, len(data) // BLOCK, rng.integers(1, 4)) * BLOCK:
        data[start:start + BLOCK] = 0
    return data


def header_blocks(data):
    """Numbers of the blocks that look like header text."""
    blocks = data[:len(data) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return np.flatnonzero(((blocks >= 32) & (blocks < 127)).mean(axis=1) > 0.99)


def shuffle_cards(data, rng):
    """The 36 cards of one header block in another order."""
    block = rng.choice(header_blocks(data))
    view = data[block * BLOCK:(block + 1) * BLOCK].reshape(36, 80)
    view[:] = view[rng.permutation(36)]
    return data


def change_digits(data, rng):
    """Some digits of one header block replaced: sizes, offsets, formats go wrong."""
    block = rng.choice(header_blocks(data))
    view = data[block * BLOCK:(block + 1) * BLOCK]
    digits = np.flatnonzero((view >= 48) & (view <= 57))
    if digits.size:
        chosen = rng.choice(digits, rng.integers(1, 12))
        view[chosen] = rng.choice(np.frombuffer(b"0123456789-EPQ ", np.uint8), chosen.size)
    return data


DAMAGES = (flip_bits, truncate, zero_blocks, shuffle_cards, change_digits)


def damaged(path, rng):
    """Bytes of a file after one random damage; of a .gz also inside the stream."""
    raw = path.read_bytes()
    inside = path.suffix == ".gz" and rng.random() < 0.6
    data = np.frombuffer(gzip.decompress(raw) if inside else raw, np.uint8).copy()
    damage = DAMAGES[rng.integers(len(DAMAGES))]
    if path.suffix == ".gz" and not inside:
        damage = (flip_bits, truncate)[rng.integers(2)]
    data = damage(data, rng).tobytes()
    return gzip.compress(data, 1) if inside else data


def try_one(path, rng):
    """Damage one of the files around a spectrum and read it; what came of it."""
    files = sorted(p for p in path.parent.iterdir() if p.is_file() and p.stat().st_size >= BLOCK)
    hurt = path if rng.random() < 0.4 else files[rng.integers(len(files))]
    with tempfile.TemporaryDirectory() as folder:
        for name in files:
            if name != hurt:
                (Path(folder) / name.name).symlink_to(name)
        (Path(folder) / hurt.name).write_bytes(damaged(hurt, rng))
        try:
            spectrum = XraySpectrum.read(Path(folder) / path.name, missing_response="ignore")
        except XlatentError as exc:
            named = any(p.name in str(exc) for p in files)
            return "error" if named else f"no file name in: {exc}"
        return check_valid(spectrum)


def check_valid(spectrum):
    """A spectrum that was read must be usable, to the end of the main job."""
    good = np.all(np.isfinite(spectrum.counts)) and np.all(spectrum.counts >= 0) and spectrum.exposure > 0
    good = good and np.all(np.isfinite(spectrum.background_scale))
    if spectrum.response is not None:
        r = spectrum.response
        good = good and np.all(np.isfinite(r.fold(np.ones(r.n_energy))))
        good = good and spectrum.fine_groups().max() < 500
    if good:
        row = predict_spectra([spectrum])[0]
        empty = bool(row["xl_flag"] & Flag.NO_DATA)
        good = bool(row["xl_reason"]) if empty else np.all(np.isfinite(row["xl_latent"]))
    return "valid" if good else f"unusable: {spectrum!r}"


def peak_memory():
    """Bytes; on Linux not by getrusage, whose peak a child inherits from its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main():
    """Read the copies with warnings as errors; print counts and the peak memory."""
    seed, number, *names = sys.argv[1:]
    rng = np.random.default_rng(int(seed))
    paths = [Path(n) for n in names]
    outcome = {}
    warnings.simplefilter("error")
    for i in range(int(number)):
        path = paths[i % len(paths)]
        try:
            result = try_one(path, rng)
        except Exception as exc:
            result = f"{type(exc).__name__}: {exc} ({path.name}, copy {i})"
        outcome[result] = outcome.get(result, 0) + 1
    print(json.dumps({"outcome": outcome, "peak": peak_memory()}))


if __name__ == "__main__":
    main()
