# Licensed under a 3-clause BSD style license - see LICENSE
"""Reflection against exact radiative transfer, a Monte Carlo and known numbers."""

import numpy as np
from numpy.testing import assert_allclose

from astro_xlatent.physics.absorption import absorption_cross_section
from astro_xlatent.physics.emission import powerlaw, reflection
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.physics.reflection import chandrasekhar_h, iron_equivalent_width


def _exact_h(albedo, mu):
    # iterate Chandrasekhar's equation 1/H = sqrt(1-w) + w/2 int x H(x) / (mu + x) dx
    x, weight = np.polynomial.legendre.leggauss(200)
    x, weight = 0.5 * (x + 1), 0.5 * weight
    h = np.ones_like(x)
    for _ in range(400):
        h = 1 / (np.sqrt(1 - albedo) + albedo / 2 * ((weight * x * h) / (x[:, None] + x)).sum(axis=1))
    return 1 / (np.sqrt(1 - albedo) + albedo / 2 * (weight * x * h / (mu + x)).sum())


def test_h_function():
    """The formula agrees with Chandrasekhar's integral equation within 1 per cent."""
    for albedo in (0.05, 0.3, 0.7, 0.95, 0.999):
        for mu in (0.1, 0.5, 1.0):
            assert_allclose(chandrasekhar_h(albedo, mu), _exact_h(albedo, mu), rtol=0.01)


def test_angle_average_is_the_known_albedo():
    """Averaged over directions H - 1 is (1 - sqrt(e)) / (1 + sqrt(e)) of Lightman & White."""
    x, weight = np.polynomial.legendre.leggauss(60)
    mu, weight = 0.5 * (x + 1), 0.5 * weight
    for albedo in (0.1, 0.5, 0.9):
        root = np.sqrt(1 - albedo)
        assert_allclose(weight @ (chandrasekhar_h(albedo, mu) - 1), (1 - root) / (1 + root), rtol=0.02)


def _monte_carlo(energy, index, n=200_000):
    # elastic isotropic scattering in a slab, fraction of photons that come back in all directions
    rng = np.random.default_rng(5)
    scatter = 1.2 * 6.6524587e-25
    albedo = scatter / (scatter + absorption_cross_section(energy))
    depth, mu, back = np.zeros(n), -rng.random(n), 0
    while depth.size:
        depth = depth - mu * rng.exponential(size=depth.size)
        back += np.count_nonzero(depth < 0)
        depth = depth[(depth >= 0) & (rng.random(depth.size) < albedo)]
        mu = rng.uniform(-1, 1, depth.size)
    return back / n


def test_continuum_against_monte_carlo():
    """The reflected fraction, averaged over angles, is the Monte Carlo's; recoil is small at 3 keV."""
    x, weight = np.polynomial.legendre.leggauss(12)
    mu, weight = 0.5 * (x + 1), 0.5 * weight
    for energy in (3.0, 5.5):
        edges = [energy - 0.01, energy + 0.01]
        mean = weight @ reflection(2.0, 1e6, cos_angle=np.maximum(mu, 0.087), edges=edges)[:, 0]
        assert_allclose(mean / powerlaw(2.0, edges=edges)[0], _monte_carlo(energy, 2.0), rtol=0.06)


def test_hump():
    """The reflected fraction peaks at 20-60 keV with 0.5-0.8, and is a few per cent at 4 keV."""
    edges = np.geomspace(1, 200, 300)
    ratio = reflection(1.9, 1e6, edges=edges) / powerlaw(1.9, edges=edges)
    top = edges[np.argmax(np.where(edges[:-1] > 10, ratio, 0))]
    assert 20 < top < 60
    assert 0.5 < ratio[edges[:-1] > 10].max() < 0.8
    assert 0.02 < ratio[np.searchsorted(edges, 4.0)] < 0.08


def test_iron_line_width():
    """The line of the spectrum has the tabulated equivalent width."""
    spectrum = reflection(1.9, 1e6, cos_angle=0.8, line_sigma=0.0)
    near = np.abs(ENERGY_MID - 6.405) < 0.03
    line = spectrum[near].sum() - np.median(spectrum[near]) * near.sum()
    continuum = powerlaw(1.9)[near].sum() / (near.sum() * 0.01)
    assert_allclose(line / continuum, iron_equivalent_width(1.9, 0.8), rtol=0.02)


def test_iron_abundance():
    """More iron deepens the edge at 7.1 keV and strengthens the line."""
    low, high = reflection(1.9, iron=[0.5, 3.0])
    above = (ENERGY_MID > 7.3) & (ENERGY_MID < 9)
    assert high[above].sum() < low[above].sum()
    assert iron_equivalent_width(1.9, 0.5, 2.0) > 1.3 * iron_equivalent_width(1.9, 0.5, 1.0)
