# Licensed under a 3-clause BSD style license - see LICENSE
"""Sherpa models: anchors, grids, parameters, behavior in a fit."""

import csv
import re

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.emission import blackbody, disk_blackbody
from astro_xlatent.physics.grid import KEV_TO_ERG
from astro_xlatent.sherpa import (
    XLApec,
    XLBbodyrad,
    XLDiskbb,
    XLPowerlaw,
    XLTbabs,
    XLzTbabs,
    add_models,
)
from astro_xlatent.sherpa.models import HC_KEV_ANGSTROM

EDGES = np.linspace(0.3, 10.0, 9701)
ADDITIVE = [XLPowerlaw, XLBbodyrad, XLDiskbb, XLApec]
EVERY = [*ADDITIVE, XLTbabs, XLzTbabs]


def anchor_model(text):
    """The Sherpa model of a line of the anchor table, or None."""
    name, *settings = text.split()
    value = {k: v for k, v in (s.split("=") for s in settings)}
    if name == "powerlaw":
        model = XLPowerlaw()
        model.PhoIndex = float(value["G"])
    elif name == "bbodyrad":
        model = XLBbodyrad()
        model.kT = float(value["kT"])
    elif name == "diskbb":
        model = XLDiskbb()
        model.Tin = float(value["Tin"])
    elif name.startswith("apec"):
        model = XLApec()
        found = re.fullmatch(r"([\d.]+)\((\w+)\)", value["Z"])
        model.kT, model.Abundanc, model.abundances = float(value["kT"]), float(found[1]), found[2]
    else:
        return None
    return model


def test_anchor_fluxes(shared_data):
    """Within 1.3 %; photons of plasma below 1 keV, whose interpolation in kT differs, within 8 %."""
    lo, hi = EDGES[:-1], EDGES[1:]
    energy = 0.5 * (lo + hi) * KEV_TO_ERG
    compared = 0
    with open(shared_data / "physics" / "anchor_fluxes.csv", newline="") as stream:
        for text, nh, *expected in list(csv.reader(stream))[1:]:
            model = anchor_model(text)
            if model is None:
                continue
            absorber = XLTbabs()
            absorber.nH = float(nh)
            photons = (absorber * model)(lo, hi)
            found = [photons.sum(), *((photons * energy)[(lo >= a) & (lo < b)].sum()
                                      for a, b in ((0.3, 2), (0.5, 2), (2, 10)))]
            difference = np.array(found) / np.array(expected, float) - 1
            soft = isinstance(model, XLApec) and model.kT.val < 1
            assert np.abs(difference[:1 if soft else 4]).max() < (0.08 if soft else 0.013), text
            compared += 1
    assert compared == 39


@pytest.mark.parametrize("kind", ADDITIVE)
def test_bins_add_up(kind):
    """Photons of a coarse bin are those of the fine bins within, whatever the grid."""
    model = kind()
    fine = model(EDGES[:-1], EDGES[1:])
    coarse = EDGES[::97]
    np.testing.assert_allclose(model(coarse[:-1], coarse[1:]), fine.reshape(-1, 97).sum(axis=1), rtol=2e-4)


