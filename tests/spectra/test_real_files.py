# Licensed under a 3-clause BSD style license - see LICENSE
"""Every real spectrum is read as Sherpa reads it, or refused by name."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent.errors import SpectrumError
from astro_xlatent.flags import decode_flags
from astro_xlatent.spectra._fits import load_bytes, parse_tables
from astro_xlatent.spectra.spectrum import XraySpectrum

#: Files whose header leaves the response out: what lies beside them.
BESIDE = {
    "chandra/source1/source1.pi": ("arf_1024.fits", "rmf_1024.fits"),
    "chandra/pi2278/pi2278.fits": ("arf2278.fits", "rmf2278.fits"),
    "erosita/020_SourceSpec_00001/020_SourceSpec_00001.fits":
        ("020_ARF_00001.fits", "onaxis_tm0_rmf_2023-01-17.fits.gz"),
    "xmm_newton/PN_PWN_34/PN_PWN.fits": ("PN_PWN.arf", "PN_PWN.rmf"),
    "xmm_newton/PN_PWN_35/PN_PWN.fits": ("PN_PWN.arf", "PN_PWN.rmf"),
    "xmm_newton/pn_pi_src_bin10/pn_pi_src_bin10.ds": ("pn_pi_src.arf", "epn_ff20_dY9.rmf"),
    "swift/target_sr/target_sr.pha": ("target_sr.arf", "swxpc0to12s6_20130101v014.rmf.gz"),
    "asca/sis0/sis0.pha": ("sis0.arf", "sis0.rmf"),
}
READ = [
    "chandra/acisf04938_000N002_r0043_pha3/acisf04938_000N002_r0043_pha3.fits",
    "chandra/acisf07867_000N001_r0002_pha3/acisf07867_000N001_r0002_pha3.fits",
    "chandra/acisf01575_001N001_r0085_pha3/acisf01575_001N001_r0085_pha3.fits.gz",
    "chandra/acisf01878_000N001_r0100_pha3/acisf01878_000N001_r0100_pha3.fits",
    "chandra/3c273/3c273.pi",
    "chandra/obs1/obs1.pi",
    "chandra/obs2/obs2.pi",
    "chandra/obs3/obs3.pi",
    "chandra/obs4/obs4.pi",
    "chandra/qso/qso.pi",
    "chandra/q1127_src1/q1127_src1.pi",
    "chandra/1666_3/1666_3.pi",
    "chandra/179/179.pi",
    "xmm_newton/PN/PN.pha",
    *BESIDE,
]
REFUSED = {
    "chandra/hrcf24564_000N030_r0001_pha3/hrcf24564_000N030_r0001_pha3.fits.gz": "HRC spectrum",
    "xmm_newton/source/source.pha": "RATE spectrum",
    "ixpe/det1_filt_src_I/det1_filt_src_I.pha": "RATE spectrum",
    "exosat/s54405/s54405.pha": "NET spectrum",
}


def power_law(lo, hi):
    """Photons/cm2/s per bin of 1e-3 E^-1.7, the integral in closed form."""
    return 1e-3 * (lo**-0.7 - hi**-0.7) / 0.7


def sherpa_counts(data):
    """Counts per channel of the same power law, folded by Sherpa."""
    from sherpa.astro.instrument import Response1D
    from sherpa.models import PowLaw1D

    model = PowLaw1D()
    model.gamma, model.ampl = 1.7, 1e-3
    data.notice()
    data.grouped = False
    return data.eval_model(Response1D(data)(model))


def assert_as_sherpa(spectrum, data):
    """Counts, exposure, scales, channel energies and a folded model agree."""
    np.testing.assert_array_equal(spectrum.counts, data.counts)
    np.testing.assert_array_equal(spectrum.channel, data.channel)
    assert spectrum.exposure == pytest.approx(data.exposure, rel=1e-12)
    np.testing.assert_allclose(spectrum.backscale, data.backscal, rtol=1e-12)
    arf, rmf = data.get_response()
    np.testing.assert_allclose(spectrum.e_lo, np.minimum(rmf.e_min, rmf.e_max), rtol=1e-6)
    np.testing.assert_allclose(spectrum.e_hi, np.maximum(rmf.e_min, rmf.e_max), rtol=1e-6)
    response = spectrum.response
    folded = response.fold(power_law(response.e_lo, response.e_hi)) * spectrum.exposure
    expected = sherpa_counts(data)
    np.testing.assert_allclose(folded, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", READ)
def test_equals_sherpa(shared_data, load_sherpa, name):
    """A real file gives what Sherpa gives, folded model included."""
    path = shared_data / "spectra" / name
    spectrum = XraySpectrum.read(path)
    files = [path.parent / n for n in BESIDE[name]] if name in BESIDE else ()
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
    assert spectrum.meta["rmf_rule"] == "only one in the folder"


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
