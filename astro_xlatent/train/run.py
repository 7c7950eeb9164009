# Licensed under a 3-clause BSD style license - see LICENSE
"""
The training command: teacher, encoder, calibration, model folder.
"""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.network import Config
from astro_xlatent.model.pretrained import load_model, replace_file, save_tensors
from astro_xlatent.simulate.instruments import default_instruments, load_instruments
from astro_xlatent.train.calibrate import calibrate
from astro_xlatent.train.encoder import train_encoder
from astro_xlatent.train.export import export_model
from astro_xlatent.train.stream import draw_training_sources
from astro_xlatent.train.teacher import train_teacher

__all__ = ["Settings", "train"]


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
    learning_rate: float = 1e-3
    calibration_batches: int = 60
    width: int = 96
    n_layers: int = 4
    #: Model, by name or folder, whose encoder is the starting point; "" for random weights.
    start_from: str = ""
    notes: str = ""

    @classmethod
    def read(cls, path):
        """Read a JSON file; unknown names are an error."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            msg = f"{path}: unknown settings {unknown}; allowed: {sorted(known)}"
            raise ParameterError(msg)
        return cls(**values)

    def network(self):
        """Sizes of the networks."""
        return Config(width=self.width, n_layers=self.n_layers)


def train(data, output, settings=None, *, resume=False, threads=None):
    """
    Train a model from scratch, or go on with a run that was cut.

    Parameters
    ----------
    data : path-like or None
        Folder with real ARF and RMF files. The shipped response curves are
        used besides; if None, alone.
    output : path-like
        Folder of the run: log, checkpoints and, at the end, ``model/``.
    settings : Settings, optional
        Sizes and numbers of steps.
    resume : bool, optional
        Use what an earlier run left in ``output``. The same device, number
        of threads and torch version go on bit for bit.
    threads : int, optional
        CPU threads of torch.

    Returns
    -------
    model_folder : Path
        As `~astro_xlatent.load_model` reads it.

    Raises
    ------
    ParameterError
        If ``output`` holds a run and ``resume`` is False.
    """
    settings = settings or Settings()
    output = Path(output)
    if (output / "train.log").exists() and not resume:
        msg = f"output {output} holds a run already; give resume=True (--resume) or another folder"
        raise ParameterError(msg)
    output.mkdir(parents=True, exist_ok=True)
    if threads:
        torch.set_num_threads(threads)
    log = _Log(output / "train.log")
    log(f"settings {settings}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    instruments = default_instruments()
    if data is not None:
        instruments = load_instruments(data, log) + instruments
    log(f"{len(instruments)} instruments")
    config = settings.network()
    teacher, decoder = _teacher(config, settings, instruments, output, log)
    if not settings.latent_space:
        digest = hashlib.sha256((output / "teacher.safetensors").read_bytes()).hexdigest()
        settings = replace(settings, latent_space=f"xl{config.n_latent}-{digest[:8]}")
    encoder = train_encoder(config, teacher, instruments, output, settings.encoder_steps,
                            seed=settings.seed, rate=settings.learning_rate, log=log, resume=resume,
                            initial=_initial_weights(settings))
    tables = calibrate(encoder, decoder, teacher, instruments, settings, log)
    return export_model(output / "model", settings, encoder, decoder, teacher, tables,
                        instruments, log)


class _Log:
    """Append lines with the time to a file and show them."""

    def __init__(self, path):
        self.path = path

    def __call__(self, text):
        line = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}"
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


def _teacher(config, settings, instruments, output, log):
    """The teacher and decoder of this run, trained unless it was before."""
    path = output / "teacher.safetensors"
    if not path.exists():
        pool = draw_training_sources(settings.pool, np.random.default_rng([settings.seed, 2**31]))
        matrices = [i.matrix for i in instruments]
        teacher, decoder = train_teacher(config, pool, matrices, settings.teacher_steps, log,
                                         settings.seed)
        replace_file(path, lambda p: save_tensors(p, {"teacher": teacher, "decoder": decoder}))
    return load_modules(config, path, ("teacher", "decoder"))


def _initial_weights(settings):
    """Weights of an earlier encoder; the latents' own head only in the same latent space."""
    if not settings.start_from:
        return None
    model = load_model(settings.start_from)
    state = model.encoder.state_dict()
    if model.latent_space == settings.latent_space:
        return state
    return {name: value for name, value in state.items() if not name.startswith("latent.")}
