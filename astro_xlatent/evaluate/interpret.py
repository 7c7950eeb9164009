# Licensed under a 3-clause BSD style license - see LICENSE
"""What the latents mean: decoded traversals, and compact formulas."""

import numpy as np

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.silence import quiet
from astro_xlatent.evaluate.features import CSC_EDGES, hardness_ratios
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import grouped_folds
from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.physics.grid import ENERGY_MID, band_weights

__all__ = ["STEPS", "formula_numbers", "formula_text", "sparse_formula", "traversal_summary"]

#: Positions along each latent, in standard deviations of the training population.
STEPS = (-2, -1, 0, 1, 2)
# Of the spectra that are kept for figures, keV.
_SHOWN = np.geomspace(0.3, 10.0, 91)

MAX_TERMS, _DEGREE = 5, 3


def sparse_formula(x, y):
    """A pipeline of scikit-learn: polynomial of few terms in x (n, k) by orthogonal matching pursuit."""
    from sklearn.linear_model import OrthogonalMatchingPursuit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    formula = make_pipeline(PolynomialFeatures(_DEGREE, include_bias=False), StandardScaler(),
                            OrthogonalMatchingPursuit(n_nonzero_coefs=MAX_TERMS))
    # Fewer terms than allowed describe some latents exactly.
    with quiet("(?s).*Orthogonal matching pursuit ended prematurely"):
        return formula.fit(x, y)


def formula_text(formula, names):
    """A formula in words, the terms that matter most first."""
    polynomial, scaler, pursuit = (step for _, step in formula.steps)
    slopes = pursuit.coef_ / scaler.scale_
    terms = polynomial.get_feature_names_out(list(names))
    order = np.argsort(-np.abs(pursuit.coef_), kind="stable")
    words = [f"{slopes[k]:+.2f} {terms[k]}" for k in order if abs(slopes[k]) > 0.005]
    return " ".join([f"{pursuit.intercept_ - slopes @ scaler.mean_:+.2f}", *words])


def formula_numbers(latent, variables, names, field, seed=0):
    """A formula, the number's method, for each latent in variables (n, k), and its R2 out of fold."""
    known = np.isfinite(variables).all(axis=1)
    if known.sum() < 50 or np.unique(field[known]).size < 5:
        return []
    x, fold = variables[known], grouped_folds(np.zeros(known.sum()), field[known], 5, seed)
    numbers = []
    for k in range(N_LATENT):
        y = latent[known, k]
        predicted = np.empty_like(y)
        for number in np.unique(fold):
            test = fold == number
            predicted[test] = sparse_formula(x[~test], y[~test]).predict(x[test])
        score = 1 - np.mean((y - predicted) ** 2) / y.var()
        numbers.append(Number.of("formulas for the latents", f"R2 of latent {k}",
                                 formula_text(sparse_formula(x, y), names), "all", known.sum(), score))
    return numbers


def traversal_summary(model):
    """
    What each latent does to the spectrum, the others at zero, as plain lists by (latent, step): E F(E) in
    keV2/keV for one photon between 0.5 and 7 keV, ``nh`` (log10 1/cm2) and ``photon_index`` of the best
    absorbed power law, and ``hardness``, photon-flux ratios of 0.5-1.2, 1.2-2 and 2-7 keV; ``steps`` in
    sigma.
    """
    z = np.eye(N_LATENT)[:, None] * np.array(STEPS, float)[:, None]
    shape = z.shape[:2]
    flat = model.decode(z.reshape(-1, N_LATENT)).astype(float)
    flat /= (flat @ band_weights([0.5], [7.0])[0])[:, None]
    nh, index = power_law_fit(flat)
    bands = flat @ band_weights(CSC_EDGES[:-1], CSC_EDGES[1:]).T
    weights = band_weights(_SHOWN[:-1], _SHOWN[1:])
    shown = (flat * ENERGY_MID**2) @ weights.T / np.diff(_SHOWN)
    return {
        "steps": [float(v) for v in STEPS],
        "energy": np.sqrt(_SHOWN[:-1] * _SHOWN[1:]).round(4).tolist(),
        "spectra": [[[float(f"{x:.3g}") for x in row] for row in rows] for rows in shown.reshape(*shape, -1)],
        "nh": np.log10(np.maximum(nh, 1e20)).reshape(shape).round(2).tolist(),
        "photon_index": index.reshape(shape).round(2).tolist(),
        "hardness": hardness_ratios(bands)[:, :2].reshape(*shape, 2).round(2).tolist(),
    }
