# Licensed under a 3-clause BSD style license - see LICENSE
"""
Putting a model together from the files of its folder, every file checked.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.base import LatentModel
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.check import (
    check_calibration,
    check_files,
    check_info,
    numbers,
    read_json,
    refuse,
)
from astro_xlatent.model.network import Config, Decoder, Encoder, Teacher
from astro_xlatent.model.posterior import Model, Posterior
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["build_model", "load_modules", "selftest_deviation"]

def build_model(folder: Path, device: str) -> Model:
    """A `Model` from the files of its folder; `ModelError` if one holds what no model can have."""
    folder = Path(folder)
    info = read_json(folder / "config.json")
    config = check_info(folder / "config.json", info)
    check_files(folder, info)
    encoder, decoder, teacher = load_modules(
        config, folder / "weights.safetensors", ("encoder", "decoder", "teacher"))
    tables = read_json(folder / "calibration.json")
    check_calibration(folder / "calibration.json", tables, config)
    return Model(info, encoder, decoder, teacher, Calibration(tables), device)


def load_modules(config: Config, path: Path, names: Sequence[str]) -> list[Any]:
    """Networks with the tensors of a safetensors file, frozen."""
    try:
        tensors = load_file(path)
        modules = [_load_module(config, path, name, tensors) for name in names]
    except (SafetensorError, RuntimeError, OSError, UnicodeDecodeError) as error:
        if isinstance(error, ModelError):
            raise
        refuse(path, f"weights do not fit the configuration ({error})")
    return modules


def _load_module(config: Config, path: Path, name: str, tensors: dict[str, torch.Tensor]) -> nn.Module:
    energy = torch.as_tensor(ENERGY_MID, dtype=torch.float32)
    # New networks draw their weights from torch's own generator: it goes on as if they had not.
    with torch.random.fork_rng(devices=[]):
        # The cross section is among the stored tensors.
        module = {"encoder": lambda: Encoder(config), "teacher": lambda: Teacher(config),
                  "decoder": lambda: Decoder(config, energy, torch.zeros_like(energy))}[name]()
    # What follows from the sizes alone must be stored as it is made.
    constants = {key: value.clone() for key, value in module.named_buffers()
                 if key in ("interpolation", "tril")}
    prefix = f"{name}."
    module.load_state_dict({k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)})
    for key, value in module.state_dict().items():
        if not torch.isfinite(value).all():
            refuse(path, f"{name}.{key} holds NaN or infinity")
        if key in constants and not torch.allclose(value, constants[key], atol=1e-4):
            refuse(path, f"{name}.{key} is not what its sizes make it")
    return module.requires_grad_(False).eval()


def selftest_deviation(model: LatentModel, path: Path) -> float:
    """
    Largest difference of latents and class probabilities from ``selftest.json``; NaN if any is not finite.
    """
    stored = read_json(path)
    bins = _stored_bins(path, stored)
    wanted = {name: numbers(path, name, stored.get(name), (len(bins), n))
              for name, n in (("latent", N_LATENT), ("class_prob", len(model.classes)))}
    try:
        with np.errstate(all="ignore"):
            posterior = model.infer(bins)
    # Matrices that are not positive definite, and the like: no weights that were trained.
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
        refuse(path, f"the model fails on its own test rows ({error})")
    if not _all_finite(posterior):
        return float("nan")
    return float(max(np.abs(getattr(posterior, name) - value).max() for name, value in wanted.items()))


def _stored_bins(path: Path, stored: Any) -> EnergyBins:
    """Rows of bins from JSON."""
    bins = stored.get("bins") if isinstance(stored, dict) else None
    names = {field.name for field in fields(EnergyBins)}
    if not isinstance(bins, dict) or not set(bins) <= names or not names - set(bins) <= {"energy_weighted"}:
        refuse(path, f"bins do not hold {', '.join(sorted(names))}")
    shape = numbers(path, "counts", bins["counts"], (None, None), 0).shape
    arrays = {}
    for name, value in bins.items():
        if name in ("valid", "energy_weighted"):
            array = np.array(value, dtype=object)
            if array.shape != shape[:array.ndim] or not all(isinstance(v, bool) for v in array.flat):
                refuse(path, f"{name} is not true or false for every bin")
            arrays[name] = array.astype(bool)
        else:
            arrays[name] = numbers(path, name, value, shape, 0)
    if np.any(arrays["e_lo"] <= 0) or np.any(arrays["e_hi"] <= arrays["e_lo"]):
        refuse(path, "energies do not increase")
    return EnergyBins(**arrays)


def _all_finite(posterior: Posterior) -> bool:
    """Whether everything is finite that is not left out for bands."""
    parts = [posterior.latent, posterior.latent_cov, posterior.class_prob, posterior.nh_density,
             posterior.index_density, posterior.kt_density, *posterior.flux.values()]
    return all(bool(np.isfinite(part).all()) for part in parts)
