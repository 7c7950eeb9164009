# Licensed under a 3-clause BSD style license - see LICENSE
"""
Putting a model together from the files of its folder.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.network import Config, Decoder, Encoder, Teacher
from astro_xlatent.model.posterior import Model
from astro_xlatent.physics.grid import ENERGY_MID

__all__ = ["build_model", "load_modules"]


def build_model(info, folder, device):
    """
    Make a `Model` from a checked model folder.

    Parameters
    ----------
    info : dict
        Contents of ``config.json``.
    folder : path-like
        Where the other files lie.
    device : str
        Where the networks go.

    Returns
    -------
    model : `~astro_xlatent.model.posterior.Model`

    Raises
    ------
    ModelError
        If the weights do not fit the configuration.
    """
    folder = Path(folder)
    config = Config(**info["network"])
    modules = load_modules(config, folder / "weights.safetensors", ("encoder", "decoder", "teacher"))
    calibration = Calibration.read(folder / "calibration.json")
    return Model(info, *modules, calibration, device)


def load_modules(config, path, names):
    """Networks with the tensors of a safetensors file, frozen."""
    energy = torch.as_tensor(ENERGY_MID, dtype=torch.float32)
    made = {
        "encoder": lambda: Encoder(config),
        # The cross section is among the stored tensors.
        "decoder": lambda: Decoder(config, energy, torch.zeros_like(energy)),
        "teacher": lambda: Teacher(config),
    }
    try:
        tensors = load_file(path)
        modules = []
        for name in names:
            module, prefix = made[name](), f"{name}."
            module.load_state_dict(
                {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)})
            modules.append(module.requires_grad_(False).eval())
    except (SafetensorError, RuntimeError) as error:
        msg = f"{path}: weights do not fit the configuration ({error}); install the model again"
        raise ModelError(msg) from error
    return modules
