# Licensed under a 3-clause BSD style license - see LICENSE
"""Finding, checking and loading trained models: folders without code; nothing is fetched."""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ModelError
from astro_xlatent.core.plugins import load_plugin, plugin_names
from astro_xlatent.model.base import LatentModel
from astro_xlatent.model.bundled import BUNDLED, DEFAULT

if TYPE_CHECKING:
    from torch import nn

__all__ = ["available_models", "load_model", "model_folder", "selftest"]

ENTRY_POINTS = "astro_xlatent.models"
#: Files of a model folder, beside its ``MODEL_CARD.rst``.
CHECKED_FILES = ("calibration.json", "config.json", "selftest.json", "weights.safetensors")
#: Largest deviation of latents and probabilities in the self-test of an undamaged model,
#: on any device; single precision alone makes less than 1e-4.
LARGEST_DEVIATION = 0.01
_WEIGHTS = Path(__file__).parent / "weights"


def available_models() -> list[str]:
    """Names that `load_model` knows: bundled, then of the entry-point group ``astro_xlatent.models``."""
    return list(dict.fromkeys([*BUNDLED, *plugin_names(ENTRY_POINTS)]))


def load_model(name: str | os.PathLike | LatentModel | None = None, *,
               device: str | None = None) -> LatentModel:
    """
    Load a model, checked against its checksum and its own test rows.

    Parameters
    ----------
    name : str, path-like or model, optional
        One of `available_models`, or a folder; by default the configuration item ``default_model``, else the
        bundled model. A model is returned as it is.
    device : str, optional
        Such as ``"cuda"``; by default the item ``device``, where ``"auto"`` takes a GPU if there is one.

    Returns
    -------
    model : `~astro_xlatent.model.base.LatentModel`
        The same object for the same arguments, until files of the folder change.

    Raises
    ------
    ModelError
        If the model is unknown, incomplete, damaged, or of a newer format, or the device is none.
    """
    if isinstance(name, LatentModel):
        return name
    if name is not None and not isinstance(name, (str, os.PathLike)):
        wanted = [*LatentModel.__annotations__, "infer", "decode"]
        lacks = ", ".join(part for part in wanted if not hasattr(name, part))
        msg = f"model is a {type(name).__name__} without {lacks}; give a name, a folder, or a LatentModel"
        raise ModelError(msg)
    name, device = str(name or conf.default_model or DEFAULT), choose_device(device or conf.device)
    if name not in BUNDLED and not _is_folder(name) and name in plugin_names(ENTRY_POINTS):
        return _from_plugin(name, load_plugin(ENTRY_POINTS, name), device)
    folder = model_folder(name).resolve()
    return _read_folder(folder, device, folder_digest(folder))


def _is_folder(name: str) -> bool:
    try:
        return (Path(name) / "config.json").is_file()
    except (OSError, ValueError):  # too long, or not a path at all
        return False


@lru_cache(maxsize=4)
def _from_plugin(name: str, factory: Callable, device: str) -> LatentModel:
    try:
        model = factory(device=device)
    except ModelError:
        raise
    except Exception as error:
        # A plug-in is foreign code: whatever it raises is an error of this one model.
        msg = f"model {name!r} of a plug-in cannot be made ({type(error).__name__}: {error}); ask its authors"
        raise ModelError(msg) from error
    if not isinstance(model, LatentModel):
        raise ModelError(f"model {name!r} of a plug-in is a {type(model).__name__} that lacks what "
                         "astro_xlatent.model.base.LatentModel asks for; ask its authors")
    return model


@lru_cache(maxsize=8)
def choose_device(device: str) -> str:
    """Name of a device that torch can use; ``auto`` is a GPU if there is one."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        msg = f"device is {device!r}: {reason}; use 'cpu', 'auto', or a device that torch finds here"
        raise ModelError(msg) from error
    return device


def model_folder(name: str | os.PathLike) -> Path:
    """The folder of a bundled model or of one of the user's own; `ModelError` if there is none."""
    name = str(name)
    if name in BUNDLED:
        return _WEIGHTS / name
    if name and _is_folder(name):
        return Path(name)
    raise ModelError(f"model {name!r} is not known; available: {', '.join(available_models()) or 'none'}; "
                     "or give the folder of a model (with config.json)")


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a model but its card."""
    digest = hashlib.sha256()
    for path in (Path(folder) / name for name in CHECKED_FILES):
        try:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        except OSError as error:
            msg = f"{path}: cannot be read ({error.strerror}); a model has {', '.join(CHECKED_FILES)}"
            raise ModelError(msg) from error
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _read_folder(folder: Path, device: str, digest: str) -> LatentModel:
    expected = BUNDLED.get(folder.name) if folder.parent == _WEIGHTS.resolve() else None
    if expected not in (None, digest):
        raise ModelError(f"{folder}: sha256 is {digest}, expected {expected}; the files are damaged, "
                         "install astro_xlatent again")
    from astro_xlatent.model.build import build_model, selftest_deviation

    model = build_model(folder, device)
    model.sha256 = digest
    deviation = selftest_deviation(model, folder / "selftest.json")
    if not deviation <= LARGEST_DEVIATION:
        msg = (f"{folder}: on its own test rows the model deviates by {deviation:.3g} from what it gave when "
               "it was made; weights or calibration are damaged: copy the model folder again")
        raise ModelError(msg)
    return model


def selftest(name: str | None = None) -> float:
    """
    Largest absolute difference of a model's latents and class probabilities to those when it was made.

    Parameters
    ----------
    name : str, optional
        As for `load_model`.
    """
    from astro_xlatent.model.build import selftest_deviation

    name = str(name or conf.default_model or DEFAULT)
    return selftest_deviation(load_model(name), model_folder(name) / "selftest.json")


def save_tensors(path: str | os.PathLike, modules: dict[str, "nn.Module"]) -> None:
    """Save modules' tensors to one safetensors file, keys prefixed by their names."""
    from safetensors.torch import save_file

    save_file({f"{name}.{key}": value.detach().contiguous().clone()
               for name, module in modules.items() for key, value in module.state_dict().items()}, path)
