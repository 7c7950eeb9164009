# Licensed under a 3-clause BSD style license - see LICENSE
"""Putting a model together from the files of its folder, every file checked."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from astro_xlatent.core.columns import CLASSES, N_LATENT, OTHER
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.base import LatentModel
from astro_xlatent.model.calibration import CLASS_TABLE, FIT, TABLES, Calibration
from astro_xlatent.model.network import HEADS, Config, Decoder, Encoder, Teacher
from astro_xlatent.model.posterior import Model
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["FORMAT", "build_model", "check_calibration", "file_digests", "load_modules", "numbers",
           "read_json", "selftest_deviation"]

#: Layout of model folders that this version reads.
FORMAT = 1
#: Files of which ``config.json`` holds the digests.
VOUCHED = ("calibration.json", "weights.safetensors")
#: Far beyond any model's files of text, in bytes.
LARGEST_TEXT = 64 * 2**20
# Least and largest size of parts of the networks; beyond it memory is the first to give up.
_LARGEST = 4096
_SIZES = dict.fromkeys(("n_nh", "n_index", "n_kt", "n_knots"), (2, _LARGEST)) | {
    "n_latent": (N_LATENT, N_LATENT), "n_classes": (len(CLASSES) + 1, len(CLASSES) + 1)}


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
        return [_load_module(config, path, name, tensors) for name in names]
    except ModelError:
        raise
    except (SafetensorError, RuntimeError, OSError, UnicodeDecodeError) as error:
        refuse(path, f"weights do not fit the configuration ({error})")


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
    """Largest difference of latents and class probabilities from ``selftest.json``; NaN if not finite."""
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
    parts = (posterior.latent, posterior.latent_cov, posterior.class_prob, posterior.nh_density,
             posterior.index_density, posterior.kt_density, *posterior.flux.values())
    if not all(np.isfinite(part).all() for part in parts):
        return float("nan")
    return float(max(np.abs(getattr(posterior, name) - value).max() for name, value in wanted.items()))


def _stored_bins(path: Path, stored: Any) -> EnergyBins:
    """Rows of bins from JSON."""
    bins, names = _member(path, stored, "bins"), {field.name for field in fields(EnergyBins)}
    if not names - {"energy_weighted"} <= set(bins) <= names:
        refuse(path, f"bins do not hold {', '.join(sorted(names))}")
    shape = numbers(path, "counts", bins["counts"], (None, None), 0).shape
    arrays = {name: numbers(path, name, value, shape[:1] if name == "energy_weighted" else shape, 0,
                            kinds="b" if name in ("valid", "energy_weighted") else "iuf")
              for name, value in bins.items()}
    if np.any(arrays["e_lo"] <= 0) or np.any(arrays["e_hi"] <= arrays["e_lo"]):
        refuse(path, "energies do not increase")
    return EnergyBins(**arrays)


def refuse(path: Path, what: str) -> NoReturn:
    """Raise `ModelError` for a file of a model folder."""
    raise ModelError(f"{path}: {what}; copy the model folder again, or make it anew with astro-xlatent train")


def read_json(path: Path) -> Any:
    """Contents of a JSON file, without NaN and infinity, which JSON does not have."""
    try:
        if path.stat().st_size > LARGEST_TEXT:
            refuse(path, f"is larger than the {LARGEST_TEXT // 2**20} MB that any model needs")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: refuse(
            path, f"holds {name}, which is no number"))
    except OSError as error:
        refuse(path, f"cannot be read ({error.strerror})")
    except ModelError:
        raise
    # Undecodable bytes and broken JSON are both ValueErrors, and so is ModelError.
    except (ValueError, RecursionError) as error:
        refuse(path, f"is no JSON ({error})")


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that ``config.json`` vouches for, by name."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in VOUCHED}


def check_files(folder: Path, info: dict) -> None:
    """Make sure that files are those that ``config.json`` was written with; older models do not say."""
    if "files" not in info:
        return
    wanted = _member(folder / "config.json", info, "files")
    for name, digest in file_digests(folder).items():
        if wanted.get(name) != digest:
            refuse(folder / name, f"sha256 is {digest}, but config.json says {wanted.get(name)}")


def numbers(path: Path, name: str, value: Any, shape: tuple[int | None, ...],
            low: float = -1e30, high: float = 1e30, kinds: str = "iuf") -> np.ndarray:
    """A nested list of a JSON file as float64 (bool if ``kinds`` is "b"); None in ``shape``: any length."""
    try:
        array = np.asarray(value)
    except ValueError:
        refuse(path, f"{name} has rows of unequal length")
    wanted = "x".join("any" if n is None else str(n) for n in shape) or "a single number"
    if array.ndim != len(shape) or not all(n and m in (None, n) for n, m in zip(array.shape, shape)):
        refuse(path, f"{name} has shape {array.shape}, not {wanted}")
    if array.dtype.kind not in kinds:
        refuse(path, f"{name} holds something that is {'not true or false' if kinds == 'b' else 'no number'}")
    if not np.all((array >= low) & (array <= high)):
        refuse(path, f"{name} is not within {low:g} to {high:g}")
    return array.astype(bool if kinds == "b" else float)


def _member(path: Path, table: Any, name: str, kind: type = dict) -> Any:
    """An entry of a JSON object, of the type it must have."""
    if not isinstance(table, dict) or not isinstance(table.get(name), kind):
        refuse(path, f"{name!r} is missing or of the wrong type")
    return table[name]


def check_info(path: Path, info: Any) -> Config:
    """Sizes of the networks, if ``config.json`` describes a model."""
    if not isinstance(info, dict):
        refuse(path, "holds no JSON object")
    if info.get("format") != FORMAT:
        raise ModelError(f"{path}: model format {info.get('format')!r}, this version of astro_xlatent "
                         f"reads {FORMAT}; install a matching version")
    for name in ("name", "version", "latent_space"):
        if not _member(path, info, name, str).strip().isprintable() or not info[name].strip():
            refuse(path, f"{name!r} is empty or not printable")
    if _member(path, info, "classes", list) != [*CLASSES, OTHER]:
        refuse(path, f"classes are {info['classes']}, not {[*CLASSES, OTHER]}")
    if not all(isinstance(mission, str) for mission in _member(path, info, "missions", list)):
        refuse(path, "missions are not all names")
    sizes = _member(path, info, "network")
    if unknown := sorted(set(sizes) - {field.name for field in fields(Config)}):
        refuse(path, f"network has unknown sizes {unknown}")
    for name, size in sizes.items():
        low, high = _SIZES.get(name, (1, _LARGEST))
        if type(size) is not int or not low <= size <= high:
            refuse(path, f"network {name} is {size!r}, not an integer within {low} to {high}")
    config = Config(**sizes)
    if config.width % config.n_heads:
        refuse(path, f"network width {config.width} is no multiple of n_heads {config.n_heads}")
    return config


def check_calibration(path: Path, tables: Any, config: Config) -> None:
    """Make sure that ``calibration.json`` has every table that inference reads, right in shape and range."""
    if not isinstance(tables, dict):
        refuse(path, "holds no JSON object")
    nodes = numbers(path, "nodes", tables.get("nodes"), (None,), -10, 10)
    levels = numbers(path, "levels", tables.get("levels"), (None,), 0, 1)
    for name, values in (("nodes", nodes), ("levels", levels)):
        if np.any(np.diff(values) <= 0):
            refuse(path, f"{name} do not increase")
    if len(levels) < 2 or levels[0] != 0 or levels[-1] != 1:
        refuse(path, "levels do not go from 0 to 1")
    for mode in ("bands", "spectra"):
        _check_mode(path, mode, _member(path, tables, mode), len(nodes), len(levels))
    mixture, prior = (_member(path, tables, name) for name in ("mixture", "prior"))
    weight = _shares(path, "mixture weight", mixture.get("weight"), None, 1e-30)
    n, d = len(weight), config.n_latent
    numbers(path, "mixture mean", mixture.get("mean"), (n, d), -1e3, 1e3)
    spread = numbers(path, "mixture covariance", mixture.get("covariance"), (n, d, d), -1e6, 1e6)
    symmetric = np.allclose(spread, spread.transpose(0, 2, 1), rtol=1e-6, atol=1e-9)
    if not symmetric or np.linalg.eigvalsh(spread).min() <= 0:
        refuse(path, "mixture covariance is no covariance")
    for name in HEADS:
        _shares(path, f"prior {name}", prior.get(name), getattr(config, f"n_{name}"), 0)


def _shares(path: Path, name: str, value: Any, n: int | None, low: float) -> np.ndarray:
    shares = numbers(path, name, value, (n,), low, 1.0 + 1e-6)
    if not 0.99 < shares.sum() < 1.01:
        refuse(path, f"{name} does not sum to one")
    return shares


def _check_mode(path: Path, mode: str, tables: dict, n_nodes: int, n_levels: int) -> None:
    for name, table in TABLES.items():
        if name not in tables and (name == CLASS_TABLE or (mode == "bands" and name in (*FIT, "odd"))):
            continue
        shape = np.shape(table.neutral)[:-1] + (n_levels,) if table.rising else np.shape(table.neutral)
        values = numbers(path, f"{mode} {name}", tables.get(name), (n_nodes, *shape), table.low, table.high)
        open_ended = (table.low, table.high) != (0, 1)
        if table.rising and not (np.all(np.diff(values, axis=-1) >= 0)
                                 and (open_ended or np.all(values[..., [0, -1]] == (0, 1)))):
            refuse(path, f"{mode} {name} is not in order")
