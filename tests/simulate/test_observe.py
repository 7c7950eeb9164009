# Licensed under a 3-clause BSD style license - see LICENSE
"""Observations: what is published, what the reader makes of it, expectations and merging."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent import load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.missions.csc import CSC
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.simulate.conditions import CONDITIONS, LITERATURE
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.simulate.observe import (
    BAND_COLUMNS,
    RECIPES,
    draw_apertures,
    merge_randomly,
    observe_spectra,
    read_published,
)
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.simulate.rows_csc import csc_band_columns, hardness
from astro_xlatent.train.stream import CHUNK, training_batch

SPECTRUM = (ENERGY_MID**-1.7 * ENERGY_WIDTH * 1e-5).astype(np.float32)
FIELDS = ("e_lo", "e_hi", "counts", "background", "background_error", "area", "resolution", "valid")


@pytest.fixture(scope="module")
def instruments():
    return {i.mission: i for i in default_instruments(years=[2010])}


def rows(instruments, mission, n, counts, seed=0):
    """Apertures of n rows of one power law."""
    spectra = np.repeat(SPECTRUM[None], n, axis=0)
    rng = np.random.default_rng(seed)
    return draw_apertures(spectra, instruments[mission], rng, (counts, counts * 1.001))


def observe_bands(spectra, instrument, rng, recipe, counts_range):
    """Catalog rows as the mission's reader turns them into bins, and their apertures."""
    seen = draw_apertures(spectra, instrument, rng, counts_range)
    return read_published(seen, recipe, rng), seen


def values(columns, stem):
    """A column of the bands s, m and h, shape (rows, 3)."""
    return np.stack([columns[stem + band][0] for band in "smh"], axis=1)


@pytest.mark.parametrize(("mission", "recipe"), [(m, r) for m in ("csc", "erosita") for r in RECIPES[m]])
def test_reader_and_trainer_make_the_same_bins(instruments, mission, recipe):
    """2,000 rows written as a catalog with units and read again are the bins that training takes."""
    seen = rows(instruments, mission, 2000, 40.0)
    trained = read_published(seen, recipe, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    columns = BAND_COLUMNS[mission](seen, rng)
    if mission == "csc":  # the same rows come without areas
        bare = rng.random(len(seen)) < LITERATURE["csc"]["no_areas"][0]
        for name in ("area_aper", "psf_frac_aper_s", "psf_frac_aper_m", "psf_frac_aper_h"):
            columns[name] = (np.where(bare, np.nan, columns[name][0]), *columns[name][1:])
    table = Table({name: column[0] for name, column in columns.items()},
                  units={name: column[1] for name, column in columns.items()})
    if recipe == "PSF-fitted counts":
        table.remove_columns([name for name in table.colnames if name.startswith("APE_")])
    reader = CSC(recipes=(recipe,)) if mission == "csc" else get_mission(mission)
    read = reader.read_bands(table)
    assert recipe in set(read.recipe)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(trained, name), getattr(read.bins, name), rtol=1e-12, err_msg=name)


def test_limits_hold_aperture_and_background_once(instruments):
    """Half-widths are about 1.12 sqrt(counts + scaled background noise), over the fraction for net counts."""
    seen = rows(instruments, "csc", 2000, 1000.0)
    columns = csc_band_columns(seen, np.random.default_rng(1))
    counts, off = values(columns, "cnts_aper_"), values(columns, "cnts_aperbkg_")
    noise = np.sqrt(counts + seen.scale[:, None] ** 2 * off) / values(columns, "psf_frac_aper_")
    half = 0.5 * (values(columns, "src_cnts_aper_hilim_") - values(columns, "src_cnts_aper_lolim_"))
    assert np.median(half / noise) == pytest.approx(1.12, abs=0.01)
    for stem in ("src_cnts", "photflux", "flux"):
        low, value, high = (values(columns, f"{stem}_aper_{part}") for part in ("lolim_", "", "hilim_"))
        seen_flux = np.isfinite(value)
        assert np.all((low <= value * (1 + 1e-12)) & (value < high) & (low >= 0), where=seen_flux)


