# Licensed under a 3-clause BSD style license - see LICENSE
"""
Finding, checking and loading trained models.

A model is a folder with ``config.json``, ``weights.safetensors``,
``calibration.json``, ``selftest.json`` and ``MODEL_CARD.rst``. Nothing in it
is code, and nothing is fetched from the network.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ModelError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.plugins import load_plugin, plugin_names
from astro_xlatent.model.bundled import BUNDLED, DEFAULT

__all__ = ["available_models", "load_model", "model_folder", "selftest"]

#: Layout of model folders that this version reads.
FORMAT = 1
ENTRY_POINTS = "astro_xlatent.models"
CHECKED_FILES = ("calibration.json", "config.json", "selftest.json", "weights.safetensors")
_WEIGHTS = Path(__file__).parent / "weights"


def available_models():
    """
    Names of the models that `load_model` knows.

    Returns
    -------
    names : list of str
        Bundled models first, then those that installed packages register in
        the entry-point group ``astro_xlatent.models``.
    """
    return list(dict.fromkeys([*BUNDLED, *plugin_names(ENTRY_POINTS)]))


def load_model(name=None, *, device=None):
    """
    Load a model, checked against its checksum.

    Parameters
    ----------
    name : str or path-like, optional
        A name from `available_models`, or a model folder. By default the
        configuration item ``default_model``, else the bundled model.
    device : str, optional
        Such as ``"cpu"`` or ``"cuda"``; by default the configuration item
        ``device``, where ``"auto"`` takes a GPU if there is one.

    Returns
    -------
    model : `~astro_xlatent.model.posterior.Model`
        The same object for the same arguments.

    Raises
    ------
    ModelError
        If the model is unknown, incomplete, damaged, or of a newer format.
    """
    if conf.threads:
        import torch

        torch.set_num_threads(conf.threads)
    name = str(name or conf.default_model or DEFAULT)
    return _load(name, _choose_device(device or conf.device))


@lru_cache(maxsize=4)
def _load(name, device):
    if name not in BUNDLED and name in plugin_names(ENTRY_POINTS):
        return load_plugin(ENTRY_POINTS, name)()
    return _read_folder(model_folder(name), device)


def _choose_device(device):
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def model_folder(name):
    """
    The folder of a bundled model or of one of the user's own.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    if name in BUNDLED:
        return _WEIGHTS / name
    folder = Path(name)
    if name and (folder / "config.json").is_file():
        return folder
    msg = (f"model {name!r} is not known; available: {', '.join(available_models()) or 'none'}; "
           "or give the folder of a model (with config.json)")
    raise ModelError(msg)


def folder_digest(folder):
    """SHA-256 over names and contents of all files of a model but its card."""
    digest = hashlib.sha256()
    for name in CHECKED_FILES:
        path = Path(folder) / name
        if not path.is_file():
            msg = f"{folder}: {name} is missing; a model folder holds {', '.join(CHECKED_FILES)}"
            raise ModelError(msg)
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _read_info(folder):
    info = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if info.get("format") != FORMAT:
        msg = (f"{folder}: model format {info.get('format')!r}, this version of astro_xlatent "
               f"reads {FORMAT}; install a matching version")
        raise ModelError(msg)
    return info


def _read_folder(folder, device):
    digest = folder_digest(folder)
    expected = BUNDLED.get(folder.name) if folder.parent == _WEIGHTS else None
    if expected not in (None, digest):
        msg = (f"{folder}: sha256 is {digest}, expected {expected}; the files are damaged, "
               "install astro_xlatent again")
        raise ModelError(msg)
    info = _read_info(folder) | {"sha256": digest}
    from astro_xlatent.model.build import build_model

    return build_model(info, folder, device)


def selftest(name=None):
    """
    Compare a model's output with what it gave when it was made.

    Parameters
    ----------
    name : str, optional
        As for `load_model`.

    Returns
    -------
    deviation : float
        Largest absolute difference of latents and class probabilities.
    """
    from astro_xlatent.spectra.bins import EnergyBins

    model = load_model(name)
    stored = json.loads((model_folder(f"{model.name}-{model.version}" if not name else str(name))
                         / "selftest.json").read_text(encoding="utf-8"))
    posterior = model.infer(EnergyBins(**{k: np.array(v) for k, v in stored["bins"].items()}))
    pairs = ((posterior.latent, stored["latent"]), (posterior.class_prob, stored["class_prob"]))
    return float(max(np.max(np.abs(got - np.array(wanted))) for got, wanted in pairs))


def replace_file(path, write):
    """Let ``write`` make a file under a temporary name, then give it its name."""
    with replacing(path) as temporary:
        write(temporary)


def save_tensors(path, modules):
    """Save modules' tensors to one safetensors file, keys prefixed by their names."""
    from safetensors.torch import save_file

    tensors = {
        f"{name}.{key}": value.detach().contiguous().clone()
        for name, module in modules.items() for key, value in module.state_dict().items()
    }
    save_file(tensors, path)
