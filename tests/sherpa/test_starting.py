# Licensed under a 3-clause BSD style license - see LICENSE
"""Start values: families, limits, XSPEC's names and abundances, what is left alone."""

import warnings

import numpy as np
import pytest
from sherpa.astro.ui.utils import Session

from astro_xlatent.core.errors import ModelError, XlatentWarning
from astro_xlatent.physics.absorption import convert_nh
from astro_xlatent.sherpa import (
    XLApec,
    XLBbodyrad,
    XLPowerlaw,
    XLTbabs,
    guess,
    starting,
)
from astro_xlatent.sherpa.starting import CLASS_WEIGHTS, FAMILIES, _family_weights

CERTAIN = {"power law": "AGN", "black body": "NS", "thermal plasma": "LM-STAR"}


class XSTBabs(XLTbabs):
    """Stands for XSPEC's model."""


class XSpowerlaw(XLPowerlaw):
    """Stands for XSPEC's model."""


class XSbbodyrad(XLBbodyrad):
    """Stands for XSPEC's model."""


class XSapec(XLApec):
    """Stands for XSPEC's model."""


@pytest.fixture
def with_xspec(loaded, monkeypatch):
    """A session that has XSPEC's models, and a table that can be chosen."""
    for kind in (XSTBabs, XSpowerlaw, XSbbodyrad, XSapec):
        loaded.add_model(kind)
    table = ["angr"]
    monkeypatch.setattr(starting, "_xspec_abundances", lambda: table[0])
    return loaded, table


def fit(session):
    """Fit from where the parameters are."""
    start = session.calc_stat(1)
    session.fit(1)
    return start, session.get_fit_results()


def test_power_law(loaded, model):
    """Start close to the best fit, parameters close to the truth."""
    done = guess(1, loaded, model=model, prior={"AGN": 1})
    assert done.family == "power law"
    assert done.expression == "xltbabs.abs1 * xlpowerlaw.src1"
    assert loaded.get_source(1).name == done.expression
    assert done.start["abs1.nH"] == pytest.approx(0.5, abs=0.15)
    assert done.start["src1.PhoIndex"] == pytest.approx(1.8, abs=0.25)
    start, result = fit(loaded)
    assert result.succeeded and start - result.statval < 25
    assert done.label == "AGN" and done.probability == pytest.approx(1.0)
    assert done.nh == pytest.approx(1e22 * done.start["abs1.nH"])


@pytest.mark.parametrize(("kind", "settings", "family"), [
    (XLBbodyrad, {"kT": 0.15, "norm": 1e3}, "black body"),
    (XLApec, {"kT": 0.6, "norm": 2e-2}, "thermal plasma"),
])
def test_thermal_families(session, made, model, kind, settings, family):
    """A thermal source is told from a power law by its counts, and its temperature comes out."""
    absorber, source = XLTbabs(), kind()
    absorber.nH = 0.05
    for name, value in settings.items():
        setattr(source, name, value)
    session.set_data(1, made(absorber * source))
    session.notice_id(1, 0.5, 7)
    done = guess(1, session, model=model)
    assert done.family == family
    assert done.start["src1.kT"] == pytest.approx(settings["kT"], rel=0.3)
    assert all(value < 0 for value in done.alternatives.values())
    start, result = fit(session)
    assert result.succeeded and start - result.statval < 10
    assert result.statval < session.get_fit_results().dof + 100


def test_few_counts_follow_the_class(session, made, absorbed, model):
    """With a handful of counts the class decides."""
    session.set_data(1, made(absorbed(norm=6e-6), 1e4))
    session.notice_id(1, 0.5, 7)
    assert 3 < session.calc_data_sum(0.5, 7, id=1) < 40
    for family in ("power law", "thermal plasma"):
        assert guess(1, session, model=model, prior={CERTAIN[family]: 1}).family == family


def test_limits_hold_the_start(loaded, model):
    """Every start lies within its limits, and the parameters have both."""
    done = guess(1, loaded, model=model)
    for par in loaded.get_source(1).pars:
        if par.fullname in done.start:
            assert par.val == done.start[par.fullname]
            assert (par.min, par.max) == done.limits[par.fullname]
            assert par.min < par.val < par.max
    assert str(done).count("from") == 3