def test_photon_flux_is_an_area_at_one_energy(instruments):
    """Net counts over photon flux do not depend on the spectrum; energy flux over photon flux does."""
    rng = np.random.default_rng(2)
    item, ratios, energies = instruments["csc"], [], []
    for slope in (-1.0, -3.0):
        spectra = np.repeat((ENERGY_MID**slope * ENERGY_WIDTH)[None], 300, axis=0).astype(np.float32)
        seen = draw_apertures(spectra, item, rng, (3e3, 3.01e3), np.zeros(300))
        columns = csc_band_columns(seen, rng)
        net = values(columns, "src_cnts_aper_") * values(columns, "psf_frac_aper_")
        ratios.append(np.nanmedian(net / values(columns, "photflux_aper_") / seen.exposure[:, None], axis=0))
        energy = values(columns, "flux_aper_") / values(columns, "photflux_aper_")
        energies.append(np.nanmedian(energy, axis=0))
    np.testing.assert_allclose(ratios[0], item.mono[:3], rtol=1e-6)
    np.testing.assert_allclose(ratios[1], item.mono[:3], rtol=1e-6)
    assert energies[0][2] > 1.1 * energies[1][2]


def test_zero_has_the_limit_of_an_exponential(instruments):
    """Without counts or background the upper limit is that of zero counts at 68 %."""
    seen = rows(instruments, "csc", 3000, 4.0)
    columns = csc_band_columns(seen, np.random.default_rng(1))
    background = seen.scale[:, None] * values(columns, "cnts_aperbkg_")
    empty = (values(columns, "cnts_aper_") == 0) & (background < 0.01)
    limit = values(columns, "src_cnts_aper_hilim_") * values(columns, "psf_frac_aper_")
    assert empty.sum() > 200
    assert np.median(limit[empty]) == pytest.approx(-np.log(1 - 0.68), rel=0.02)


def test_hardness_of_photon_fluxes():
    """Hardness ratios of simple numbers, with limits that enclose them."""
    columns = {f"photflux_aper_{part}{b}": (np.array([v + d]),) for b, v in (("h", 1.0), ("s", 4.0))
               for part, d in (("", 0.0), ("lolim_", -0.1), ("hilim_", 0.1))}
    ratio, low, high = hardness(columns, "h", "s")
    assert ratio[0] == pytest.approx(-0.6)
    assert -1 <= low[0] < ratio[0] < high[0] <= 1


@pytest.mark.parametrize("recipe", RECIPES["csc"])
def test_bright_rows_come_back(instruments, recipe):
    """Areas read out of bright rows are the band's mean area; energy fluxes those of the spectrum."""
    item = instruments["csc"]
    bins, seen = observe_bands(np.repeat(SPECTRUM[None], 400, axis=0), item, np.random.default_rng(0), recipe,
                               (3e4, 3.001e4))
    assert bins.valid.all() and bins.energy_weighted.all() == (recipe == "energy flux")
    if recipe == "energy flux":
        found = (bins.counts - bins.background) / (bins.unfolded_weights() @ SPECTRUM)
        # redistribution left out
        np.testing.assert_allclose(np.median(found, axis=0), 1.0, rtol=0.13)
        return
    member = seen.member(CSC.bands)
    width = np.diff(item.band_edges)
    mean = (seen.area * width) @ member / (width @ member)
    # limits of bright rows are wider than the 1.12 that the reader grants to all
    np.testing.assert_allclose(np.median(bins.area / mean, axis=0), 1.0, rtol=0.06)


def test_off_axis_rows_lose_hard_photons_and_gain_background(instruments):
    """Areas follow the shipped vignetting; larger apertures hold more background."""
    item, n, rng = instruments["csc"], 400, np.random.default_rng(3)
    spectra = np.repeat(SPECTRUM[None], n, axis=0)
    near, far = (draw_apertures(spectra, item, rng, (100, 100.1), np.full(n, a)) for a in (5.0, 12.0))
    lost = (far.area / far.exposure[:, None])[0] / (near.area / near.exposure[:, None])[0]
    curve = load_curve("acis-s-front")
    expected = curve.area(5.25, 2010.0, 12.0) / curve.area(5.25, 2010.0, 5.0)
    assert lost[17] == pytest.approx(expected, rel=0.02) and lost[17] < 0.98 * lost[5]
    assert np.median(far.background.sum(axis=1)) > 5 * np.median(near.background.sum(axis=1))


