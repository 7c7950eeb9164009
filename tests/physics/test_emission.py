# Licensed under a 3-clause BSD style license - see LICENSE
"""Emission models against closed forms, numerical integrals, sherpa and the anchor fluxes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.emission import (
    blackbody,
    bremsstrahlung,
    cutoff_powerlaw,
    disk_blackbody,
    gaunt_factor,
    gaussian_line,
    powerlaw,
    reflection,
)
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, ENERGY_WIDTH, N_ENERGY

# bins of the grid at which numerical integrals are taken
BINS = [0, 3, 25, 90, 400, 1189]


def _integrals(density, redshift=0.0):
    z1 = 1 + redshift
    edges = ENERGY_EDGES * z1
    return np.array([quad(density, edges[i], edges[i + 1], epsrel=1e-10, epsabs=0)[0] / z1 for i in BINS])


@pytest.mark.parametrize("index", [-2.0, 0.0, 1.0, 1.0000001, 1.7, 2.0, 4.5, 9.0])
def test_powerlaw(index):
    """Bins hold the integral, through the removable hole at index 1."""
    for redshift in (0.0, 2.0):
        expected = _integrals(lambda e: e**-index, redshift)
        assert_allclose(powerlaw(index, redshift)[BINS], expected, rtol=1e-7)


def test_powerlaw_against_sherpa():
    """The same as sherpa's integrated power law."""
    models = pytest.importorskip("sherpa.models.basic")
    model = models.PowLaw1D()
    model.gamma = 1.7
    assert_allclose(powerlaw(1.7), model(ENERGY_EDGES[:-1], ENERGY_EDGES[1:]), rtol=1e-8)


@pytest.mark.parametrize(("index", "e_cut"), [(1.0, 0.5), (1.5, 10.0), (0.0, 3.0), (4.0, 100.0)])
def test_cutoff_powerlaw(index, e_cut):
    """Numerical integrals, and the plain power law for a distant cut-off."""
    for redshift in (0.0, 1.0):
        expected = _integrals(lambda e: e**-index * np.exp(-e / e_cut), redshift)
        assert_allclose(cutoff_powerlaw(index, e_cut, redshift)[BINS], expected, rtol=5e-5)
    assert_allclose(cutoff_powerlaw(index, 1e6), powerlaw(index), rtol=5e-5)


@pytest.mark.parametrize("kt", [0.03, 0.1, 1.0, 30.0])
def test_blackbody(kt):
    """Numerical integrals of the Planck law, redshifted too."""
    for redshift in (0.0, 0.5):
        expected = _integrals(lambda e: 1.0344e-3 * e**2 / np.expm1(e / kt), redshift)
        assert_allclose(blackbody(kt, redshift)[BINS], expected, rtol=5e-5)


def test_blackbody_luminosity():
    """Stefan-Boltzmann: 1 km at 10 kpc gives R^2 sigma T^4 / D^2, to XSPEC's rounding (0.4 %)."""
    edges = np.geomspace(1e-3, 60, 4000)
    flux = (blackbody(1.0, edges=edges) * np.sqrt(edges[1:] * edges[:-1])).sum() * 1.602176634e-9
    temperature = 1.602176634e-9 / 1.380649e-16
    expected = 5.670374e-5 * temperature**4 * (1e5 / 3.0856776e22) ** 2
    assert_allclose(flux, expected, rtol=5e-3)


@pytest.mark.parametrize("kt", [0.05, 0.2, 1.0, 10.0])
def test_disk_blackbody(kt):
    """Rings integrated numerically over temperature."""

    def density(energy):
        ring = lambda t: t ** (-11 / 3) / np.expm1(min(energy / kt / t, 700.0))  # noqa: E731
        rings = quad(ring, 1e-3, 1, epsrel=1e-8, limit=400, points=[0.05, 0.3])[0]
        return 8 / 3 * 1.0380e-3 * energy**2 * rings

    bins = [5, 25, 90]
    expected = [density(ENERGY_MID[i]) * ENERGY_WIDTH[i] for i in bins]
    assert_allclose(disk_blackbody(kt)[bins], expected, rtol=3e-3 if kt == 0.05 else 1e-3)


def test_disk_slope():
    """Far below the inner temperature the disk follows E^(-2/3)."""
    flux = disk_blackbody(200.0)
    slope = np.log(flux[40] / flux[10]) / np.log(ENERGY_MID[40] / ENERGY_MID[10])
    assert_allclose(slope, -2 / 3, atol=0.02)


def test_gaunt_factor_limits():
    """Born approximation (an average Bessel function) at high temperature."""
    from scipy.special import k0

    u = np.array([0.01, 0.1, 1.0, 3.0])
    born = np.sqrt(3) / np.pi * np.exp(u / 2) * k0(u / 2)
    kt = 13.6057 * 1e-3 / 10**-4.25
    # Coulomb corrections at this temperature are a few per cent
    assert_allclose(gaunt_factor([[kt]], u[None] * kt)[0], born, rtol=0.04)