def test_xspec_models_are_used(with_xspec, model):
    """Where they are, with the column in the session's abundance table."""
    session, table = with_xspec
    own = guess(1, session, model=model, prior={"AGN": 1})
    assert own.expression == "xstbabs.abs1 * xspowerlaw.src1"
    assert own.convention == "tbabs/angr"
    assert own.start["abs1.nH"] == pytest.approx(float(convert_nh(own.nh, "tbabs/wilm", "tbabs/angr")) / 1e22)
    assert own.start["abs1.nH"] < own.nh / 1e22
    table[0] = "wilm"
    assert guess(1, session, model=model, prior={"AGN": 1}).start["abs1.nH"] == pytest.approx(own.nh / 1e22)


def test_unknown_abundance_table(with_xspec, model):
    """It is said that nothing was converted."""
    session, table = with_xspec
    table[0] = "file"
    done = guess(1, session, model=model)
    assert done.convention == "tbabs/wilm"
    assert "no conversion" in done.notes[0]


def test_half_of_xspec_is_none(loaded, model):
    """A session that lacks one of the models gets ours."""
    loaded.add_model(XSTBabs)
    assert guess(1, loaded, model=model).expression.startswith("xltbabs")


def test_names_of_the_user_are_left_alone(loaded, model):
    """A component of that name but of another kind stays."""
    from sherpa.models.basic import Const1D

    loaded.add_model(Const1D)
    mine = loaded.create_model_component("const1d", "abs1")
    done = guess(1, loaded, model=model)
    assert loaded.get_model_component("abs1") is mine
    assert "xltbabs.abs1_ *" in done.expression


def test_again_is_the_same(loaded, model):
    """Twice gives the same names and values."""
    first, second = guess(1, loaded, model=model), guess(1, loaded, model=model)
    assert first.expression == second.expression and first.start == second.start


def test_several_data_sets_share_a_source(loaded, made, absorbed, model):
    """One model for all; the start is that of the brightest."""
    loaded.set_data("b", made(absorbed(), 5e4, seed=3))
    loaded.notice_id("b", 0.5, 7)
    done = guess([1, "b"], loaded, model=model)
    assert loaded.get_source(1) is not None
    assert loaded.get_source(1).name == loaded.get_source("b").name == done.expression
    alone = guess("b", loaded, model=model)
    assert done.start["src1.norm"] == pytest.approx(alone.start["srcb.norm"])


def test_undetected_source(session, made, model):
    """Nothing but background: the norm stands for one count, and it is said."""
    data = made(None, background=300)
    data.counts = np.minimum(data.counts, 0)
    session.set_data(1, data)
    session.notice_id(1, 0.5, 7)
    done = guess(1, session, model=model)
    assert "no source" in done.notes[0] and done.start["src1.norm"] > 0


def test_chi2_with_few_counts_warns(loaded, model):
    """Chi-square on bins below ten counts is named, with the remedy; C-statistics are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guess(1, loaded, model=model)
    loaded.set_stat("chi2gehrels")
    with pytest.warns(XlatentWarning, match=r"chi2gehrels.*use set_stat\('cstat'\)"):
        guess(1, loaded, model=model)
    loaded.group_counts(1, 15)
    loaded.notice_id(1, 0.6, 5)
    data = loaded.get_data(1)
    assert data.apply_filter(data.counts).min() >= 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guess(1, loaded, model=model)


def test_global_session_is_untouched(loaded, model):
    """A given session gets the models, the global one does not."""
    from sherpa.astro import ui

    before = ui.list_models(), ui.list_model_components(), ui.list_data_ids()
    guess(1, loaded, model=model)
    assert (ui.list_models(), ui.list_model_components(), ui.list_data_ids()) == before
    assert isinstance(loaded, Session)


def test_every_class_has_families(model):
    """The weights of each class add up to one, in the order of the families."""
    assert set(CLASS_WEIGHTS) == set(model.classes)
    for weights in CLASS_WEIGHTS.values():
        assert len(weights) == len(FAMILIES) and sum(weights) == pytest.approx(1)
    with pytest.raises(ModelError, match="QUARK have no spectral model"):
        _family_weights(["AGN", "QUARK"], [0.5, 0.5])
