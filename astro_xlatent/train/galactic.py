# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fitting the galactic class prior on sources with a class from the literature.
"""

from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.evaluate.labels import load_sources
from astro_xlatent.evaluate.sample import load_sky
from astro_xlatent.evaluate.split import MATCH
from astro_xlatent.model.priors import galactic_features

__all__ = ["fit_galactic_prior", "galactic_sample", "match_prior"]


def galactic_sample(sources):
    """
    Features and classes of labelled sources.

    Parameters
    ----------
    sources : `~astro_xlatent.evaluate.labels.Labelled`
        From `~astro_xlatent.evaluate.labels.load_sources`.

    Returns
    -------
    features : ndarray, shape (n, 7)
    label : ndarray of str, shape (n,)
    """
    position = SkyCoord(sources.column("ra"), sources.column("dec"), unit="deg").galactic
    flux = sum(np.nan_to_num(sources.column(f"flux_aper90_ave_{band}")) for band in "smh")
    return galactic_features(position.l.deg, position.b.deg, flux), sources.label


def match_prior(data):
    """
    The galactic prior of the MATCH fields, so that JUDGE fields can judge it.

    Parameters
    ----------
    data : path-like
        Folder with ``labels/`` and ``spectra/``.

    Returns
    -------
    table : dict of list
    """
    sources = load_sources(Path(data) / "labels" / "csc2_labelled_sources.csv")
    _, split = load_sky(data).assign(sources.column("ra"), sources.column("dec"))
    features, label = galactic_sample(sources)
    return fit_galactic_prior(features[split == MATCH], label[split == MATCH])


def fit_galactic_prior(features, label):
    """
    Logistic regression of the class, every class with equal weight.

    Parameters
    ----------
    features : ndarray, shape (n, 7)
        As `~astro_xlatent.model.priors.galactic_features` gives them.
    label : ndarray of str, shape (n,)
        Names of `~astro_xlatent.core.columns.CLASSES`, each at least once.

    Returns
    -------
    table : dict of list
        What `~astro_xlatent.model.priors.GalacticPrior` takes.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), features.std(axis=0)
    fit = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    fit.fit((features - mean) / scale, label)
    order = [list(fit.classes_).index(name) for name in CLASSES]
    return {"mean": mean.round(6).tolist(), "scale": scale.round(6).tolist(),
            "coefficient": fit.coef_[order].round(6).tolist(),
            "intercept": fit.intercept_[order].round(6).tolist()}
