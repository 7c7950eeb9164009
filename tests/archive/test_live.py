# Licensed under a 3-clause BSD style license - see LICENSE
"""The services themselves; run with ``pytest --remote-data tests/archive/test_live.py``."""

import pytest

from astro_xlatent.archive import fetch_catalog, fetch_labels, fetch_spectra
from astro_xlatent.archive.query import resolve_name
from astro_xlatent.missions.base import get_mission

# Without the plugin nothing would keep these from the network.
pytest.importorskip("pytest_remotedata", reason="the live services are asked only under pytest-remotedata")

CONES = {
    "csc": ("10.684", "41.269", "20arcsec"),
    "csc-detections": ("10.684", "41.269", "5arcsec"),
    "csc-heasarc": ("10.684", "41.269", "20arcsec"),
    "erass1": ("83.867", "-69.27", "3arcmin"),
    "erass1-hard": ("83.867", "-69.27", "5arcmin"),
    "erass1-vizier": ("83.867", "-69.27", "3arcmin"),
    "erass1-heasarc": ("83.867", "-69.27", "3arcmin"),
}


@pytest.mark.remote_data
@pytest.mark.parametrize("key", CONES)
def test_catalog(key):
    """A well-known part of the sky has sources, whose bands are recognized."""
    table = fetch_catalog(key, cone=CONES[key])
    assert len(table)
    assert get_mission(table.meta["MISSION"]).read_bands(table).bins.valid.any()


@pytest.mark.remote_data
def test_csc_spectra(tmp_path):
    """One detection's spectrum, ARF and RMF."""
    rows = fetch_catalog("csc-detections", cone=CONES["csc-detections"])
    rows = rows[rows["instrument"] == "ACIS"][:1]
    assert set(fetch_spectra(rows, tmp_path)["status"]) == {"fetched"}


@pytest.mark.remote_data
def test_erass1_spectra(tmp_path):
    """One source's products."""
    rows = fetch_catalog("erass1", cone=CONES["erass1"])[:1]
    assert "fetched" in fetch_spectra(rows, tmp_path)["status"]


@pytest.mark.remote_data
def test_object():
    """SIMBAD knows where LMC X-3 is."""
    assert resolve_name("LMC X-3", "1arcmin").ra == pytest.approx(84.736, abs=0.01)


@pytest.mark.remote_data
def test_labels():
    """The sample is whole."""
    assert len(fetch_labels(nh_gal=False)) == 2941
