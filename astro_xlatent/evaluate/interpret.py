# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the latents mean: decoded traversals, and compact formulas.
"""

from itertools import combinations_with_replacement

import numpy as np

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.results import Number

__all__ = ["STEPS", "Formula", "formula_numbers", "sparse_formula", "traversal_summary", "traversals"]

#: Positions along each latent, in standard deviations of the training population.
STEPS = (-2, -1, 0, 1, 2)
# Of the spectra that are kept for figures, keV.
_SHOWN = np.geomspace(0.3, 10.0, 91)

MAX_TERMS = 5
_DEGREE = 3


class Formula:
    """
    A sparse polynomial.

    Attributes
    ----------
    names : tuple of str
        Of the variables.
    terms : list of tuple of int
        Variables multiplied in every term; empty for the constant.
    coefficients : ndarray
    """

    def __init__(self, names, terms, coefficients):
        self.names, self.terms, self.coefficients = tuple(names), terms, coefficients

    def __call__(self, x):
        """Values for variables of shape (n, k)."""
        return _products(x, self.terms) @ self.coefficients

    def __str__(self):
        parts = []
        for term, value in zip(self.terms, self.coefficients, strict=True):
            factors = [
                self.names[k] + (f"^{term.count(k)}" if term.count(k) > 1 else "")
                for k in dict.fromkeys(term)
            ]
            parts.append(" ".join([f"{value:+.2f}", *factors]))
        return " ".join(parts)


def _products(x, terms):
    return np.stack([np.prod(x[:, list(term)], axis=1) if term else np.ones(len(x)) for term in terms],
                    axis=1)


def sparse_formula(x, y, names, max_terms=MAX_TERMS, degree=_DEGREE):
    """
    Fit a polynomial of few terms by orthogonal matching pursuit.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Variables.
    y : ndarray, shape (n,)
        What to describe.
    names : sequence of str
        Of the variables.
    max_terms : int, optional
        Terms beside the constant.
    degree : int, optional
        Largest total power.

    Returns
    -------
    formula : Formula

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> print(sparse_formula(x, 1 - 2 * x[:, 0] * x[:, 1], "ab", max_terms=1))
    +1.00 -2.00 a b
    """
    candidates = [
        c for d in range(1, degree + 1) for c in combinations_with_replacement(range(x.shape[1]), d)
    ]
    design = _products(x, candidates)
    centered = design - design.mean(axis=0)
    norm = np.linalg.norm(centered, axis=0)
    chosen, coefficients, rest = [], np.array([y.mean()]), y - y.mean()
    for _ in range(min(max_terms, len(candidates))):
        gain = np.abs(centered.T @ rest) / np.where(norm > 1e-9, norm, np.inf)
        gain[chosen] = 0
        if gain.max() <= 1e-9 * max(np.linalg.norm(y), 1e-30):
            break
        chosen.append(int(np.argmax(gain)))
        basis = np.column_stack([np.ones(len(x)), design[:, chosen]])
        coefficients = np.linalg.lstsq(basis, y, rcond=None)[0]
        rest = y - basis @ coefficients
    return Formula(names, [(), *(candidates[k] for k in chosen)], coefficients)


def formula_numbers(latent, variables, names, field, seed=0):
    """
    A formula for each latent in hardness ratios, with its out-of-fold R2.

    Parameters
    ----------
    latent : ndarray, shape (n, d)
    variables : ndarray, shape (n, k)
        Rows with NaN are left out.
    names : sequence of str
        Of the variables.
    field : ndarray of int, shape (n,)
        Kept together in folds.
    seed : int, optional

    Returns
    -------
    numbers : list of Number
        The formula itself is the method's name.
    """
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
            predicted[test] = sparse_formula(x[~test], y[~test], names)(x[test])
        score = 1 - np.mean((y - predicted) ** 2) / y.var()
        numbers.append(
            Number.of("formulas for the latents", f"R2 of latent {k}", str(sparse_formula(x, y, names)),
                      "all", known.sum(), score)
        )
    return numbers


def traversals(model, values=STEPS):
    """
    Decoded spectra along each latent, the others at zero.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    values : sequence of float, optional

    Returns
    -------
    spectra : ndarray, shape (n_latent, len(values), n_energy)
        Photons per bin of `~astro_xlatent.physics.grid.ENERGY_EDGES`, sum 1.
    """
    z = np.zeros((N_LATENT, len(values), N_LATENT))
    for k in range(N_LATENT):
        z[k, :, k] = values
    return model.decode(z.reshape(-1, N_LATENT)).reshape(N_LATENT, len(values), -1)


def traversal_summary(model, values=STEPS):
    """
    What each latent does to the spectrum, in numbers and for a figure.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    values : sequence of float, optional
        Positions along each latent, the others at zero.

    Returns
    -------
    summary : dict
        Plain lists, for a file of results: ``steps``; ``energy`` (keV) and
        ``spectra`` (latent, step, energy): E F(E) in keV2/keV for one photon
        between 0.5 and 7 keV; ``nh`` (log10 1/cm2, at least 20) and
        ``photon_index`` (latent, step) of the absorbed power law that fits
        best; ``hardness`` (latent, step, 2): photon-flux ratios of 0.5-1.2,
        1.2-2 and 2-7 keV.
    """
    from astro_xlatent.evaluate.hardness import CSC_EDGES, hardness_ratios
    from astro_xlatent.physics.bestfit import power_law_fit
    from astro_xlatent.physics.grid import ENERGY_MID, band_weights

    decoded = traversals(model, values)
    shape = decoded.shape[:2]
    flat = decoded.reshape(-1, decoded.shape[2]).astype(float)
    flat /= (flat @ band_weights([0.5], [7.0])[0])[:, None]
    nh, index = power_law_fit(flat)
    bands = flat @ band_weights(CSC_EDGES[:-1], CSC_EDGES[1:]).T
    weights = band_weights(_SHOWN[:-1], _SHOWN[1:])
    shown = (flat * ENERGY_MID**2) @ weights.T / np.diff(_SHOWN)
    return {
        "steps": [float(v) for v in values],
        "energy": np.sqrt(_SHOWN[:-1] * _SHOWN[1:]).round(4).tolist(),
        "spectra": [[[float(f"{x:.3g}") for x in row] for row in rows] for rows in shown.reshape(*shape, -1)],
        "nh": np.log10(np.maximum(nh, 1e20)).reshape(shape).round(2).tolist(),
        "photon_index": index.reshape(shape).round(2).tolist(),
        "hardness": hardness_ratios(bands)[:, :2].reshape(*shape, 2).round(2).tolist(),
    }
