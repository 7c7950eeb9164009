# Licensed under a 3-clause BSD style license - see LICENSE
"""Real rows beside simulated ones: known scores, fits and truths come back."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from evaluate.labeled import make_labeled

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.evaluate.rows import prepare_rows
from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.simulate.catalog import observed_chunks
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.spectrum import XraySpectrum
from benchmarks.studies.expected import Scored, band_table, compare, expected_classes, table_fluxes
from benchmarks.studies.expected_fits import (
    as_averages,
    as_detections,
    expected_fits,
    similar_rows,
    simulate_fits,
)
from benchmarks.studies.fits import catalog_fits
from benchmarks.studies.reference import MODELS, OnOff, fit_reference


def _scored(recall, each, rng, significance=30.0):
    """Rows of two classes, of which a method knows a given share."""
    label = np.repeat(["AGN", "CV"], each)
    right = np.concatenate([rng.permutation(each) < round(each * share) for share in recall])
    said = np.full((label.size, len(CLASSES)), 0.01)
    other = np.where(label == "AGN", "CV", "AGN")
    said[np.arange(label.size), [CLASSES.index(k) for k in np.where(right, label, other)]] = 0.9
    flux = np.full((label.size, 3), 1e-14)
    return Scored(label, flux, flux * np.sqrt(3) / significance, {"model": said})


def test_scores_of_known_rows():
    """Expected score, its spread in small samples, and how often chance is as low."""
    rng = np.random.default_rng(1)
    simulated = _scored((0.8, 0.4), 2000, rng)
    low, equal = (_scored(recall, 50, rng) for recall in ((0.6, 0.2), (0.8, 0.4)))
    numbers = compare(low, simulated, np.arange(100), "rows", rng, n_boot=100)
    found = {(n.quantity, n.method, n.subset): n for n in numbers}
    real = found["balanced accuracy", "model: real rows", "rows"]
    wanted = found["balanced accuracy", "model: simulated rows", "rows"]
    assert real.value == pytest.approx(0.4) and real.n == 100
    assert wanted.value == pytest.approx(0.6)
    # a mean of two binomial shares of 50 rows
    spread = 0.5 * np.sqrt((0.8 * 0.2 + 0.4 * 0.6) / 50)
    assert wanted.high - wanted.low == pytest.approx(2 * 1.645 * spread, rel=0.15)
    share = "share of simulated samples as low"
    assert found[share, "model: balanced accuracy", "rows"].value < 0.01
    assert found["recall of CV", "model: simulated rows", "rows"].value == pytest.approx(0.4)
    # AUC of a score of two values: the mean of both recalls
    assert found["AUC, AGN against compact", "model: simulated rows", "rows"].value == pytest.approx(0.6)
    numbers = compare(equal, simulated, np.arange(100), "rows", rng, n_boot=100)
    same = next(n for n in numbers if n.method == "model: balanced accuracy" and n.subset == "rows")
    assert same.quantity == share and 0.4 < same.value < 0.65


def test_ranges_of_significance():
    """All rows, and the range that they lie in, and no other."""
    rng = np.random.default_rng(2)
    simulated, real = (_scored((0.8, 0.4), n, rng, significance=15) for n in (500, 50))
    numbers = compare(real, simulated, np.arange(100), "rows", rng, n_boot=20)
    assert {n.subset for n in numbers} == {"rows", "rows, significance 10-20"}


def test_fluxes_are_those_that_are_read():
    """Means before averages, row by row, and back through the catalog's reader."""
    flux = np.array([[1e-14, 2e-14, 3e-14], [4e-14, 5e-14, 6e-14]])
    table = band_table(flux, 0.1 * flux)
    bins = get_mission("csc").read_bands(table).bins
    # half-widths of 1.12 sqrt(N)
    np.testing.assert_allclose(bins.counts, 125.4, rtol=0.02)
    for k, band in enumerate("smh"):
        table[f"flux_aper90_ave_{band}"], table[f"e_flux_aper90_ave_{band}"] = 2 * flux[:, k], flux[:, k]
    table["flux_aper90_mean_h"][1] = np.nan
    found, error = table_fluxes(table)
    np.testing.assert_allclose(found, [flux[0], 2 * flux[1]])
    np.testing.assert_allclose(error, [0.1 * flux[0], flux[1]])


