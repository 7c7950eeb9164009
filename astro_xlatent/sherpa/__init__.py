# Licensed under a 3-clause BSD style license - see LICENSE
"""
The model in a Sherpa session: prediction, starting values, models, samples.

Needs Sherpa (``pip install "astro_xlatent[sherpa]"`` or ``conda install -c conda-forge sherpa``).
"""

try:
    import sherpa.astro.data  # noqa: F401
except ImportError as error:
    msg = ('astro_xlatent.sherpa needs Sherpa; install it with pip install "astro_xlatent[sherpa]" '
           "or conda install -c conda-forge sherpa")
    raise ImportError(msg) from error

from astro_xlatent.sherpa.convert import from_sherpa, to_sherpa
from astro_xlatent.sherpa.latent import LatentSpectrum
from astro_xlatent.sherpa.models import (
    XLApec,
    XLBbodyrad,
    XLDiskbb,
    XLPowerlaw,
    XLTbabs,
    XLzTbabs,
    add_models,
)
from astro_xlatent.sherpa.sampling import Samples, predict, sample
from astro_xlatent.sherpa.starting import Guess, guess

__all__ = ["Guess", "LatentSpectrum", "Samples", "XLApec", "XLBbodyrad", "XLDiskbb", "XLPowerlaw",
           "XLTbabs", "XLzTbabs", "add_models", "from_sherpa", "guess", "predict", "sample", "to_sherpa"]
