# Licensed under a 3-clause BSD style license - see LICENSE
"""Spectra and responses to Sherpa and back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from real_spectra import assert_as_sherpa
from sherpa.astro import datastack, ui

from astro_xlatent.sherpa.convert import (
    from_sherpa,
    response_from_sherpa,
    response_to_sherpa,
    to_sherpa,
)

FOLDER = Path(datastack.__file__).parent / "tests" / "data"


def load(name):
    """A data set of the two real spectra in Sherpa's package."""
    return ui.unpack_pha(str(FOLDER / name))


@pytest.mark.parametrize("name", ["acisf04938_000N002_r0043_pha3.fits", "3c273.pi"])
@pytest.mark.filterwarnings("ignore")
def test_spectrum(name):
    """From Sherpa and to Sherpa: the same counts, scales and folded model."""
    data = load(name)
    spectrum = from_sherpa(data)
    assert_as_sherpa(spectrum, data)
    assert_as_sherpa(spectrum, to_sherpa(spectrum))
    back = from_sherpa(to_sherpa(spectrum))
    assert back.background_scale == pytest.approx(spectrum.background_scale)
    assert spectrum.background_scale == pytest.approx(data.get_background_scale(units="counts"))
    assert spectrum.telescope == "CHANDRA"


@pytest.mark.filterwarnings("ignore")
def test_response():
    """To Sherpa and back folds alike, also for a real response."""
    data = load("acisf07867_000N001_r0002_pha3.fits")
    response = response_from_sherpa(*data.get_response())
    again = response_from_sherpa(*response_to_sherpa(response))
    spectrum = np.linspace(1, 2, response.n_energy)
    np.testing.assert_allclose(again.fold(spectrum), response.fold(spectrum), rtol=1e-6, atol=1e-12)
    rmf = response_to_sherpa(response)[1]
    np.testing.assert_allclose(rmf.apply_rmf(spectrum * response.area), response.fold(spectrum), rtol=1e-6,
                               atol=1e-9)


def test_without_sherpa():
    """Without Sherpa the error names the extra to install."""
    code = "import sys\nsys.modules['sherpa'] = None\nimport astro_xlatent.sherpa.convert"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode
    assert 'pip install "astro_xlatent[sherpa]"' in done.stderr
