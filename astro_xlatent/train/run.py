# Licensed under a 3-clause BSD style license - see LICENSE
"""The training command: teacher, encoder, calibration, model folder."""

import hashlib
import math
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.numbers import random_stream
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.pretrained import choose_device, load_model, save_tensors
from astro_xlatent.simulate.instruments import default_instruments, load_instruments
from astro_xlatent.simulate.prepared import file_digest, load_prepared, save_prepared
from astro_xlatent.train.batches import Recipe
from astro_xlatent.train.calibrate import NETWORKS, calibrate
from astro_xlatent.train.encoder import train_encoder
from astro_xlatent.train.export import export_model
from astro_xlatent.train.settings import keep_settings, stored_settings
from astro_xlatent.train.stream import draw_training_sources
from astro_xlatent.train.teacher import train_teacher

__all__ = ["prepare_instruments", "train"]


def train(data, output, settings=None, *, instruments=None, resume=False, finish=False, threads=None):
    """
    Train a model, or go on with a run that was cut.

    Parameters
    ----------
    data : path-like or None
        Folder with real ARF and RMF files, used beside the shipped response curves.
    output : path-like
        Folder of the run: settings, log, checkpoints and, at the end, ``model/``.
    settings : `~astro_xlatent.train.settings.Settings`, optional
        By default those of the run that goes on.
    instruments : path-like, optional
        File of `prepare_instruments`, instead of the responses of ``data``.
    resume : bool, optional
        Go on in ``output``: with the same device, threads and torch version bit for bit.
    finish : bool, optional
        Train no further: calibrate and export what the run has reached.
    threads : int, optional
        Of torch.

    Returns
    -------
    model_folder : Path or None
        None if time or an interrupt ended the run, or no calibration is wanted.

    Raises
    ------
    ParameterError
        If ``output`` holds a run and ``resume`` is False, or one of other settings.
    """
    began, output = time.monotonic(), Path(output)
    settings = settings or stored_settings(output)
    if (output / "train.log").exists() and not resume:
        msg = f"output {output} holds a run already; give resume=True (--resume) or another folder"
        raise ParameterError(msg)
    if finish and not (output / "encoder.safetensors").exists():
        raise ParameterError(f"finish: output {output} holds no checkpoint to finish; train first")
    output.mkdir(parents=True, exist_ok=True)
    if threads:
        torch.set_num_threads(threads)
    log = partial(_log, output / "train.log")
    begins = not (output / "encoder.safetensors").exists()
    start = load_model(settings.start_from, device="cpu") if begins and settings.start_from else None
    settings = _same_space(settings, start) if start else settings
    file = Path(instruments) if instruments else output / "instruments.npz"
    if not file.exists():
        prepare_instruments(file, data, log)
    prepared = load_prepared(file)
    settings = keep_settings(output, settings, file_digest(file))
    device = choose_device(settings.device)
    log(f"settings {settings}, torch {torch.__version__} on {device}, {torch.get_num_threads()} threads, "
        f"{settings.n_workers} workers")
    teacher, decoder = _teacher(settings, start, prepared, output, log)
    recipe = Recipe(str(file), settings.seed, settings.batches_per_step, settings.imperfections)
    deadline = began + (settings.max_seconds or math.inf) if not finish else -math.inf
    with _arithmetic(settings, device):
        encoder, step = train_encoder(
            settings, teacher, recipe, output, device=device, log=log, deadline=deadline,
            initial=start.encoder.state_dict() if start else None)
    if step < settings.encoder_steps and not finish:
        log(f"stopped after {step} of {settings.encoder_steps} steps; go on with resume=True (--resume)")
        return None
    if not settings.calibration_batches:
        log("trained; calibration_batches is 0: give a number and resume=True (--resume) to make the model")
        return None
    return _make_model(settings, step, (encoder, decoder, teacher), recipe, prepared, output, log)


def prepare_instruments(path, data=None, log=print):
    """Write ``instruments`` for `train`, the shipped curves and those of a folder ``data``, to one file."""
    instruments = [] if data is None else load_instruments(data, log)
    instruments += default_instruments()
    with replacing(path) as temporary:
        save_prepared(temporary, instruments)
    log(f"{len(instruments)} instruments in {path}, {Path(path).stat().st_size / 2**20:.1f} MiB")


def _same_space(settings, start):
    """Settings with the latent space of the model to start from."""
    for name, has, wanted in (("network", start.config, settings.network()),
                              ("latent_space", start.latent_space, settings.latent_space)):
        if wanted not in ("", has):
            msg = (f"start_from {settings.start_from} has the {name} {has}, the settings {wanted}; its "
                   "teacher is kept: give the same, or start from nothing")
            raise ParameterError(msg)
    return replace(settings, latent_space=start.latent_space)


@contextmanager
def _arithmetic(settings, device):
    """The precision and repeatability that the settings want of a GPU."""
    if device == "cpu":
        yield
        return
    # Read when cuBLAS is first used; without it, it refuses to be deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    torch.use_deterministic_algorithms(settings.deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.set_float32_matmul_precision("highest" if settings.precision == "float32" else "high")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_float32_matmul_precision(before[1])


def _log(path, text):
    """Append a line with the time to a file and show it."""
    line = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}"
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def _teacher(settings, start, instruments, output, log):
    """The teacher and decoder of this run: those of the start, or trained unless they were before."""
    path, config = output / "teacher.safetensors", settings.network()
    if not path.exists():
        if start:
            teacher, decoder = start.teacher, start.decoder
        else:
            pool = draw_training_sources(settings.pool, random_stream(settings.seed, "teacher"))
            teacher, decoder = train_teacher(config, pool, [i.matrix for i in instruments],
                                             settings.teacher_steps, log, settings.seed)
        with replacing(path) as temporary:
            save_tensors(temporary, {"teacher": teacher, "decoder": decoder})
    return load_modules(config, path, ("teacher", "decoder"))


def _make_model(settings, step, networks, recipe, instruments, output, log):
    """Calibrate and export."""
    if not settings.latent_space:
        digest = hashlib.sha256((output / "teacher.safetensors").read_bytes()).hexdigest()
        settings = replace(settings, latent_space=f"xl{settings.network().n_latent}-{digest[:8]}")
    modules = dict(zip(("encoder", "decoder", "teacher"), networks, strict=True))
    with replacing(output / NETWORKS) as temporary:
        save_tensors(temporary, modules)
    tables = calibrate(output, recipe, settings, log)
    return export_model(output / "model", settings, step, modules, tables, instruments, log)