def test_bremsstrahlung_against_apec(shared_data):
    """The hydrogen part is APEC's hydrogen continuum, which has a little recombination on top."""
    with np.load(shared_data / "physics" / "apec309_components.npz", allow_pickle=False) as table:
        i = int(np.argmin(abs(table["kT_keV"] - 5.4)))
        kt, apec = table["kT_keV"][i], table["continuum"][i, 0].astype(float)
    gaunt = gaunt_factor([[kt]], ENERGY_MID[None])[0]
    ours = 3.02e-15 * gaunt * np.exp(-ENERGY_MID / kt) / (ENERGY_MID * np.sqrt(kt)) * ENERGY_WIDTH
    assert_allclose(ours[20:1000], apec[20:1000], rtol=0.03)


def test_bremsstrahlung_definition():
    """The formula of the docstring, integrated numerically."""
    kt = 2.0

    def density(energy):
        g = [gaunt_factor([[kt]], [[energy]], z)[0, 0] for z in (1, 2)]
        return (g[0] + 4 * 0.085 * g[1]) * np.exp(-energy / kt) / (energy * np.sqrt(kt))

    for redshift in (0.0, 1.0):
        assert_allclose(bremsstrahlung(kt, redshift)[BINS], _integrals(density, redshift), rtol=1e-4)


def test_gaussian_line_against_sherpa():
    """The same as sherpa's normalized Gaussian where both integrate over bins."""
    models = pytest.importorskip("sherpa.models.basic")
    model = models.NormGauss1D()
    model.pos, model.fwhm, model.ampl = 6.4, 0.3 * np.sqrt(8 * np.log(2)), 1.0
    expected = model(ENERGY_EDGES[:-1], ENERGY_EDGES[1:])
    assert_allclose(gaussian_line(6.4, 0.3), expected, rtol=1e-6, atol=1e-12)


def test_lines_conserve_photons():
    """Photons fall by 1 + z, the center too; zero width is one bin."""
    redshift = np.array([0.0, 1.0, 4.0])
    lines = gaussian_line(6.4, 0.05, redshift)
    assert_allclose(lines.sum(axis=1), 1 / (1 + redshift), rtol=1e-9)
    assert_allclose((lines * ENERGY_MID).sum(axis=1) / lines.sum(axis=1), 6.4 / (1 + redshift), rtol=1e-4)
    narrow = gaussian_line(6.405, 0.0)
    assert_allclose([narrow.max(), narrow.sum()], 1.0)


@pytest.mark.parametrize(
    "model",
    [
        lambda z, edges: powerlaw(1.7, z, edges=edges),
        lambda z, edges: blackbody(0.7, z, edges=edges),
        lambda z, edges: bremsstrahlung(3.0, z, edges=edges),
        lambda z, edges: reflection(1.8, 200.0, z, edges=edges),
        lambda z, edges: gaussian_line(6.4, 0.1, z, edges=edges),
    ],
)
def test_redshift_convention(model):
    """As XSPEC: rest-frame photons in the stretched bins, divided by 1 + z."""
    edges = np.linspace(0.5, 8.0, 301)
    assert_allclose(model(1.5, edges), model(0.0, edges * 2.5) / 2.5, rtol=1e-9, atol=1e-15)


def test_shapes_and_mixed_redshifts():
    """Parameters of any shape broadcast; rows do not depend on their neighbors."""
    kt = np.linspace(0.1, 3.0, 40)
    redshift = np.where(np.arange(40) % 3 == 0, 0.0, 0.7)
    together = blackbody(kt, redshift)
    alone = np.array([blackbody(k, z) for k, z in zip(kt, redshift, strict=True)])
    assert_allclose(together, alone, rtol=1e-12)
    assert powerlaw(np.ones((2, 1)), np.zeros(3)).shape == (2, 3, N_ENERGY)
    assert cutoff_powerlaw(1.0, np.ones((2, 3))).shape == (2, 3, N_ENERGY)
    assert reflection([]).shape == (0, N_ENERGY)
    assert disk_blackbody(1.0, edges=[1.0, 2.0]).shape == (1,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: powerlaw(11.0), r"photon_index = 11 is not allowed.*-5 to 10"),
        (lambda: powerlaw([1.0, np.nan]), r"photon_index = nan is not allowed.*1 of 2"),
        (lambda: blackbody(0.0), r"kt = 0 keV.*0.005 to 200"),
        (lambda: disk_blackbody(-1.0), r"kt_in = -1 keV"),
        (lambda: bremsstrahlung(1e4), r"kt = 10000 keV"),
        (lambda: cutoff_powerlaw(1.0, 0.0), r"e_cut = 0 keV"),
        (lambda: gaussian_line(6.4, -0.1), r"sigma = -0.1 keV.*0 to 50"),
        (lambda: gaussian_line(6.4, 0.1, 20.0), r"redshift = 20 .*0 to 15"),
        (lambda: reflection(5.0), r"photon_index = 5 .*0 to 4"),
        (lambda: reflection(2.0, cos_angle=0.0), r"cos_angle = 0 .*0.087 to 1"),
        (lambda: reflection(2.0, iron=50.0), r"iron = 50 .*0.1 to 10"),
        (lambda: powerlaw("steep"), r"photon_index must be numbers from -5 to 10, got 'steep'"),
    ],
)
def test_refusals(call, message):
    """Errors name the parameter, the value and the allowed range."""
    with pytest.raises(ParameterError, match=message):
        call()