def test_faint_modes_are_published_as_zero(instruments):
    """No flux between zero and half of its noise is published."""
    seen = rows(instruments, "csc", 2000, 6.0)
    columns = csc_band_columns(seen, np.random.default_rng(1))
    net, high = (values(columns, f"src_cnts_aper_{part}") for part in ("", "hilim_"))
    assert (net == 0).mean() > 0.2
    assert np.all(net[net > 0] > 0.5 * (high - net)[net > 0])


def test_fluxes_of_erosita_bands_are_those_of_the_spectrum(instruments):
    """One mean area a band, whatever the source's spectrum, costs the flux of no class more than 20 %."""
    rng = np.random.default_rng(1)
    sources = draw_sources(np.repeat(np.arange(len(CLASSES)), 24), rng)
    bins, _ = observe_bands(sources.spectrum, instruments["erosita"], rng, "aperture counts", (2e3, 2.1e3))
    flux = load_model().infer(bins).flux
    for band in ("05_2", "2_7", "02_23"):
        error = np.log10(flux[band][:, 1] / sources.truth[f"flux_{band}"]).reshape(len(CLASSES), -1)
        assert np.all(np.abs(np.median(error, axis=1)) < 0.08)


def test_erosita_bands(instruments):
    """Five bands, whole counts, the mean as folded."""
    seen = rows(instruments, "erosita", 300, 3e3)
    bins = read_published(seen, "aperture counts", np.random.default_rng(1))
    rate = instruments["erosita"].band_matrix @ SPECTRUM
    assert np.all(bins.counts == np.round(bins.counts))
    net = (bins.counts - bins.background).mean(axis=0)
    np.testing.assert_allclose(net, 3e3 * rate / rate.sum(), rtol=0.05, atol=40)


def test_batches_depend_on_their_counter_alone(instruments):
    """The same counter gives the same batch, another one another; seeing changes bins, not sources."""
    items = list(instruments.values())
    first, again, other = (training_batch(5, counter, items) for counter in (3, 3, 4))
    for (bins, sources), (same, _), (unlike, _) in zip(first, again, other, strict=True):
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(bins, name), getattr(same, name))
        assert np.any(bins.counts != unlike.counts)
        assert np.isfinite(sources.truth["nh"]).all()
    seen = training_batch(5, 3, items, see=lambda spectra, item: spectra * (ENERGY_MID > 2.0))
    np.testing.assert_array_equal(seen[0][1].spectrum, first[0][1].spectrum)
    assert np.median(seen[0][0].counts[:, 0]) < np.median(first[0][0].counts[:, 0])
    assert CHUNK >= 16


def test_conditions_are_within_their_ranges():
    """Every value lies in its range and names a reference; apertures of mock catalogs are the same."""
    for parameters in LITERATURE.values():
        for name, (value, low, high, _, reference) in parameters.items():
            assert low <= value <= high, name
            assert reference in "ABCDE"
    assert CONDITIONS["csc"].aperture_fraction == LITERATURE["csc"]["fraction"][0]


def test_spectra_are_poisson(instruments):
    """Counts scatter about source and true background as Poisson numbers do."""
    spectra = np.repeat(SPECTRUM[None], 300, axis=0)
    item = instruments["csc"]
    bins, truth = observe_spectra(spectra, item, np.random.default_rng(3), (500, 500))
    expected = (spectra @ item.matrix.T) * truth["seconds"][:, None] + truth["expected_background"]
    chi = (bins.counts - expected) / np.sqrt(np.maximum(expected, 1e-9))
    good = expected > 2
    assert abs(chi[good].mean()) < 0.03
    assert chi[good].var() == pytest.approx(1.0, abs=0.05)


def test_merging_loses_nothing(instruments):
    """Random merges keep counts, background and area times width, in 3 bins or more."""
    spectra = np.repeat(SPECTRUM[None], 50, axis=0)
    rng = np.random.default_rng(4)
    bins, _ = observe_spectra(spectra, instruments["xmm"], rng, (100, 1000))
    merged = merge_randomly(bins, rng, 20)
    for field in ("counts", "background"):
        before = np.where(bins.valid, getattr(bins, field), 0).sum(axis=1)
        after = np.where(merged.valid, getattr(merged, field), 0).sum(axis=1)
        np.testing.assert_allclose(after, before)
    number = merged.valid.sum(axis=1)
    assert number.min() >= 2 and number.max() <= 20 and np.unique(number).size > 5
