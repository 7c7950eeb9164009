# Licensed under a 3-clause BSD style license - see LICENSE
"""
Latent vectors, classes and column densities for tables of X-ray sources.

The main entry is `add_latents`: an astropy table in, the same table with new columns out. Names are loaded
when first used, so that importing the package neither takes long nor loads torch.
"""

from importlib import import_module

_HOME = {
    "EnergyBins": "spectra.bins",
    "Response": "spectra.response",
    "XraySpectrum": "spectra.spectrum",
    "add_latents": "table.add_latents",
    "available_missions": "missions.base",
    "available_models": "model.pretrained",
    "available_transforms": "core.plugins",
    "combine": "compare.observations",
    "convert_nh": "physics.absorption",
    "decode_flags": "core.flags",
    "describe": "core.words",
    "extract_spectrum": "events.extract",
    "get_transform": "core.plugins",
    "group_latents": "compare.observations",
    "load_model": "model.pretrained",
    "match_catalogs": "compare.match",
    "neighbors": "compare.neighbors",
    "outliers": "compare.neighbors",
}

__all__ = sorted([*_HOME, "conf"])


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"astro_xlatent.{_HOME[name]}"), name)
    if name == "conf":
        return import_module("astro_xlatent.core.config").conf
    if name == "__version__":
        from importlib.metadata import version

        return version("astro_xlatent")
    raise AttributeError(f"module 'astro_xlatent' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, "__version__"])
