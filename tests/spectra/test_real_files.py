# Licensed under a 3-clause BSD style license - see LICENSE
"""Every real spectrum is read as Sherpa reads it, or refused by name."""

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from real_spectra import BESIDE, READ, REFUSED, STRANGER, assert_as_sherpa

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import decode_flags
from astro_xlatent.spectra._fits import load_bytes, parse_tables
from astro_xlatent.spectra.spectrum import XraySpectrum


@pytest.mark.parametrize("name", READ)
def test_equals_sherpa(shared_data, load_sherpa, name):
    """A real file gives what Sherpa gives, folded model included."""
    path = shared_data / "spectra" / name
    files = [path.parent / n for n in BESIDE[name]] if name in BESIDE else ()
    spectrum = XraySpectrum.read(path, *(files if name in STRANGER else ()))
    assert_as_sherpa(spectrum, load_sherpa(path, *files))


@pytest.mark.parametrize("name", [n for n in READ if n not in BESIDE])
def test_background_equals_sherpa(shared_data, load_sherpa, name):
    """Background counts and scale agree with Sherpa where the header names it."""
    path = shared_data / "spectra" / name
    spectrum, data = XraySpectrum.read(path), load_sherpa(path)
    off = data.get_background()
    if off is None:
        assert spectrum.background is None
        assert "NO_BACKGROUND" in decode_flags(spectrum.flags)
    else:
        np.testing.assert_array_equal(spectrum.background.counts, off.counts)
        np.testing.assert_allclose(spectrum.background_scale,
                                   data.get_background_scale(units="counts"), rtol=1e-12)


@pytest.mark.parametrize("name", ["acisf04938_000N002_r0043_pha3.fits", "acisf07867_000N001_r0002_pha3.fits",
                                  "3c273.pi"])
def test_files_in_sherpa_package(sherpa_folder, load_sherpa, name):
    """The spectra in Sherpa's own package are read as Sherpa does, on any machine."""
    spectrum, data = XraySpectrum.read(sherpa_folder / name), load_sherpa(sherpa_folder / name)
    assert_as_sherpa(spectrum, data)
    np.testing.assert_array_equal(spectrum.background.counts, data.get_background().counts)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shared_data, name):
    """HRC, RATE and NET spectra are refused by name, with the file in the message."""
    path = shared_data / "spectra" / name
    with pytest.raises(SpectrumError, match=REFUSED[name]) as caught:
        XraySpectrum.read(path)
    assert path.name in str(caught.value)


def test_grids_differ(shared_data):
    """An ARF on another energy grid than the RMF is flagged and explained."""
    spectrum = XraySpectrum.read(shared_data / "spectra/chandra/source1/source1.pi")
    assert "GRID_INTERPOLATED" in decode_flags(spectrum.flags)
    assert "finer grid used" in spectrum.response.meta["grid_note"]


def test_erosita_habits(shared_data):
    """An eROSITA spectrum finds its background and says where the RMF comes from."""
    path = shared_data / "spectra/erosita/020_SourceSpec_00001/020_SourceSpec_00001.fits"
    spectrum = XraySpectrum.read(path)
    assert spectrum.telescope == "EROSITA"
    assert spectrum.background.counts.sum() == 4303
    assert spectrum.meta["rmf_rule"].startswith("eROSITA's calibration on axis (the header names 020_RMF")
    assert "RESPONSE_GUESSED" in decode_flags(spectrum.flags)


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_headers_and_columns_equal_astropy(shared_data, name):
    """Our bounded reader gives astropy's header values and numeric columns."""
    path = shared_data / "spectra" / name
    keys = ("EXPOSURE", "BACKSCAL", "AREASCAL", "TELESCOP", "INSTRUME", "RESPFILE", "ANCRFILE", "BACKFILE",
            "HDUCLAS1", "HDUCLAS2", "OBS_ID", "OBJECT", "DATE-OBS", "POISSERR", "TLMIN1", "DETCHANS")
    tables = parse_tables(load_bytes(path, SpectrumError), path, SpectrumError)
    with warnings.catch_warnings(), fits.open(path) as hdus:
        warnings.simplefilter("ignore")
        theirs = [h for h in hdus if isinstance(h, fits.BinTableHDU)]
        assert len(tables) == len(theirs)
        for table, hdu in zip(tables, theirs):
            for key in keys:
                expected = hdu.header.get(key)
                expected = expected.strip() if isinstance(expected, str) else expected
                assert table.header.get(key) == expected, key
            for column in {"CHANNEL", "COUNTS", "RATE", "START"} & set(table.columns):
                np.testing.assert_array_equal(table.column(column), hdu.data[column])


def test_page_of_the_documentation(shared_data):
    """The generated page says what the reader does now, and both lists here agree with it."""
    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "build_spectra_table.py"))
    text = tool["page"](shared_data / "spectra")
    assert tool["PAGE"].read_text(encoding="utf-8") == text
    assert text.count("     - read\n") == len(READ) - len(STRANGER)
    assert text.count("     - refused\n") == len(REFUSED) + len(STRANGER)
