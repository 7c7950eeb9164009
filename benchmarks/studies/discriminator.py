# Licensed under a 3-clause BSD style license - see LICENSE
"""
Can simulated rows be told from real ones?

Gradient boosting with fixed settings tries to separate real from simulated
rows of one class by two hardness ratios and the significance. An area under
the ROC curve of 0.5 means that it cannot.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.features import hardness_ratios
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from benchmarks.studies.mock import mock_rows

__all__ = ["Rows", "compare_classes", "discriminate", "fluxes_like", "hardness_features", "simulate_like"]

#: Expected counts are about 1.25 times the squared significance: (1.12 sqrt(N) / N)^-2.
_COUNTS_PER_S2 = 1.25
_QUANTILES = np.linspace(0.0, 1.0, 41)
_BOOSTING = {
    "max_iter": 80,
    "learning_rate": 0.08,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 15,
    "l2_regularization": 1.0,
}


@dataclass
class Rows:
    """
    Real rows with band fluxes.

    Attributes
    ----------
    label : ndarray of str, shape (n,)
    flux, error : ndarray, shape (n, 3)
        Energy fluxes of bands s, m, h and their errors.
    """

    label: np.ndarray
    flux: np.ndarray
    error: np.ndarray

    @classmethod
    def of_sources(cls, labeled):
        """
        Take the averaged fluxes of the labeled sources.

        Parameters
        ----------
        labeled : `~benchmarks.labels.Labeled`
            From `~benchmarks.labels.load_sources`.

        Returns
        -------
        rows : Rows
        """
        flux, error = (
            np.stack([labeled.column(f"{prefix}flux_aper90_ave_{band}") for band in "smh"], axis=1)
            for prefix in ("", "e_")
        )
        return cls(labeled.label, flux, error)

    def __getitem__(self, rows):
        return Rows(self.label[rows], self.flux[rows], self.error[rows])

    def __len__(self):
        return len(self.label)


def hardness_features(flux, error):
    """
    Hardness ratios of energy fluxes and the significance.

    Parameters
    ----------
    flux, error : ndarray, shape (n, 3)
        Bands s, m and h.

    Returns
    -------
    features : ndarray, shape (n, 3)
        (m - s) / (m + s), (h - m) / (h + m), and log10 of the quadratic sum
        of flux over error.
    """
    ratios = hardness_ratios(np.maximum(flux, 1e-300))[:, :2]
    significance = np.sqrt(((flux / error) ** 2).sum(axis=1, keepdims=True))
    return np.concatenate([ratios, np.log10(np.maximum(significance, 0.01))], axis=1)


def simulate_like(label, real, n, instruments, rng, averaged=True, **options):
    """
    Simulate rows of one class with the significances of real ones.

    Only the distribution of the number of counts is taken from the real rows
    (41 quantiles of their significance, corrected once for the noise);
    spectra come from the population alone.

    Parameters
    ----------
    label : str or None
        Class; None draws generic sources, tied to no class.
    real : ndarray, shape (m, 3)
        Features of real rows (`hardness_features`).
    n : int
        Number of rows.
    instruments : list of Instrument
        Chandra responses.
    rng : numpy.random.Generator
    averaged : bool, optional
        As for `~benchmarks.studies.mock.mock_rows`.
    **options
        For `~astro_xlatent.simulate.populations.draw_sources`: ``tuned``, ``parameters``.

    Returns
    -------
    features : ndarray, shape (n, 3)
    """
    return hardness_features(*fluxes_like(label, real, n, instruments, rng, averaged, **options))


def fluxes_like(label, real, n, instruments, rng, averaged=True, **options):
    """
    The same with fluxes.

    Parameters
    ----------
    label, real, n, instruments, rng, averaged, **options
        As for `simulate_like`.

    Returns
    -------
    flux, error : ndarray, shape (n, 3)
        Bands s, m and h; rows fainter than every real one are left out.
    """
    wanted = np.quantile(real[:, 2], _QUANTILES)
    index = -1 if label is None else CLASSES.index(label)
    sources = draw_sources(np.full(n, index), rng, **options)
    position = rng.random(n)
    log_counts = np.log10(_COUNTS_PER_S2) + 2 * wanted
    flux = error = features = None
    for _ in range(2):
        counts = 10 ** np.interp(position, _QUANTILES, log_counts)
        flux, error = mock_rows(sources.spectrum, counts, instruments, rng, averaged)
        features = hardness_features(flux, error)
        got = np.quantile(features[:, 2], _QUANTILES)
        log_counts = np.maximum.accumulate(log_counts + 2 * (wanted - got))
    bright = features[:, 2] >= wanted[0]
    return flux[bright], error[bright]


def discriminate(real, simulated, seed=0, n_boot=200, group=None, drawn=None):
    """
    Area under the ROC curve of real against simulated rows.

    Parameters
    ----------
    real, simulated : ndarray, shape (n, n_features), (m, n_features)
    seed : int, optional
        Of folds and bootstrap.
    n_boot : int, optional
        Bootstrap repeats, over rows of either kind.
    group : ndarray of int, shape (n,), optional
        Of real rows that stay in one fold, such as those of a sky field.
    drawn : ndarray of int, shape (m,), optional
        Numbers of the simulated rows: those drawn twice stay in one fold, lest they be recognized.

    Returns
    -------
    auc, upper : float
        Cross-validated (five folds) and the 90 % bootstrap upper bound.

    Raises
    ------
    ParameterError
        If there are fewer than ten rows of either kind.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    if min(len(real), len(simulated)) < 10:
        got = f"{len(real)} real and {len(simulated)} simulated"
        msg = f"at least 10 rows of either kind are needed, got {got}"
        raise ParameterError(msg)
    x = np.concatenate([real, simulated])
    y = np.repeat([1, 0], [len(real), len(simulated)])
    score = np.empty(y.size)
    group = np.arange(len(real)) if group is None else group
    drawn = np.arange(len(simulated)) if drawn is None else drawn
    group = np.concatenate([group, group.max() + 1 + drawn])
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(x, y, group):
        boosting = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed, **_BOOSTING)
        score[test] = boosting.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return _bootstrap_auc(score[y == 1], score[y == 0], np.random.default_rng(seed), n_boot)


