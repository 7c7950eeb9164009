# Licensed under a 3-clause BSD style license - see LICENSE
"""Components of spectra: common area, no look at tested rows, rows without a spectrum."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.evaluate.classification import probe
from astro_xlatent.evaluate.features import principal_components, read_spectra, spectrum_features, with_pca
from astro_xlatent.simulate.catalog import batch

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(scope="module")
def bins():
    """A few simulated Chandra spectra."""
    return batch(1, 40, mission="csc", mode="spectra")[0]


def test_features_do_not_depend_on_exposure_and_flux(bins):
    """Longer exposures of the same counts per area, and brighter sources, have the same shape."""
    longer = replace(bins, area=3.0 * bins.area)
    brighter = replace(bins, counts=5.0 * bins.counts, background=5.0 * bins.background)
    expected = spectrum_features(bins)
    assert expected.shape == bins.counts.shape
    np.testing.assert_allclose(spectrum_features(longer), expected)
    bright = (bins.counts - bins.background).sum(axis=1) > 5
    np.testing.assert_allclose(spectrum_features(brighter)[bright], expected[bright], atol=1e-12)


def test_background_and_area_are_taken_out(bins):
    """Counts that follow the area of each row alone, over any background, have one shape."""
    expected = 1e3 * bins.area / bins.area.sum(axis=1, keepdims=True)
    flat = replace(bins, counts=np.where(bins.valid, expected + bins.background, 0.0))
    common = flat.valid.all(axis=0) & (flat.area > 0).all(axis=0)
    features = spectrum_features(flat)[:, common]
    np.testing.assert_allclose(features / features.sum(axis=1, keepdims=True),
                               np.broadcast_to(features[0] / features[0].sum(), features.shape), rtol=1e-6)


def test_components_equal_those_of_the_singular_value_decomposition(bins):
    """Up to sign, of the centered features."""
    x = spectrum_features(bins)
    centered = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(principal_components(x)), np.abs(u * s)[:, :8], atol=1e-8)


def test_components_are_fitted_on_training_folds_only():
    """What varies only among tested rows is in no component, columns behind the spectrum stay."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x = np.zeros((60, 12))
    x[:, :9] = rng.normal(size=(60, 9))
    fold = np.repeat([0, 1], 30)
    x[fold == 0, 9] = 100 * rng.normal(size=30)
    label = rng.integers(2, size=60)
    x[:, 11] = 5 * (2 * label - 1) + rng.normal(size=60)
    pipeline = with_pca(LogisticRegression(), 10).fit(x[fold == 1], label[fold == 1])
    components = pipeline[0].named_transformers_["pca"].components_
    assert components.shape == (8, 10)
    np.testing.assert_allclose(components[:, 9], 0, atol=1e-12)
    found = probe(with_pca(LogisticRegression(), 10), x, label, fold, 2).argmax(axis=1)
    assert np.mean(found == label) > 0.9


def test_rows_without_spectrum_are_told(tmp_path):
    """A missing file and an empty entry have no bins; each reason is named once."""
    (tmp_path / "broken.pha").write_text("no spectrum")
    table = Table({"pha": [str(tmp_path / "broken.pha"), "", str(tmp_path / "none.pha")]})
    bins, usable, reasons = read_spectra(table, "pha")
    assert bins is None
    assert not usable.any()
    assert len(reasons) == 3
    assert any("no spectrum, " in reason for reason in reasons)
