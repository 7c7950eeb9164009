# Licensed under a 3-clause BSD style license - see LICENSE
"""The search for the latents that describe counts best."""

import numpy as np
import pytest
from scipy.optimize import minimize

from astro_xlatent import load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.statistics import fit_statistics, merge_bins, refine_latents, search_elsewhere
from astro_xlatent.simulate.instruments import prepare
from astro_xlatent.simulate.observe import observe_spectra


@pytest.fixture(scope="module")
def observed():
    """Bright observations of the bundled decoder's own spectra, with their latents."""
    model = load_model()
    latent = model.calibration.mixture["mean"]
    instrument = prepare("csc", "csc", get_mission("csc").default_response())
    bins, truth = observe_spectra(model.decode(latent), instrument, np.random.default_rng(4))
    bright = (bins.net_counts > 200) & bins.background_known
    assert bright.sum() > 5
    matrices = instrument.matrix * truth["seconds"][:, None, None].astype(np.float32)
    return model, latent[bright], bins[bright], matrices[bright]


def test_search_from_the_truth_fits(observed):
    """Beginning at the true latents, the fit is as good as chance allows."""
    model, latent, bins, matrices = observed
    best, n_fitted = refine_latents(model.decode, latent, bins, matrices)
    assert np.all((n_fitted >= 1) & (n_fitted <= 1 + latent.shape[1]))
    gof = fit_statistics(bins, model.decode(best), matrices, n_fitted)["gof"]
    assert np.abs(gof).max() < 4


def test_second_search_finds_what_the_first_missed(observed):
    """Searches that begin at another source's latents end in wrong minima; the second one does not."""
    model, latent, bins, matrices = observed
    first = refine_latents(model.decode, np.roll(latent, 3, axis=0), bins, matrices, n_steps=2)
    second = search_elsewhere(model.decode, *first, model.calibration.mixture["mean"], bins, matrices)
    poor, good = (fit_statistics(bins, model.decode(z), matrices, n)["gof"] for z, n in (first, second))
    assert poor.max() > 10
    assert good.max() < 4


def test_against_a_general_minimiser(observed):
    """Scipy finds no better latents from where the search ended, and the objective is what it says."""
    model, latent, bins, matrices = observed
    best, _ = refine_latents(model.decode, latent[:2], bins[:2], matrices[:2], n_steps=12)
    for row in range(2):
        n, b = (merge_bins(a[row:row + 1], bins.valid[row:row + 1])[0]
                for a in (bins.counts, bins.background))
        error = np.sqrt(merge_bins(bins.background_error[row:row + 1] ** 2, bins.valid[row:row + 1])[0])
        used = merge_bins(bins.valid[row:row + 1], bins.valid[row:row + 1])[0] > 0
        b = np.maximum(b, 0.3 * error) + 1e-5
        folding = merge_bins(matrices[row:row + 1], bins.valid[row:row + 1])[0]

        def objective(parameters, folding=folding, used=used, b=b, n=n):
            z, norm = parameters[:8], np.exp(parameters[8])
            shape = folding @ model.decode(z[None])[0].astype(float)
            expected = (norm * shape / shape[used].sum() + b)[used]
            return float((expected - n[used] * np.log(expected)).sum() + 0.5 * (z @ z))

        def profiled(z, objective=objective, used=used, b=b, n=n):
            norms = np.log((n - b)[used].sum()) + np.linspace(-0.3, 0.3, 121)
            return min((objective(np.r_[z, norm]), norm) for norm in norms)

        value, norm = profiled(best[row])
        start = np.r_[best[row], norm]
        simplex = start + 0.1 * np.vstack([np.zeros(9), np.eye(9)])
        found = minimize(objective, start, method="Nelder-Mead",
                         options={"maxiter": 1500, "initial_simplex": simplex})
        assert found.fun > value - 2.0