def _auc(positive, negative):
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / 2 / negative.size)


def _bootstrap_auc(positive, negative, rng, n_boot):
    repeats = [
        _auc(rng.choice(positive, positive.size), rng.choice(negative, negative.size)) for _ in range(n_boot)
    ]
    return _auc(positive, negative), float(np.quantile(repeats, 0.9))


def compare_classes(real, counts_like, instruments, *, seed=0, factor=4, generic=False, **options):
    """
    Discriminate every class, and all together.

    Parameters
    ----------
    real : Rows
        Rows to be told from simulated ones.
    counts_like : Rows
        Rows whose significances the simulation takes, per class.
    instruments : list of Instrument
    seed : int, optional
    factor : int, optional
        Simulated rows per real row, at least 1,000 a class.
    generic : bool, optional
        Simulate sources of wide mixtures instead of the class: a control.
    **options
        For `simulate_like`.

    Returns
    -------
    table : dict
        label -> (n_real, auc, upper); the key ``"all"`` joins the classes, in
        the real rows' proportions.
    """
    rng = np.random.default_rng(seed)
    table, joined = {}, []
    for label in CLASSES[:-1]:
        features = hardness_features(real.flux, real.error)[real.label == label]
        like = hardness_features(counts_like.flux, counts_like.error)[counts_like.label == label]
        if len(features) < 10:
            continue
        n = max(factor * len(features), 1000)
        simulated = simulate_like(None if generic else label, like, n, instruments, rng, **options)
        table[label] = (len(features), *discriminate(features, simulated, seed))
        joined.append((features, simulated[: factor * len(features)]))
    everything = [np.concatenate(part) for part in zip(*joined, strict=True)]
    table["all"] = (len(everything[0]), *discriminate(*everything, seed))
    return table
