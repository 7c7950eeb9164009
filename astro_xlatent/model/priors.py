# Licensed under a 3-clause BSD style license - see LICENSE
"""
Class priors: how probable each class is before its spectrum is seen.
"""

from collections.abc import Mapping

import numpy as np

from astro_xlatent.columns import CLASSES
from astro_xlatent.errors import ParameterError

__all__ = ["OTHER", "apply_prior", "prior_weights"]

#: Name of the ninth class.
OTHER = "other"


def prior_weights(prior, n_rows):
    """
    Weights of the nine classes for every row.

    Parameters
    ----------
    prior : None, mapping, or array_like
        None: all alike. A mapping from class name (or ``"other"``) to a
        weight, zero where left out. An array of shape (9,) or (n, 9); with
        8 columns "other" gets their mean.
    n_rows : int
        Number of rows.

    Returns
    -------
    weights : ndarray, shape (n_rows, 9)
        Rows sum to one.

    Raises
    ------
    ParameterError
        If classes are unknown, shapes do not fit, or weights are negative,
        NaN or all zero.

    Examples
    --------
    >>> prior_weights({"AGN": 3, "YSO": 1}, 1)[0, 0].item()
    0.75
    """
    n_classes = len(CLASSES) + 1
    if prior is None:
        return np.full((n_rows, n_classes), 1 / n_classes)
    if isinstance(prior, str):
        msg = f"prior is {prior!r}; allowed: None, a mapping of class names, or an (n, 9) array"
        raise ParameterError(msg)
    weights = _from_mapping(prior) if isinstance(prior, Mapping) else np.asarray(prior, float)
    if weights.ndim and weights.shape[-1] == len(CLASSES):
        weights = np.concatenate([weights, weights.mean(axis=-1, keepdims=True)], axis=-1)
    if weights.shape not in ((n_classes,), (n_rows, n_classes)):
        msg = (f"prior has shape {weights.shape}; allowed: ({n_classes},), ({n_rows}, {n_classes}), "
               f"or the same with {len(CLASSES)} columns")
        raise ParameterError(msg)
    weights = np.broadcast_to(weights, (n_rows, n_classes))
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or np.any(weights.sum(axis=1) <= 0):
        msg = "prior weights must be finite, not negative, and not all zero in any row"
        raise ParameterError(msg)
    return weights / weights.sum(axis=1, keepdims=True)


def _from_mapping(prior):
    names = [*CLASSES, OTHER]
    unknown = sorted(str(k) for k in set(prior) - set(names))
    if unknown:
        msg = f"prior names unknown classes {unknown}; allowed: {names}"
        raise ParameterError(msg)
    return np.array([float(prior.get(name, 0.0)) for name in names])


def apply_prior(probability, weights):
    """
    Class probabilities for a prior, from those for equal priors.

    Parameters
    ----------
    probability, weights : ndarray, shape (n, 9)
        Probabilities for equal priors, and the prior.

    Returns
    -------
    posterior : ndarray, shape (n, 9)
        Proportional to their product; rows sum to one.
    """
    product = np.maximum(probability, 1e-12) * weights
    return product / product.sum(axis=1, keepdims=True)
