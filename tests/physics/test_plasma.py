# Licensed under a 3-clause BSD style license - see LICENSE
"""The collisional plasma against its source tables, the anchors and its laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.abundances import ABUNDANCE_SETS, ELEMENTS, abundance_vector
from astro_xlatent.physics.grid import ENERGY_MID, N_ENERGY
from astro_xlatent.physics.plasma import FREE_METALS, PLASMA_KT_RANGE, plasma
from benchmarks.physics_anchors import band_fluxes


@pytest.fixture(scope="module")
def components(shared_data):
    """Temperatures and emissivity of every element, (25, 30, 1190), times 1e14."""
    with np.load(shared_data / "physics" / "apec309_components.npz", allow_pickle=False) as table:
        return table["kT_keV"], 1e14 * (table["line"].astype(float) + table["continuum"])


@pytest.mark.parametrize("name", ABUNDANCE_SETS)
def test_nodes_are_the_source_tables(components, name):
    """At the tabulated temperatures nothing is lost, whichever the abundance set."""
    kt, emissivity = components
    ratio = abundance_vector(name) / abundance_vector("angr")
    for i in range(0, 25, 4):
        expected = ratio @ emissivity[i]
        found = plasma(np.clip(kt[i], *PLASMA_KT_RANGE), abundances=name)
        bright = expected > 1e-5 * expected.max()
        assert_allclose(found[bright], expected[bright], rtol=3e-3)
        assert_allclose(band_fluxes(found), band_fluxes(expected), rtol=1e-4)


def test_free_abundances(components):
    """Single elements and metals together scale as asked, traces stay."""
    kt, emissivity = components
    ratio = abundance_vector("wilm") / abundance_vector("angr")
    factor = np.array([{"Fe": 0.2, "O": 3.0}.get(e, 0.5 if e in FREE_METALS else 1.0) for e in ELEMENTS])
    expected = (factor * ratio) @ emissivity[12]
    found = plasma(kt[12], {"metals": 0.5, "Fe": 0.2, "O": 3.0})
    assert_allclose(band_fluxes(found), band_fluxes(expected), rtol=1e-4)
    assert_allclose(plasma(1.0, {"metals": 0.3}), plasma(1.0, 0.3))
    assert_allclose(plasma(1.0, {}), plasma(1.0))
    assert_allclose(plasma(1.0, dict.fromkeys(FREE_METALS, 0.3)), plasma(1.0, 0.3), rtol=1e-4, atol=1e-12)


ANCHORS = [
    (0.1, 1.0, "wilm", [5.147722e-01, 3.411418e-10, 1.123868e-10, 2.193811e-17]),
    (0.2, 1.0, "wilm", [1.488790e00, 1.208440e-09, 7.866774e-10, 1.624016e-13]),
    (0.5, 1.0, "wilm", [1.619807e00, 1.874922e-09, 1.671939e-09, 2.375029e-11]),
    (1.0, 1.0, "wilm", [1.345071e00, 1.707467e-09, 1.530204e-09, 1.556854e-10]),
    (1.0, 0.3, "wilm", [7.324543e-01, 8.463323e-10, 7.039485e-10, 9.588943e-11]),
    (3.0, 0.3, "wilm", [6.565245e-01, 6.909180e-10, 5.657373e-10, 5.420980e-10]),
    (8.0, 0.3, "wilm", [6.602447e-01, 6.421231e-10, 5.395171e-10, 1.092990e-09]),
    (1.0, 0.3, "angr", [9.198935e-01, 1.111471e-09, 9.594179e-10, 1.115775e-10]),
    (5.0, 0.3, "angr", [6.877310e-01, 6.952007e-10, 5.795674e-10, 8.931894e-10]),
]


@pytest.mark.parametrize(("kt", "metals", "name", "fluxes"), ANCHORS)
def test_anchors_with_linear_interpolation(components, kt, metals, name, fluxes):
    """Interpolated linearly in kT, as XSPEC does, the published fluxes come out to 0.6 per cent."""
    nodes = components[0]
    i = np.searchsorted(nodes, kt) - 1
    t = (kt - nodes[i]) / (nodes[i + 1] - nodes[i])
    low, high = plasma(nodes[i : i + 2], metals, abundances=name)
    assert_allclose(band_fluxes((1 - t) * low + t * high), fluxes, rtol=6e-3)


@pytest.mark.parametrize(("kt", "metals", "name", "fluxes"), ANCHORS[2:])
def test_anchors(kt, metals, name, fluxes):
    """Smooth in log kT, all bands agree to 1 per cent from 0.5 keV up (0.5 keV above 2 keV: 4)."""
    tolerance = np.array([0.01, 0.01, 0.01, 0.04 if kt == 0.5 else 0.01])
    difference = band_fluxes(plasma(kt, metals, abundances=name)) / fluxes - 1
    assert np.all(np.abs(difference) < tolerance), difference


def test_interpolation_error(components):
    """A spline through every second temperature misses the left-out ones by less than 3 per cent."""
    from scipy.interpolate import CubicSpline

    kt, emissivity = components
    ratio = abundance_vector("wilm") / abundance_vector("angr")
    boltzmann = ENERGY_MID / kt[:, None]
    found, odd = 0.0, np.arange(12) + 0.5
    for weight, element in zip(ratio[ratio > 0], emissivity[:, ratio > 0].swapaxes(0, 1), strict=True):
        log_value = np.log(np.maximum(element, 1e-6 * element.max(axis=0)) + 1e-30) + boltzmann
        found = found + weight * np.exp(CubicSpline(np.arange(13), log_value[::2])(odd) - boltzmann[1::2])
    error = np.abs(band_fluxes(found)[:, 2] / band_fluxes(ratio @ emissivity[1::2])[:, 2] - 1)
    # twice the spacing means sixteen times the error of a cubic spline
    assert error[1:-1].max() < 0.03
    assert error[6:].max() < 0.01


def test_redshift():
    """Photons fall by 1 + z, lines move, and nothing else is lost."""
    rest, moved = plasma(4.0, 0.5, [0.0, 0.4])
    energy = ENERGY_MID
    inside = (energy > 1.4 * 0.5) & (energy < 1.4 * 7.0)
    seen = (energy > 0.5) & (energy < 7.0)
    assert_allclose(moved[seen].sum() * 1.4, rest[inside].sum(), rtol=2e-3)
    iron = (energy > 6.5 / 1.4) & (energy < 6.85 / 1.4)
    assert_allclose(energy[iron][np.argmax(moved[iron])], 6.69 / 1.4, atol=0.02)
    assert_allclose(plasma([1.0, 1.0], 0.3, [0.0, 1.0])[0], plasma(1.0, 0.3), rtol=1e-6)


def test_tail_above_the_table():
    """Redshifted beyond 12 keV the spectrum goes on smoothly, within 3 % of bremsstrahlung's shape."""
    from astro_xlatent.physics.emission import bremsstrahlung

    moved = plasma(10.0, 0.0, 2.0)
    shape = bremsstrahlung(10.0, 2.0)
    ratio = moved / shape
    assert_allclose(ratio[400:], ratio[380], rtol=0.03)


