# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows without uncertainties, and rows with hardness ratios alone: what the better columns say comes out."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from astro_xlatent import add_latents
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._one_exposure import complete, exposure_of_ratios, shape_of_ratios
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.csc import CSC
from astro_xlatent.missions.erosita import EROSITA
from astro_xlatent.missions.responses import conversion_factor
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.table.files import read_table
from benchmarks.recipes import compare, only, real_rows, simulated_rows

PAIRS = [(2, 1), (2, 0), (1, 0)]


def ratios_of(values, pairs=PAIRS):
    """Hardness ratios, shape (rows, pairs)."""
    return np.stack([(values[:, x] - values[:, y]) / (values[:, x] + values[:, y]) for x, y in pairs], axis=1)


def test_ratios_give_the_shape_back():
    """Also with one ratio missing, with a band of zero, and rounded as the catalog does."""
    values = np.array([[1.0, 2.0, 3.0], [1.0, 0.0, 4.0], [5.0, 1.0, 1.0]])
    ratios = np.clip(ratios_of(values), -0.9994, 0.9994)
    ratios[2, 0] = np.nan
    assert_allclose(shape_of_ratios(PAIRS, ratios, 3), values / values.sum(axis=1, keepdims=True), atol=1e-3)


def test_ratios_that_fix_no_shape():
    """None at all; a zero in the middle of a chain; a ratio beyond one."""
    ratios = np.array([[np.nan] * 3, [0.9994, np.nan, -0.9994], [3.0, -2.0, np.nan]])
    assert np.isnan(shape_of_ratios(PAIRS, ratios, 3)).all()
    one = shape_of_ratios(PAIRS, np.array([[0.5, np.nan, np.nan]]), 3)
    assert_allclose(one, [[np.nan, 0.25, 0.75]])


def test_exposure_of_ratios_is_that_of_the_noise():
    """Half-widths by propagation of 1.12 / sqrt(N) give the exposure back."""
    values, conversion, exposure = np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 1.0, 0.5]]), 70.0
    sigma = 1.12 * values / np.sqrt(values * conversion * exposure)
    half = np.stack([2 * np.hypot(values[:, x] * sigma[:, y], values[:, y] * sigma[:, x])
                     / (values[:, x] + values[:, y]) ** 2 for x, y in PAIRS], axis=1)
    assert_allclose(exposure_of_ratios(PAIRS, half, values, conversion), exposure)


def test_completed_bands_share_the_exposure_of_the_others():
    """A band without an uncertainty, and one whose counts alone are known; nothing published changes."""
    conversion, exposure = np.array([2.0, 1.0, 0.5]), 100.0
    value = np.array([[0.1, 0.2, 0.4], [0.1, np.nan, 0.0]])
    counts = np.array([[20.0, 20.0, np.nan], [20.0, 0.0, 0.0]])
    area = np.array([[200.0, 100.0, np.nan], [200.0, 0.0, np.nan]])
    cause = np.array([[0, 0, 3], [0, 1, 3]])
    net = np.array([[np.nan] * 3, [20.0, 5.0, 0.0]])
    n, a, why, flags = complete(value, counts, area, cause, conversion=conversion, scale=1.0, net=net)
    assert_allclose(n, [[20, 20, 20], [20, 5, 0]])
    assert_allclose(a, np.broadcast_to(conversion * exposure, (2, 3)))
    assert not why.any()
    assert ((flags & Flag.ERRORS_ASSUMED) > 0).tolist() == [[False, False, True], [False, False, True]]


def csc_values(**extra):
    """Energy fluxes without limits."""
    table = Table({f"flux_aper_{b}": [v] for b, v in zip("smh", (1e-14, 1.2e-14, 3e-14), strict=True)})
    for name, value in extra.items():
        table[name] = [value]
    return table


def test_relative_error_is_granted_only_on_request(random_model):
    """Without it the row is masked and says the ways out; with it every flux has that error."""
    table = csc_values()
    bare = add_latents(table, model=random_model)
    assert "relative_error" in bare["xl_reason"][0] and bare["xl_flag"][0] & Flag.NO_DATA
    given = add_latents(table, model=random_model, relative_error=0.112)
    assert given["xl_flag"][0] & Flag.ERRORS_ASSUMED and not given["xl_flag"][0] & Flag.NO_DATA
    mission = CSC()
    mission.relative_error = 0.112
    assert_allclose(mission.read_bands(table).bins.counts, 100.0)
    better = add_latents(csc_values(significance=10.0), model=random_model, relative_error=0.9)
    same = add_latents(csc_values(significance=10.0), model=random_model)
    assert_allclose(better["xl_latent"], same["xl_latent"])
    with pytest.raises(ParameterError, match="relative_error must lie between 0 and 1"):
        add_latents(table, model=random_model, relative_error=20)


