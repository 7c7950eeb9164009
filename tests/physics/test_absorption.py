# Licensed under a 3-clause BSD style license - see LICENSE
"""Absorption against the yardstick curve, refits and the laws it must obey."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn
from numpy.testing import assert_allclose

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import (
    CONVENTIONS,
    absorption_cross_section,
    bin_cross_section,
    convert_nh,
    element_cross_section,
    transmission,
)
from astro_xlatent.physics.abundances import ABUNDANCE_SETS, abundance_vector
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

# measured ratio of this package's cross section to tbabs, per band (keV)
MEASURED_RATIO = {
    (0.13, 0.2): 1.002,
    (0.2, 0.28): 0.996,
    (0.3, 0.4): 0.994,
    (0.4, 0.52): 0.991,
    (0.52, 0.56): 0.917,
    (0.56, 0.7): 1.003,
    (0.72, 0.85): 0.994,
    (0.88, 1.8): 1.009,
    (1.9, 4.0): 1.011,
    (4.0, 7.0): 1.006,
    (7.2, 12.0): 0.996,
}


@pytest.fixture(scope="module")
def yardstick(shared_data):
    """Energies and cross sections of tbabs."""
    with np.load(shared_data / "physics" / "tbabs_wilms_sigma.npz", allow_pickle=False) as table:
        return table["energy_keV"], table["sigma_cm2_per_H"]


@pytest.mark.parametrize("band", MEASURED_RATIO)
def test_yardstick(yardstick, band):
    """The curve differs from tbabs by what the docstring states."""
    energy, sigma = yardstick
    inside = (energy > band[0]) & (energy < band[1])
    ratio = absorption_cross_section(energy[inside]) / sigma[inside]
    assert_allclose(ratio.mean(), MEASURED_RATIO[band], atol=0.002)


def test_transmission_against_yardstick(yardstick):
    """At any column the transmitted power-law flux above 0.3 keV agrees within 0.6 per cent."""
    sigma = yardstick[1].reshape(-1, 5).mean(axis=1)
    use = ENERGY_MID > 0.3
    nh = np.array([1e20, 1e21, 1e22, 1e23])[:, None]
    spectrum = ENERGY_MID**-1.7
    ours = (spectrum * transmission(nh[:, 0]))[:, use].sum(axis=1)
    theirs = (spectrum * np.exp(-nh * sigma))[:, use].sum(axis=1)
    assert_allclose(ours, theirs, rtol=6e-3)


def test_hydrogen():
    """Hydrogen agrees with the fit of Verner et al. 1996 (ApJ 465, 487) within its 1-2 per cent."""
    energy = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
    y = energy * 1e3 / 0.4298
    verner = 5.475e-14 * (y - 1) ** 2 * y ** (0.5 * 2.963 - 5.5) * (1 + np.sqrt(y / 32.88)) ** -2.963
    assert_allclose(element_cross_section("H", energy), verner, rtol=0.02)


def test_cross_section_is_the_sum_of_its_elements():
    """Weighted by abundance the elements add up to the phabs curve."""
    for name in ABUNDANCE_SETS:
        elements = [e for e, a in ABUNDANCE_SETS["wilm"].items() if a > 0]
        weights = dict(zip(elements, abundance_vector(name, elements), strict=True))
        total = sum(weight * element_cross_section(element) for element, weight in weights.items())
        assert_allclose(total, absorption_cross_section(convention=f"phabs/{name}"), rtol=1e-3)


def test_bin_average_is_the_integral():
    """Bin averages equal numerical integrals of the curve, at rest and at redshift."""
    edges = np.array([0.3, 0.31, 0.54, 0.55, 2.0, 7.0])
    for redshift in (0.0, 2.3):
        expected = []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            fine = np.linspace(low, high, 20001) * (1 + redshift)
            expected.append(absorption_cross_section(fine).mean())
        assert_allclose(bin_cross_section(edges, redshift), expected, rtol=2e-3)


def test_rest_and_redshift_paths_agree():
    """A batch with some sources at z = 0 treats these as the batch without redshift does."""
    assert_allclose(transmission([1e21, 1e22], [0.0, 1.0])[0], transmission(1e21), rtol=1e-12)


def test_transmission_laws():
    """Columns add, transmission falls with column and grows with redshift, and is one at zero."""
    assert_allclose(transmission(3e21) * transmission(7e21), transmission(1e22), rtol=1e-9)
    grid = transmission(np.geomspace(1e19, 1e25, 50))
    assert np.all(np.diff(grid, axis=0) <= 0)
    assert np.all((grid >= 0) & (grid <= 1))
    assert np.all(transmission(0.0) == 1)
    soft = transmission(1e22, [0.0, 0.5, 3.0])[:, ENERGY_MID < 0.4]
    assert np.all(np.diff(soft, axis=0) >= 0)


def test_shapes():
    """Parameters broadcast and the energy axis comes last."""
    assert transmission(1e21).shape == (1190,)
    assert transmission(np.full((3, 1), 1e21), np.zeros(4)).shape == (3, 4, 1190)
    assert transmission([]).shape == (0, 1190)
    assert absorption_cross_section(np.ones((2, 3))).shape == (2, 3)


def test_units():
    """Quantities are converted, wrong units refused."""
    assert_allclose(transmission(1e25 * u.m**-2), transmission(1e21))
    assert_allclose(absorption_cross_section(500 * u.eV), absorption_cross_section(0.5))
    with pytest.raises(ParameterError, match="nh must be numbers cm-2 from 0 to 1e"):
        transmission(3 * u.keV)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transmission(-1e21), r"nh = -1e\+21 cm-2 is not allowed.*0 to 1e\+26"),
        (lambda: transmission([1e21, np.nan]), r"nh = nan cm-2.*1 of 2 values"),
        (lambda: transmission(1e21, -0.1), r"redshift = -0.1 is not allowed.*0 to 15"),
        (lambda: absorption_cross_section(0.05), r"energy_kev = 0.05 keV.*0.1 to 300"),
        (lambda: transmission(1e21, convention="tbabs/x"), r"unknown absorption convention 'tbabs/x'.*wilm"),
        (lambda: element_cross_section("U"), r"no cross section of element 'U'"),
        (lambda: convert_nh(-1.0, "tbabs/wilm", "phabs/angr"), r"nh = -1 cm-2"),
        (lambda: convert_nh(1e21, "tbabs/wilm", "wabs"), r"unknown absorption convention 'wabs'"),
    ],
)
def test_refusals(call, message):
    """Errors name the parameter, the value and the allowed range."""
    with pytest.raises(ParameterError, match=message):
        call()


def test_convert_nh_anchors():
    """The catalog's phabs columns lie below tbabs/wilm by the published amounts."""
    nh = np.array([1e21, 5e21, 2e22, 1e23])
    shift = np.log10(convert_nh(nh, "tbabs/wilm", "phabs/angr") / nh)
    assert_allclose(shift, [-0.08, -0.12, -0.16, -0.19], atol=0.002)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_convert_nh_is_invertible(convention):
    """There and back is the identity, and the map rises, between any two conventions."""
    nh = np.geomspace(1e18, 1e25, 500)
    for other in CONVENTIONS:
        there = convert_nh(nh, convention, other)
        assert np.all(np.diff(there) > 0)
        assert_allclose(convert_nh(there, other, convention), nh, rtol=1e-12)


