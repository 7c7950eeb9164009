# Licensed under a 3-clause BSD style license - see LICENSE
"""Prepared instruments in one file, for machines without the folder of responses."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.simulate.instruments import Instrument

__all__ = ["file_digest", "load_prepared", "save_prepared"]


def save_prepared(path, instruments):
    """Save to a compressed npz file; float32 is rounded to 12 binary digits (1.2e-4) to compress better."""
    arrays, plain = {}, []
    for number, instrument in enumerate(instruments):
        values = {f.name: getattr(instrument, f.name) for f in fields(instrument)}
        arrays |= {f"{number}.{k}": _rounded(v) for k, v in values.items() if isinstance(v, np.ndarray)}
        plain.append({k: v for k, v in values.items() if v is not None and not isinstance(v, np.ndarray)})
    with open(path, "wb") as file:
        np.savez_compressed(file, plain=np.array(json.dumps(plain)), **arrays)


def _rounded(values):
    """Floats of single precision without the last 11 bits of their 23."""
    if values.dtype != np.float32:
        return values
    return ((values.view(np.uint32) + np.uint32(1 << 10)) >> 11 << 11).view(np.float32)


def load_prepared(path):
    """Load what `save_prepared` wrote; `ResponseError` if the file is missing or of another kind."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            values = json.loads(str(stored["plain"]))
            for key in stored.files:
                number, _, name = key.partition(".")
                if name:
                    values[int(number)][name] = stored[key]
        return [Instrument(**v) for v in values]
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResponseError(f"{path}: no file of prepared instruments ({error}); "
                            "make one with astro-xlatent train --prepare FILE") from error


def file_digest(path):
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