def test_significance_is_that_of_all_bands_together():
    """Counts of the bands add up to those of the significance; beside an observation it is another's."""
    result = CSC().read_bands(csc_values(significance=10.0))
    assert_allclose(result.bins.counts.sum(), 125.44, rtol=1e-6)
    assert CSC().read_bands(csc_values(significance=10.0, obsid=4)).flags[0] & Flag.NO_DATA


def test_erosita_fluxes():
    """Fluxes with errors by the catalog's conversion factors; published factors within 4 %."""
    bands = EROSITA.bands
    photons = powerlaw(2.0) * transmission(3e20)
    factor = conversion_factor("erosita", [b[1:] for b in bands], photons)
    assert_allclose(factor, [9.22e11, 1.359e12, 1.014e12, 1.613e11, 2.776e10], rtol=0.04)
    counts = np.array([20.0, 40.0, 50.0, 10.0, 5.0])
    values = counts / 150 / factor
    fluxes = Table({f"ML_FLUX_{b}": [value] for (b, _, _), value in zip(bands, values, strict=True)})
    rates = Table({f"ML_RATE_{b}": [n / 150] for (b, _, _), n in zip(bands, counts, strict=True)})
    for (b, _, _), n in zip(bands, counts, strict=True):
        fluxes[f"ML_FLUX_ERR_{b}"] = fluxes[f"ML_FLUX_{b}"] / np.sqrt(n)
        rates[f"ML_RATE_ERR_{b}"], rates[f"ML_EXP_{b}"] = rates[f"ML_RATE_{b}"] / np.sqrt(n), 150.0
    one, two = EROSITA().read_bands(fluxes).bins, EROSITA().read_bands(rates).bins
    assert_allclose(one.counts, two.counts)
    assert_allclose(one.area, two.area, rtol=1e-6)


@pytest.mark.parametrize("kind", ["real", "simulated"])
def test_recipes_agree(kind, request):
    """Latents of hardness ratios and of fluxes without errors are those of the better recipe."""
    from astro_xlatent.model.pretrained import load_model

    if kind == "real":
        table = real_rows(request.getfixturevalue("shared_data"), 400)
    else:
        table = simulated_rows(300)
    for (_, other), (rows, within, bias, errors) in compare(table, load_model()).items():
        assert rows > 100 and within > 0.68, other
        assert abs(bias) < 0.3 and 0.9 < errors < 1.1, other


def test_one_table_is_read_in_one_way():
    """An undetected band without an energy flux does not send the row to another recipe."""
    table = simulated_rows(400)
    result = CSC().read_bands(only(table, "energy flux"))
    assert (~result.bins.valid).any()
    for name in ("src_cnts_aper", "photflux_aper"):
        more = only(table, "energy flux")
        for b in "smh":
            more[f"{name}_{b}"] = table[f"{name}_{b}"]
        whole = CSC(recipes=("energy flux",)).read_bands(more)
        assert whole.bins.valid.all() and set(whole.recipe) == {"energy flux"}
        assert_allclose(whole.bins.counts[result.bins.valid], result.bins.counts[result.bins.valid])


def test_real_tables_without_limits_are_used(shared_data):
    """Nine in ten rows of master tables in two spellings, and of CSCview's hardness ratios."""
    for name, share, flag in (("csc20/csc20_master_agn.csv.gz", 0.99, Flag.ERRORS_ASSUMED),
                              ("csc20/csc20_master_vizier_labelled.csv.gz", 0.98, Flag.ERRORS_ASSUMED),
                              ("tables/csc2_example.xml", 0.97, Flag.FROM_HARDNESS)):
        table = read_table(shared_data / name)
        result = identify_mission(table).read_bands(table)
        used = result.bins.valid.any(axis=1)
        assert used.mean() > share
        assert np.mean((result.flags[used] & flag) > 0) > 0.99