def _refit(nh, true, fitted, index=1.7):
    # independent of tools/build_nh_table.py: another area, another minimiser, scipy's Poisson deviance
    from scipy.optimize import minimize
    from scipy.special import kl_div

    band = (ENERGY_MID > 0.5) & (ENERGY_MID < 7)
    energy = ENERGY_MID[band]
    area = 500 * np.exp(-0.5 * (np.log(energy / 1.6) / 0.8) ** 2)
    data = area * energy**-index * np.exp(-nh * true[band])
    data *= 1000 / data.sum()

    def cash(parameters):
        model = area * energy ** -parameters[0] * np.exp(-(10 ** parameters[1]) * fitted[band])
        return kl_div(data, model * data.sum() / model.sum()).sum()

    start = [[index, np.log10(nh)], [index + 0.2, np.log10(nh)], [index, np.log10(nh) - 0.2]]
    options = {"initial_simplex": start, "xatol": 1e-5, "fatol": 1e-9}
    return minimize(cash, start[0], method="Nelder-Mead", options=options).x[1] - np.log10(nh)


@pytest.mark.parametrize("convention", ["tbabs/angr", "tbabs/aspl", "phabs/angr"])
def test_convert_nh_against_refits(convention):
    """Refits with the other cross section find the tabulated shift (phabs: its own curve differs)."""
    fitted = bin_cross_section(convention=convention)
    for nh in (1e21, 5e21, 2e22, 1e23):
        shift = np.log10(convert_nh(nh, "tbabs/wilm", convention) / nh)
        tolerance = 0.035 if convention.startswith("phabs") else 0.015
        assert_allclose(_refit(nh, bin_cross_section(), fitted), shift, atol=tolerance)


def test_refit_reproduces_the_anchors_with_the_yardstick(yardstick):
    """True tbabs fitted with our phabs/angr gives the anchors within 0.03 dex."""
    true = yardstick[1].reshape(-1, 5).mean(axis=1)
    fitted = bin_cross_section(convention="phabs/angr")
    shifts = [_refit(nh, true, fitted) for nh in (1e21, 5e21, 2e22, 1e23)]
    assert_allclose(shifts, [-0.08, -0.12, -0.16, -0.19], atol=0.03)


def test_convert_nh_keeps_types():
    """Quantities, masked columns, NaN and zero come back as what they were."""
    there = convert_nh([10.0, 20.0] * u.Unit("1e20 cm-2"), "phabs/angr", "tbabs/wilm")
    assert there.unit == u.Unit("1e20 cm-2")
    assert_allclose(there.value, convert_nh([1e21, 2e21], "phabs/angr", "tbabs/wilm") / 1e20)
    column = MaskedColumn([10.0, 20.0, 0.0], mask=[False, True, False], unit="1e20 cm-2")
    converted = convert_nh(column, "phabs/angr", "tbabs/wilm")
    assert converted.mask.tolist() == [False, True, False]
    assert_allclose(converted[0], there.value[0])
    assert converted[2] == 0
    assert np.isnan(convert_nh(np.nan, "phabs/angr", "tbabs/wilm"))


def test_edges_of_the_grid_are_inside_the_table():
    """The whole incident grid can be absorbed at the largest redshift."""
    assert np.all(np.isfinite(bin_cross_section(ENERGY_EDGES, 15.0)))
