# Licensed under a 3-clause BSD style license - see LICENSE
"""The settings of a training run, and that a run which goes on has the same ones."""

import json
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from astro_xlatent.model.network import Config
from astro_xlatent.simulate.imperfections import PIECES, check_pieces

__all__ = ["PRECISIONS", "Settings", "keep_settings", "stored_settings"]

#: Arithmetic of matrix products: IEEE; with 10-bit mantissae on a GPU; brain floats where harmless.
PRECISIONS = ("float32", "tf32", "bfloat16")
_FILE = "settings.json"
# What may differ when a run goes on: it changes neither batches nor steps.
_FREE = ("name", "version", "notes", "device", "workers", "max_seconds", "deterministic", "save_every",
         "calibration_batches")


@dataclass(frozen=True)
class Settings:
    """What a training run is made of; read from and written to JSON."""

    name: str = "xlatent"
    version: str = "0.1"
    #: "" makes a name from the teacher's weights: each teacher defines a space of its own.
    latent_space: str = ""
    seed: int = 1
    pool: int = 60000
    teacher_steps: int = 6000
    encoder_steps: int = 5000
    #: Simulated batches that are joined into one step of the encoder.
    batches_per_step: int = 1
    learning_rate: float = 1e-3
    #: Of the encoder on a GPU, one of `PRECISIONS`.
    precision: str = "float32"
    #: Imperfections of observations that are left out, of `astro_xlatent.simulate.imperfections.PIECES`.
    without: tuple = ()
    #: Of 256 observations, for each mode; 0 stops when the encoder is trained.
    calibration_batches: int = 60
    width: int = 96
    n_layers: int = 4
    #: Model, by name or folder, whose teacher, decoder and latent space are kept and whose
    #: encoder is the starting point; "" for random weights and a teacher of one's own.
    start_from: str = ""
    notes: str = ""
    #: "auto" takes a GPU if there is one.
    device: str = "auto"
    #: Processes that simulate; -1 leaves one core to the training, 0 simulates in its process.
    workers: int = -1
    #: Stop with a checkpoint after this time; 0 for none.
    max_seconds: float = 0.0
    #: On a GPU, the same numbers every time, a little slower.
    deterministic: bool = True
    #: Steps between checkpoints.
    save_every: int = 200

    def __post_init__(self):
        object.__setattr__(self, "without", check_pieces(self.without))
        if self.precision not in PRECISIONS:
            raise ParameterError(f"precision is {self.precision!r}; allowed: {', '.join(PRECISIONS)}")
        for name, least in (("batches_per_step", 1), ("save_every", 1), ("workers", -1), ("max_seconds", 0)):
            if getattr(self, name) < least:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must be {least} or more")

    @classmethod
    def read(cls, path):
        """Read a JSON file; unknown names are an error."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ParameterError(f"{path}: unknown settings {unknown}; allowed: {sorted(known)}")
        return cls(**values)

    @property
    def imperfections(self):
        """Names of the imperfections that are left."""
        return tuple(piece for piece in PIECES if piece not in self.without)

    @property
    def n_workers(self):
        """Number of worker processes on this machine."""
        return self.workers if self.workers >= 0 else (os.cpu_count() or 1) - 1

    def network(self):
        """Sizes of the networks."""
        return Config(width=self.width, n_layers=self.n_layers)


def stored_settings(folder):
    """Settings of the run in a folder, or the defaults if there is none."""
    return Settings(**{name: value for name, value in _stored(folder).items() if name != "instruments"})


def _stored(folder):
    """Settings and digest of the instruments of the run in a folder, by name; empty if there is none."""
    path = Path(folder) / _FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep_settings(folder, settings, instruments):
    """Write and give settings and digest of a run; `ParameterError` where its steps so far had others."""
    stored, old = _stored(folder), stored_settings(folder)
    # Left open it is that of the run, known since.
    settings = replace(settings, latent_space=settings.latent_space or old.latent_space)
    new = vars(settings) | {"instruments": instruments}
    began = vars(old) | {"instruments": stored["instruments"]} if stored else {}
    for name, value in began.items():
        if name not in _FREE and new[name] != value:
            msg = (f"{name} is {new[name]!r}, the run in {folder} began with {value!r}; give that, or "
                   f"another folder (what may change: {', '.join(_FREE)})")
            raise ParameterError(msg)
    with replacing(Path(folder) / _FILE) as path:
        path.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
    return settings
