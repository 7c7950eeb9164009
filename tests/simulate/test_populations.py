# Licensed under a 3-clause BSD style license - see LICENSE
"""Populations: truth, determinism, ranges, refusals."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import absorption_cross_section
from astro_xlatent.physics.bestfit import equivalent_column, power_law_fit
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH, N_ENERGY
from astro_xlatent.simulate.populations import CLASSES, FAMILIES, LITERATURE, TUNED, absorb, draw_sources

EVERY = np.repeat(np.arange(-1, len(CLASSES)), 40)


@pytest.fixture(scope="module")
def sources():
    return draw_sources(EVERY, np.random.default_rng(7))


def _power_law(gamma):
    return ENERGY_MID ** -np.asarray(gamma)[:, None] * ENERGY_WIDTH


def test_spectra_are_usable(sources):
    """Every spectrum is finite, non-negative, and has the promised flux."""
    assert sources.spectrum.shape == (EVERY.size, N_ENERGY)
    assert sources.spectrum.dtype == np.float32
    assert np.all(np.isfinite(sources.spectrum)) and np.all(sources.spectrum >= 0)
    band = (ENERGY_MID > 0.3) & (ENERGY_MID < 8.0)
    flux = sources.spectrum[:, band] @ ENERGY_MID[band] * 1.602176634e-9
    np.testing.assert_allclose(flux, 1e-13, rtol=1e-4)


def test_same_generator_same_sources():
    """The result depends on the seed alone, and differs between seeds."""
    first, again, other = (draw_sources(EVERY, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.spectrum, again.spectrum)
    for name in first.truth:
        np.testing.assert_array_equal(first.truth[name], again.truth[name])
    assert np.abs(first.spectrum - other.spectrum).max() > 0


def test_truth_is_complete(sources):
    """Columns and redshifts are known everywhere, families belong to the classes."""
    for name in ("nh", "nh_gal", "nh_int", "redshift", "flux_05_2", "flux_2_7", "flux_02_23"):
        assert np.all(np.isfinite(sources.truth[name])) and np.all(sources.truth[name] >= 0)
    families = {FAMILIES[k] for k in sources.truth["family"][sources.class_index == CLASSES.index("AGN")]}
    assert families == {"agn"}
    young = {FAMILIES[k] for k in sources.truth["family"][sources.class_index == CLASSES.index("YSO")]}
    assert young <= {"young_star", "embedded_young_star"} and young


def test_plain_screen_is_its_own_equivalent():
    """A z = 0 screen in front of a power law comes back, whatever the starting value."""
    gamma = np.linspace(0.5, 3.0, 9)
    nh = 10 ** np.linspace(20, 24, 9)
    spectrum = _power_law(gamma)
    sigma = absorption_cross_section()
    absorbed = spectrum * np.exp(-nh[:, None] * sigma)
    for start in (0.2 * nh, 4 * nh):
        found = equivalent_column(absorbed, spectrum, start)
        np.testing.assert_allclose(found, nh, rtol=0.01)


def test_screens_at_redshift_zero_are_exact():
    """For classes at z = 0 without leak, truth is the sum of the columns."""
    sources = draw_sources(np.full(60, CLASSES.index("HM-STAR")), np.random.default_rng(2))
    expected = sources.truth["nh_gal"] + sources.truth["nh_int"]
    np.testing.assert_allclose(sources.truth["nh"], expected, rtol=1e-12)


def test_redshifted_screen_matches_a_direct_minimisation():
    """The Newton solution agrees with a scan of the Cash statistic over column and tilt."""
    rng = np.random.default_rng(5)
    nh, z = 10 ** rng.uniform(21, 23.5, 4), rng.uniform(0.2, 2.5, 4)
    unabsorbed = _power_law(rng.uniform(1.4, 2.4, 4))
    data = absorb(unabsorbed, nh, z)
    found = equivalent_column(data, unabsorbed, nh / (1 + z) ** 2.5)
    band = slice(20, 790)
    area = np.interp(ENERGY_MID[band], (0.3, 0.5, 0.7, 1, 1.5, 1.8, 2.1, 3, 4, 5, 6, 7, 8),
                     (40, 100, 250, 500, 680, 600, 430, 390, 350, 290, 200, 100, 40))  # fmt: skip
    sigma, log_e = absorption_cross_section()[band], np.log(ENERGY_MID[band])
    for row in range(4):
        grid = found[row] * np.linspace(0.8, 1.2, 41)
        tilt = np.linspace(-0.5, 0.5, 201)
        q = data[row, band] * area
        q /= q.sum()
        base = np.log(unabsorbed[row, band] * area)
        eta = base - grid[:, None, None] * sigma + tilt[:, None] * log_e
        cash = np.log(np.exp(eta).sum(axis=-1)) - eta @ q
        best = np.unravel_index(np.argmin(cash), cash.shape)
        # area interpolated linearly here and in log-log there: a few per cent
        assert abs(grid[best[0]] / found[row] - 1) < 0.06


def test_leaking_source_has_the_column_of_what_dominates():
    """Compton-thick nuclei whose scattered light dominates 2-7 keV have the Galactic column."""
    little, much = (
        draw_sources(np.full(3000, CLASSES.index("AGN")), np.random.default_rng(11),
                     parameters={"AGN": {"scattered": share, "redshift": 0.4}}).truth
        for share in (0.003, 0.05))
    deep = (little["nh_int"] > 7e23) & (little["redshift"] < 0.2)
    np.testing.assert_array_equal(little["nh_int"], much["nh_int"])
    ratio = much["nh"][deep] / much["nh_gal"][deep]
    # Same nuclei, same draws: only where much light is scattered the Galactic column is left.
    assert np.all(little["nh"][deep] > 100 * little["nh_gal"][deep])
    scattered = ratio < 1.01
    assert 0 < scattered.sum() < deep.sum()
    np.testing.assert_allclose(much["nh"][deep][~scattered], little["nh"][deep][~scattered], rtol=0.01)


def test_generic_sources_belong_to_no_class():
    """Generic draws carry class -1 and cover columns over four decades."""
    sources = draw_sources(np.full(400, -1), np.random.default_rng(0))
    assert np.all(sources.class_index == -1)
    assert np.ptp(np.log10(sources.truth["nh"])) > 3


@pytest.mark.parametrize("wrong", [[9], [-2], [0.5], [[0, 1]]])
def test_unknown_classes_are_refused(wrong):
    """A class index outside the table, or no integer, is named with the allowed ones."""
    with pytest.raises(ParameterError, match="class_index"):
        draw_sources(wrong, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"AGN": {"obscured": 0.95}}, "0.15 to 0.6"),
        ({"AGN": {"nonsense": 1.0}}, "gamma_mean"),
        ({"QSO": {}}, "allowed: AGN"),
        ({"YSO": {"kt_hot": -1.0}}, "1.8 to 4.5"),
    ],
)
def test_bad_parameters_are_refused(given, message):
    """Values outside the literature's range are refused with the range."""
    with pytest.raises(ParameterError, match=message):
        draw_sources([0], np.random.default_rng(0), parameters=given)


