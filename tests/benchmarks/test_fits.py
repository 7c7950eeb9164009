# Licensed under a 3-clause BSD style license - see LICENSE
"""Column densities against fits: known offsets come back."""

import numpy as np
import pytest
from evaluate.labeled import make_labeled

from astro_xlatent.physics.absorption import convert_nh
from benchmarks.studies.fits import catalog_fits, fit_numbers


def _with_fits(offset, scatter):
    """Fits in the catalog's convention, displaced from ours by known amounts."""
    rng = np.random.default_rng(2)
    table = make_labeled(2000, ("AGN", "NS", "YSO"))
    # Far above the cut at 1e21, so that noise moves no row across it.
    if scatter:
        for name in ("xl_nh", "xl_nh_lolim", "xl_nh_hilim", "xl_nh_ul90"):
            table[name] = table[name] * 30
    shifted = np.array(table["xl_nh"], float) * 10 ** -(offset + scatter * rng.normal(size=2000))
    table["powlaw_nh_mean"] = convert_nh(shifted, "tbabs/wilm", "phabs/angr") / 1e20
    table["e_powlaw_nh_mean"] = 0.1 * np.log(10) * table["powlaw_nh_mean"]
    return table


def test_offset_and_variance():
    """Bias, and residuals in units of both errors together."""
    scatter = np.hypot(np.log10(1.6), 0.1)
    table = _with_fits(0.1, scatter)
    label = np.array(table["class_label"])
    subsets = {"all": np.ones(2000, bool)}
    numbers = fit_numbers(table, label, np.arange(2000), subsets, np.random.default_rng(1))
    found = {n.quantity: n for n in numbers if n.subset == "all, fits > 1e21"}
    assert found["mean difference, dex"].value == pytest.approx(0.1, abs=0.03)
    assert found["variance of standardized residuals"].value == pytest.approx(1, abs=0.1)
    variance = found["variance of standardized residuals"]
    low, high = variance.low, variance.high
    assert low < found["variance of standardized residuals"].value < high
    expected = found["the same as expected of both stated errors"].value
    assert found["mean |difference|, dex"].value == pytest.approx(expected, rel=0.2)
    log_nh, _ = catalog_fits(table)
    assert found["mean difference, dex"].n == np.sum((log_nh > 21) & (label != "YSO"))


def test_upper_limits():
    """Below 1e21 the share of limits above the fit is reported."""
    table = _with_fits(0.0, 0.0)
    label, subsets = np.array(table["class_label"]), {"all": np.ones(2000, bool)}
    numbers = fit_numbers(table, label, np.arange(2000), subsets, np.random.default_rng(1))
    assert next(n for n in numbers if n.method == "xl_nh_ul90").value == 1


def test_limits_make_errors_and_absence_gives_nothing():
    """CSC's own limits are half-widths; a table without fits has no numbers."""
    table = make_labeled(4)
    assert catalog_fits(table) == (None, None)
    label = np.array(table["class_label"])
    assert fit_numbers(table, label, np.arange(4), {}, np.random.default_rng(0)) == []
    table["powlaw_nh"] = [10.0, 0.0, np.nan, 1e9]
    table["powlaw_nh_lolim"], table["powlaw_nh_hilim"] = [8.0] * 4, [14.0] * 4
    log_nh, error = catalog_fits(table)
    assert np.isfinite(log_nh).tolist() == [True, False, False, False]
    assert error[0] == pytest.approx(0.3 / np.log(10))