@pytest.mark.parametrize("kind", EVERY)
def test_bins_with_gaps_and_overlaps(kind):
    """Bins that do not join give what each gives alone."""
    model = kind()
    lo, hi = np.array([1.0, 1.05, 1.01, 4.0]), np.array([1.02, 1.07, 1.03, 4.02])
    alone = [model(lo[i:i + 1], hi[i:i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(model(lo, hi), alone, rtol=5e-3)


@pytest.mark.parametrize("kind", EVERY)
def test_wavelength_grid(kind):
    """A falling grid means Angstrom."""
    model, edges = kind(), np.linspace(0.5, 7.0, 200)
    waves = HC_KEV_ANGSTROM / edges
    np.testing.assert_allclose(model(waves[1:], waves[:-1]), model(edges[:-1], edges[1:]), rtol=1e-9)


@pytest.mark.parametrize("kind", EVERY)
def test_edges_alone(kind):
    """One array holds the edges, and the last value is zero, as for XSPEC models."""
    model, edges = kind(), np.linspace(0.5, 7.0, 50)
    found = model(edges)
    assert found[-1] == 0
    np.testing.assert_allclose(found[:-1], model(edges[:-1], edges[1:]))


@pytest.mark.parametrize("kind", EVERY)
def test_grids_beyond_the_tables(kind):
    """Responses that begin at 1e-10 keV or end at 500 keV get finite, non-negative numbers."""
    edges = np.concatenate([[1e-10], np.geomspace(0.01, 500, 400)])
    values = kind()(edges[:-1], edges[1:])
    assert np.all(np.isfinite(values)) and np.all(values >= 0)


def test_single_precision_edges():
    """Edges of neighboring bins that differ in the last digit still join."""
    edges = np.linspace(0.3, 8, 500).astype(np.float32)
    lo, hi = edges[:-1].astype(float), np.nextafter(edges[1:], 0, dtype=np.float32).astype(float)
    np.testing.assert_allclose(XLPowerlaw()(lo, hi), XLPowerlaw()(edges[:-1], edges[1:]), rtol=1e-4)


def test_power_law_closed_form():
    """The integral of E^-1.7."""
    model = XLPowerlaw()
    model.PhoIndex, model.norm = 1.7, 3.0
    lo, hi = EDGES[:-1], EDGES[1:]
    np.testing.assert_allclose(model(lo, hi), 3 * (lo**-0.7 - hi**-0.7) / 0.7, rtol=1e-9)


def test_continua_are_those_of_physics():
    """Black body and disk on an arbitrary grid."""
    black, disk = XLBbodyrad(), XLDiskbb()
    black.kT, disk.Tin = 0.4, 0.7
    edges = np.geomspace(0.2, 12, 333)
    np.testing.assert_allclose(black(edges[:-1], edges[1:]), blackbody(0.4, edges=edges))
    np.testing.assert_allclose(disk(edges[:-1], edges[1:]), disk_blackbody(0.7, edges=edges))


def test_absorption_at_redshift():
    """Gas at redshift one at E is gas at rest at 2 E."""
    near, far = XLTbabs(), XLzTbabs()
    near.nH = far.nH = 0.8
    far.redshift = 1.0
    edges = np.linspace(0.5, 4, 300)
    np.testing.assert_allclose(far(edges[:-1], edges[1:]), near(2 * edges[:-1], 2 * edges[1:]), rtol=1e-9)
    sigma = bin_cross_section(edges, redshift=1.0)
    np.testing.assert_allclose(far(edges[:-1], edges[1:]), np.exp(-8e21 * sigma), rtol=1e-6)


def test_absorption_below_the_table():
    """Below 0.1 keV the cross section goes on as E^-3: opaque, and rising with energy."""
    model = XLTbabs()
    model.nH = 1e-3
    edges = np.array([0.02, 0.04, 0.06, 0.08, 0.1, 0.12])
    values = model(edges[:-1], edges[1:])
    assert np.all(np.diff(values) > 0) and values[0] < 1e-6


@pytest.mark.parametrize(("kind", "names", "units"), [
    (XLTbabs, ["nH"], ["10^22 atoms / cm^2"]),
    (XLzTbabs, ["nH", "redshift"], ["10^22 atoms / cm^2", ""]),
    (XLPowerlaw, ["PhoIndex", "norm"], ["", ""]),
    (XLBbodyrad, ["kT", "norm"], ["keV", ""]),
    (XLDiskbb, ["Tin", "norm"], ["keV", ""]),
    (XLApec, ["kT", "Abundanc", "redshift", "norm"], ["keV", "", "", ""]),
])
def test_parameters_are_named_as_in_xspec(kind, names, units):
    """Names, units, and soft limits within the hard ones."""
    pars = kind("m").pars
    assert [p.name for p in pars] == names
    assert [p.units for p in pars] == units
    assert all(p.hard_min <= p.min <= p.val <= p.max <= p.hard_max for p in pars)


def test_plasma_at_its_limits():
    """Both ends of the temperature and a redshift are evaluated."""
    model = XLApec()
    for par, value in ((model.kT, model.kT.min), (model.kT, model.kT.max), (model.redshift, 10.0)):
        par.val = value
        assert model(EDGES[:-1], EDGES[1:]).sum() > 0


def test_abundances_and_conventions_are_choices():
    """Another set changes the result in spite of Sherpa's cache; an unknown one is refused."""
    for model, name, value in ((XLApec(), "abundances", "angr"), (XLTbabs(), "convention", "phabs/angr")):
        before = model(EDGES[:-1], EDGES[1:])
        setattr(model, name, value)
        assert np.abs(model(EDGES[:-1], EDGES[1:]) / before - 1).max() > 0.05
        with pytest.raises(ParameterError, match="allowed"):
            setattr(model, name, "nonsense")


def test_fit_finds_the_truth(session, made, absorbed):
    """A bright simulated source, fitted in a session by name."""
    session.set_data(1, made(absorbed(0.5, 1.8, 2e-2)))
    session.notice_id(1, 0.5, 7)
    add_models(session)
    absorber = session.create_model_component("xltbabs", "gal")
    power = session.create_model_component("xlpowerlaw", "pl")
    session.set_source(1, absorber * power)
    session.guess(1, power)
    session.fit(1)
    result = session.get_fit_results()
    assert result.succeeded and result.rstat < 1.2
    assert absorber.nH.val == pytest.approx(0.5, abs=0.03)
    assert power.PhoIndex.val == pytest.approx(1.8, abs=0.04)
    session.covar()
    assert all(e > 0 for e in session.get_covar_results().parmaxes)


def test_guess_gives_the_counts(session, made, absorbed):
    """After Sherpa's guess the model predicts as many counts as observed, to a factor of two."""
    session.set_data(1, made(absorbed(0.01)))
    session.notice_id(1, 0.5, 7)
    add_models(session)
    power = session.create_model_component("xlpowerlaw", "pl")
    power.PhoIndex = 1.8
    session.set_source(1, power)
    session.guess(1, power)
    model = session.get_model_plot(1).y
    data = session.get_data_plot(1).y
    assert 0.5 < model.sum() / data.sum() < 2


def test_adding_twice_changes_nothing(session):
    """Models that the session knows are left alone."""
    add_models(session)
    first = dict(session._model_types)
    add_models(session)
    assert session._model_types == first
    assert {"xltbabs", "xlapec", "latentspectrum"} <= set(session.list_models())
