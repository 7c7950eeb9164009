# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the latents mean: decoded traversals, and compact formulas.
"""

from itertools import combinations_with_replacement

import numpy as np

from astro_xlatent.columns import N_LATENT
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.results import Number

__all__ = ["Formula", "formula_numbers", "sparse_formula", "traversals"]

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
    return np.stack(
        [np.prod(x[:, list(term)], axis=1) if term else np.ones(len(x)) for term in terms], axis=1
    )


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
    centred = design - design.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    chosen, coefficients, rest = [], np.array([y.mean()]), y - y.mean()
    for _ in range(min(max_terms, len(candidates))):
        gain = np.abs(centred.T @ rest) / np.where(norm > 1e-9, norm, np.inf)
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
            Number.of(
                "formulas for the latents",
                f"R2 of latent {k}",
                str(sparse_formula(x, y, names)),
                "all",
                known.sum(),
                score,
            )
        )
    return numbers


def traversals(model, values=(-2, -1, 0, 1, 2)):
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
