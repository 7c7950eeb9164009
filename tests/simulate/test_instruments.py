# Licensed under a 3-clause BSD style license - see LICENSE
"""Instruments of the simulation: real and shipped responses on its grids."""

from dataclasses import replace

import numpy as np
import pytest

from astro_xlatent.core.errors import MissionError
from astro_xlatent.missions.responses import band_area, default_response
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.simulate.conditions import arf_area
from astro_xlatent.simulate.instruments import (
    BAND_EDGES,
    default_instruments,
    load_detector,
    load_instruments,
    prepare,
)
from astro_xlatent.spectra.bins import N_FINE


@pytest.fixture(scope="module")
def instruments():
    return default_instruments(years=[2000, 2021])


def test_default_instruments_cover_the_missions(instruments):
    """ACIS at every year asked for, eROSITA pointed and in survey, both EPIC cameras."""
    names = [i.name for i in instruments]
    acis = {f"{chips} {year}" for chips in ("ACIS-I", "ACIS-S", "ACIS-S-front") for year in (2000, 2021)}
    assert set(names) == acis | {"TM0", "survey", "EPN", "EMOS1"}
    for item in instruments:
        assert item.matrix.shape == (N_FINE, ENERGY_MID.size)
        assert np.all(item.area[item.valid] > 0)
        assert np.all(item.band_matrix >= 0)


def test_contamination_takes_soft_photons(instruments):
    """Two decades of contamination cost ACIS far more below 1 keV than above 2 keV."""
    old, new = (next(i for i in instruments if i.name == f"ACIS-S {year}") for year in (2000, 2021))
    ratio = new.band_area(1.0) / old.band_area(1.0)
    assert ratio[0] < 0.2
    assert np.all(ratio[12:] > 0.8)


def test_band_area_is_that_of_the_reader(instruments):
    """Sub-bands of eROSITA have the area with which catalog rows are read."""
    tm0 = next(i for i in instruments if i.name == "TM0")
    edges = BAND_EDGES["erosita"]
    expected = band_area("erosita-tm0", list(zip(edges[:-1], edges[1:], strict=True)))
    # whole channels (12 eV) here, exact bounds there
    np.testing.assert_allclose(tm0.band_area(1.0), expected, rtol=0.03)


def test_folding_equals_the_response(instruments):
    """Counts in all fine bins are those of the response's channels in 0.3-10 keV."""
    response = default_response("csc", "ACIS-S", 2000)
    item = next(i for i in instruments if i.name == "ACIS-S 2000")
    spectrum = ENERGY_MID**-1.7 * ENERGY_WIDTH
    center = 0.5 * (response.channel_e_lo + response.channel_e_hi)
    expected = response.fold(spectrum)[(center >= 0.3) & (center < 10.0)].sum()
    assert (item.matrix @ spectrum).sum() == pytest.approx(expected, rel=1e-4)


def test_unknown_mission_is_refused():
    """The message lists the missions with bands."""
    with pytest.raises(MissionError, match="allowed: csc, erosita, xmm"):
        prepare("PSPC", "rosat", None)


def test_empty_folder_is_refused(tmp_path):
    """A folder without responses is named; files of other kinds are reported."""
    (tmp_path / "broken.arf").write_text("no FITS")
    seen = []
    with pytest.raises(MissionError, match="no ARF and RMF"):
        load_instruments(tmp_path, log=seen.append)
    assert len(seen) == 1 and "broken.arf" in seen[0]


def test_written_responses_come_back(tmp_path, instruments):
    """A response written to disk gives the same instrument again."""
    default_response("csc", "ACIS-S", 2000).write(tmp_path / "a.arf", tmp_path / "a.rmf")
    (found,) = load_instruments(tmp_path, log=pytest.fail)
    item = next(i for i in instruments if i.name == "ACIS-S 2000")
    assert found.mission == "csc"
    np.testing.assert_allclose(found.area, item.area, rtol=1e-4)


@pytest.mark.parametrize("curve", ["acis-i", "erosita-survey"])
def test_detector_folds_like_its_response(curve):
    """The dense product of a detector equals the sparse one of the response, on all grids."""
    detector = load_detector(curve)
    label = curve if curve == "erosita-survey" else f"{curve}_2010_06"
    area = arf_area(label, 0.8)
    spectrum = (ENERGY_MID**-2.0 * ENERGY_WIDTH).astype(np.float32)
    rate = detector.matrix @ (spectrum * area)
    expected = detector.response.redistribution @ (spectrum * area)
    np.testing.assert_allclose(rate, expected, rtol=1e-3, atol=1e-7 * expected.max())
    in_bands = rate @ detector.into_bands
    np.testing.assert_allclose(in_bands, detector.unit.band_matrix @ (spectrum * area), rtol=1e-3)
    flat = detector.unit.fine_area(area[None])[0]
    unit = detector.unit
    expected = unit.matrix @ (area * ENERGY_WIDTH) / np.where(unit.valid, unit.e_hi - unit.e_lo, 1.0)
    np.testing.assert_allclose(flat, expected, rtol=1e-4)


def test_vignetting_and_aperture_scale_the_area():
    """12 arcmin off axis ACIS loses a fifth; the aperture fraction multiplies."""
    on, off = arf_area("acis-i_2010_00", 1.0), arf_area("acis-i_2010_12", 1.0)
    assert 0.73 < off[200] / on[200] < 0.85
    np.testing.assert_allclose(arf_area("acis-i_2010_00", 0.5), 0.5 * on, rtol=1e-6)


def test_vignetting_of_a_response_without_a_date(instruments):
    """Off the axis less is seen; a response that tells no date loses as others do."""
    dated = next(i for i in instruments if i.name == "ACIS-S 2021")
    undated = replace(dated, epoch=np.nan)
    for item in (dated, undated):
        factor, mono = item.off_axis_factors(np.array([0.0, 5.0, 10.0]))
        seen = factor[:, (ENERGY_MID > 1) & (ENERGY_MID < 7)]
        assert np.all(seen[0] == 1) and np.all((seen[1:] < 1) & (seen[1:] > 0.3))
        assert np.all(mono[1:] < mono[0])
    np.testing.assert_allclose(undated.off_axis_factors(np.array([8.0]))[1],
                               dated.off_axis_factors(np.array([8.0]))[1], rtol=0.1)