def test_shapes_and_laws():
    """Broadcasting works, fluxes are finite, positive and linear in the metals."""
    assert plasma(np.ones((2, 1)), np.full(3, 0.3)).shape == (2, 3, N_ENERGY)
    assert plasma([]).shape == (0, N_ENERGY)
    kt = np.geomspace(*PLASMA_KT_RANGE, 200)
    spectra = plasma(np.clip(kt, *PLASMA_KT_RANGE), 0.3)
    assert np.all(np.isfinite(spectra))
    assert np.all(spectra >= 0)
    assert_allclose(plasma(2.0, 0.4), 0.6 * plasma(2.0, 0.0) + 0.4 * plasma(2.0, 1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plasma(0.01), r"kt = 0.01 keV is not allowed.*0.06845.* to 17.19"),
        (lambda: plasma(20.0), r"kt = 20 keV"),
        (lambda: plasma(np.nan), r"kt = nan keV"),
        (lambda: plasma(1.0, -0.3), r"abundance = -0.3 is not allowed.*0 to 1000"),
        (lambda: plasma(1.0, {"Fe": -1.0}), r"abundance\['Fe'\] = -1"),
        (lambda: plasma(1.0, {"U": 1.0}), r"abundance of \['U'\] cannot be set.*Fe, Ni"),
        (lambda: plasma(1.0, abundances="solar"), r"unknown abundance set 'solar'; known are"),
    ],
)
def test_refusals(call, message):
    """Errors name the parameter, the value and the allowed range."""
    with pytest.raises(ParameterError, match=message):
        call()
