# Licensed under a 3-clause BSD style license - see LICENSE
"""
Class priors: how probable each class is before its spectrum is seen.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax

from astro_xlatent.core.columns import CLASSES, OTHER
from astro_xlatent.core.errors import ParameterError

__all__ = ["OTHER", "GalacticPrior", "apply_prior", "galactic_features", "prior_weights"]

#: Every one of the eight classes keeps at least this probability.
FLOOR = 0.02
# Energy flux in erg/cm2/s that counts as zero in its logarithm.
_NO_FLUX = 1e-17


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
        msg = (f"prior is {prior!r}; allowed: None, 'galactic', a mapping of class names, "
               "or an (n, 9) array")
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


def galactic_features(lon, lat, flux):
    """
    What the galactic prior looks at.

    Parameters
    ----------
    lon, lat : ndarray, shape (n,)
        Galactic coordinates in degrees.
    flux : ndarray, shape (n,)
        Absorbed energy flux 0.5-7 keV, erg/cm2/s.

    Returns
    -------
    features : ndarray, shape (n, 7)
        Latitude on two scales, distance from the Galactic centre, logarithm
        of the flux, and products.
    """
    lon, lat = np.radians(lon), np.radians(lat)
    height = np.log10(np.abs(np.sin(lat)) + 0.01)
    plane = np.exp(-np.abs(np.degrees(lat)) / 2.0)
    centre = np.cos(lon) * np.cos(lat)
    bright = np.log10(np.maximum(flux, _NO_FLUX)) + 13.5
    return np.stack([height, plane, centre, bright, height**2, centre * plane, height * bright], axis=1)


class GalacticPrior:
    """
    Class prior from Galactic position and flux.

    A logistic regression with equal weight for every class, so that the
    frequencies of the literature sample it was fitted on do not enter; which
    sources the literature looked at still does.

    Parameters
    ----------
    table : dict
        ``mean`` and ``scale`` of the features, ``coefficient`` (8, 7) and
        ``intercept`` (8,), as stored with the model.
    lon, lat : ndarray, shape (n,)
        Galactic coordinates of the rows in degrees; NaN gives equal weights.
    """

    def __init__(self, table, lon, lat):
        self._table = {k: np.array(v) for k, v in table.items()}
        self.lon, self.lat = lon, lat

    def weights(self, rows, flux):
        """
        Weights of the nine classes for some rows.

        Parameters
        ----------
        rows : ndarray of int
            Which rows.
        flux : ndarray
            Their fluxes, 0.5-7 keV, erg/cm2/s.

        Returns
        -------
        weights : ndarray, shape (len(rows), 9)
            "other" gets a ninth; the eight share the rest, none below `FLOOR`.
        """
        features = galactic_features(self.lon[rows], self.lat[rows], flux)
        scaled = (features - self._table["mean"]) / self._table["scale"]
        logits = scaled @ self._table["coefficient"].T + self._table["intercept"]
        eight = softmax(np.nan_to_num(logits), axis=1)
        eight[~np.isfinite(logits).all(axis=1)] = 1 / len(CLASSES)
        eight = FLOOR + (1 - FLOOR * len(CLASSES)) * eight
        other = np.full((len(eight), 1), 1 / (len(CLASSES) + 1))
        return np.concatenate([eight * (1 - other), other], axis=1)


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