def test_a_simulated_sky_scores_as_expected():
    """Rows of the simulated sky itself score within chance of what is expected."""
    from astro_xlatent.simulate.instruments import default_instruments
    from astro_xlatent.table.add_latents import add_latents
    from benchmarks.studies.discriminator import fluxes_like

    instruments = [i for i in default_instruments(years=[2005]) if i.mission == "csc"]
    rng = np.random.default_rng(7)
    like = np.stack([np.zeros(60), np.zeros(60), rng.uniform(0.8, 1.5, 60)], axis=1)
    names = ("AGN", "CV", "LM-STAR")
    parts = [fluxes_like(name, like, 60, instruments, rng) for name in names]
    label = np.repeat(names, [len(flux) for flux, _ in parts])
    table = band_table(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    rows = SimpleNamespace(table=add_latents(table, mission="csc"), label=label, field=np.arange(len(label)))
    numbers = expected_classes(rows, instruments, name="mock", per_class=250)
    shares = {n.method: n.value for n in numbers
              if n.quantity == "share of simulated samples as low" and n.subset == "mock"}
    assert len(shares) == 2 * 2 + len(names)
    # boosting learns from few rows here, which the samples do not repeat
    assert all(share > 0.001 for method, share in shares.items() if method.startswith("model"))
    scores = {n.method: n.value for n in numbers if n.quantity == "balanced accuracy" and n.subset == "mock"}
    # LM-STAR at least are told from the others
    assert scores["boosting trained on simulated rows: simulated rows"] > 0.5
    assert scores["boosting trained on simulated rows: real rows"] > 0.5


def _spectrum(counts):
    response = get_mission("csc").default_response(year=2005)
    rate = response.on_grid().fold(powerlaw(1.7) * transmission(3e21))
    background = XraySpectrum(counts=np.full(rate.size, 0.3), exposure=1e4, backscale=1.0, response=response)
    return XraySpectrum(counts=np.ravel(rate) * counts / rate.sum() + 0.03, exposure=1e4, backscale=0.1,
                        response=response, background=background)


def test_bins_instead_of_a_spectrum():
    """Bins and matrix give the same fit as the spectrum; its error is that of the profile."""
    spectrum = _spectrum(2000)
    bins, matrices = bins_from_spectra([spectrum])
    scale = float(np.mean(spectrum.background_scale))
    whole, parts = OnOff(spectrum), OnOff.of_bins(bins, matrices[0], scale)
    for name in ("counts", "matrix", "background", "off", "exposure", "block"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    fit = fit_reference(parts, MODELS[0], n_starts=1)
    assert fit.log_nh == pytest.approx(np.log10(3e21), abs=0.02)
    fit.add_intervals(parts)
    low, high = fit.interval68
    assert fit.log_nh_error(parts) == pytest.approx(0.5 * (high - low), rel=0.1)


@pytest.fixture(scope="module")
def simulated():
    """Some bright detections with their fits."""
    return simulate_fits(3, 20, {"AGN": 1.0, "NS": 1.0})


def test_fits_of_simulated_spectra(simulated):
    """Fits in the catalog's convention lie about those of the noise-free spectra, as their errors say."""
    assert len(simulated) >= 20 and set(simulated["class_label"]) == {"AGN", "NS"}
    assert np.all(np.array(simulated["src_cnts_aper_b"]) > 150)
    log_nh, error = catalog_fits(simulated)
    high = log_nh > 21
    np.testing.assert_array_equal(np.isfinite(error), high)
    parts = [o for c in observed_chunks(3, 5000, missions={"csc": 1.0}, classes=["AGN", "NS"]) for o in c]
    column = np.concatenate([o.sources.truth["nh"] for o in parts])
    same = np.array([np.flatnonzero(column == value)[0] for value in simulated["true_nh"][high]])
    expected, _ = power_law_fit(np.concatenate([o.sources.spectrum for o in parts])[same])
    # A column of zero has no logarithm; below 1e20 all are alike.
    pull = (log_nh[high] - np.log10(np.maximum(expected, 1e20))) / error[high]
    assert high.sum() >= 5 and 0.2 < np.median(np.abs(pull)) < 1.5


def test_forms_of_simulated_rows(simulated):
    """Averages of symmetric limits are the fluxes; detections keep what the real table has."""
    table = as_averages(simulated)
    flux, error = table_fluxes(table)
    seen = np.array(simulated["src_cnts_aper_lolim_h"]) > 0
    np.testing.assert_allclose(flux[seen, 2], np.array(simulated["flux_aper_h"])[seen], rtol=1e-6)
    width = np.array(simulated["flux_aper_hilim_h"]) - np.array(simulated["flux_aper_lolim_h"])
    np.testing.assert_allclose(error[seen, 2], 0.5 * width[seen], rtol=1e-6)
    kept = as_detections(simulated, Table({"flux_aper_s": [1.0], "class_label": ["AGN"]}))
    assert "flux_aper_s" in kept.colnames and "true_nh" in kept.colnames
    assert "cnts_aper_s" in simulated.colnames and "cnts_aper_s" not in kept.colnames


def test_similar_rows():
    """Drawn rows are near and of the class; a class not simulated has none."""
    rng = np.random.default_rng(4)
    theirs = np.arange(200.0)[:, None]
    label = np.where(np.arange(200) % 2, "AGN", "CV")
    real = np.array([[50.0], [120.0], [7.0]])
    chosen = similar_rows(real, theirs, np.array(["AGN", "CV", "NS"]), label, rng, copies=30)
    assert chosen.shape == (60,)
    assert np.all(label[chosen[:30]] == "AGN") and np.all(label[chosen[30:]] == "CV")
    assert np.abs(chosen[:30] - 50).max() <= 12 and np.abs(chosen[30:] - 120).max() <= 12


def test_numbers_of_known_fits():
    """Simulated rows equal to real ones have their differences; truths come back."""
    table = make_labeled(400, ("AGN", "CV"))
    table["xl_nh"] = table["xl_nh"] * 10
    for name, factor in (("lolim", 1 / 1.6), ("hilim", 1.6), ("ul90", 1.8)):
        table[f"xl_nh_{name}"] = table["xl_nh"] * factor
    table["powlaw_nh_mean"] = np.array(table["xl_nh"]) / 1e20 / 1.3
    table["e_powlaw_nh_mean"] = 0.1 * table["powlaw_nh_mean"]
    rows = prepare_rows(table, "class_label")[0]
    mock = table.copy()
    mock["true_nh"] = np.array(table["xl_nh"]) * 10**0.3
    numbers = expected_fits(rows, mock, "s", "made up")
    bias = {n.method: n.value for n in numbers
            if n.quantity == "mean difference, dex" and n.subset == "made up, fits > 1e21"}
    real = bias["real rows"]
    for way in ("significances as real", "significances and widths as real"):
        assert bias[f"simulated, {way}"] == pytest.approx(real, abs=0.01)
        assert bias[f"xl_nh - truth, simulated, {way}"] == pytest.approx(-0.3, abs=1e-6)
        assert bias[f"fit - truth, simulated, {way}"] == pytest.approx(-0.3 - real, abs=0.01)
    assert {n.section for n in numbers} == {"s"}