def test_parameters_change_the_population():
    """More obscuration shifts the median column of active nuclei upwards."""
    index = np.zeros(600, int)

    def median_column(obscured):
        changed = {"AGN": {"obscured": obscured}}
        return np.median(draw_sources(index, np.random.default_rng(1), parameters=changed).truth["nh"])

    assert median_column(0.6) > 1.5 * median_column(0.15)


def test_tuning_stays_in_the_literature():
    """At most six parameters per class are tuned, each inside its range; initial values too."""
    assert all(len(values) <= 6 for values in TUNED.values())
    initial = {label: {name: row[0] for name, row in rows.items()} for label, rows in LITERATURE.items()}
    for parameters in (TUNED, initial):
        draw_sources(np.zeros(0, int), np.random.default_rng(0), parameters=parameters)


def test_power_law_fit_returns_what_was_put_in():
    """Absorbed power laws come back with their column and index, from one starting value."""
    gamma, nh = np.array([0.3, 1.4, 2.0, 3.0]), np.array([3e22, 1e21, 2e20, 8e21])
    sigma = absorption_cross_section()
    found_nh, found = power_law_fit(_power_law(gamma) * np.exp(-nh[:, None] * sigma))
    np.testing.assert_allclose(found, gamma, atol=0.02)
    np.testing.assert_allclose(found_nh, nh, rtol=0.02, atol=1e19)
