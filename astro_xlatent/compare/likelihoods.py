# Licensed under a 3-clause BSD style license - see LICENSE
"""
The latents of enriched rows as Gaussians: posteriors, and the likelihoods behind them.

The posterior of one observation is a Gaussian, the prior N(0, 1) by the
definition of the latents. Their quotient is the observation's likelihood.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, N_LATENT, all_probabilities
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag

__all__ = [
    "MIN_INFORMATION",
    "REPEATED",
    "class_probabilities",
    "expected_weighted",
    "latent_gaussians",
    "likelihoods",
    "plain_column",
]

#: Information, relative to the prior's, below which a direction of the latents
#: counts as not measured when observations are compared. What a posterior holds
#: there is not data but the population, which is no Gaussian: divided by
#: N(0, 1) it looks like a measurement.
MIN_INFORMATION = 0.3
#: Variance of a repeated posterior mean over what Gaussian posteriors imply. Part of
#: a posterior's width is doubt between kinds of sources, which a second observation
#: shares. Chosen on simulated repeats so that p-values err towards no change but
#: in their far tail, less than without it; ``benchmarks/bench_change.py`` prints them on others.
REPEATED = 0.75


def latent_gaussians(table: Table, rows: slice | np.ndarray = slice(None),
                     ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Means (n, 8) and covariances (n, 8, 8) of the latents of an enriched table's rows, and which are usable.

    The covariance is diagonal where only errors are known. Rows that are masked, not
    finite, without a positive variance, or in which ``xl_flag`` says that nothing was
    detected, cannot be used and hold the prior.
    """
    mean, masked = plain_column(table, "xl_latent", rows, (N_LATENT,))
    if "xl_latent_cov" in table.colnames:
        covariance, also = plain_column(table, "xl_latent_cov", rows, (N_LATENT, N_LATENT))
        variance = np.diagonal(covariance, axis1=1, axis2=2)
    else:
        error, also = plain_column(table, "xl_latent_err", rows, (N_LATENT,))
        variance = error**2
        covariance = np.zeros((*variance.shape, N_LATENT))
        covariance[:, np.arange(N_LATENT), np.arange(N_LATENT)] = variance
    usable = ~(masked | also) & np.isfinite(mean).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2))
    usable &= (variance > 0).all(axis=1)
    if "xl_flag" in table.colnames:
        flags = np.ma.filled(np.ma.asarray(table["xl_flag"][rows]), 0).astype(np.int64)
        usable &= flags & Flag.NO_SOURCE == 0
    mean = np.where(usable[:, None], mean, 0.0)
    return mean, np.where(usable[:, None, None], covariance, np.eye(N_LATENT)), usable


def plain_column(table: Table, name: str, rows: slice | np.ndarray,
                 shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """
    Values of some rows of a column, of a given shape a row, as float64, and which rows are masked anywhere;
    a column that is missing or of another shape is refused.
    """
    if name not in table.colnames:
        msg = f"the table has no column {name!r}; enrich it first with add_latents"
        raise TableError(msg)
    column = table[name]
    if column.shape[1:] != shape:
        msg = f"column {name!r} has shape {column.shape}; {(len(table), *shape)} is needed"
        raise TableError(msg)
    column = column[rows]
    mask = np.ma.getmaskarray(np.ma.asarray(getattr(column, "value", column)))
    values = np.ma.getdata(np.ma.asarray(getattr(column, "value", column))).astype(float)
    return values, np.asarray(mask.any(axis=tuple(range(1, mask.ndim))))


def class_probabilities(table: Table) -> np.ndarray | None:
    """Probabilities of nine classes (n, 9), uniform where masked; None without the columns."""
    if not {"xl_class_prob", "xl_class_other"} <= set(table.colnames):
        return None
    eight, masked = plain_column(table, "xl_class_prob", slice(None), (len(CLASSES),))
    other, also = plain_column(table, "xl_class_other", slice(None), ())
    nine = all_probabilities(eight, other)
    known = ~(masked | also) & np.isfinite(nine).all(axis=1)
    return np.where(known[:, None], nine, 1 / nine.shape[1])


def likelihoods(mean: np.ndarray, covariance: np.ndarray, variability: float = 0.0,
                least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Gaussian likelihoods behind posteriors (n, 8), (n, 8, 8): the prior N(0, 1) divided out.

    ``variability`` is the variance, in every direction, by which a source's latents
    scatter about their mean from one observation to the next, ``least`` the lower
    bound of the information in every direction. Gives the information (n, 8, 8), the
    inverse covariance of each likelihood, none where a posterior is broader than the
    prior, and the information times the likelihood's mean (n, 8).
    """
    spread, axes = np.linalg.eigh(covariance)
    along = np.einsum("nji,nj->ni", axes, mean)
    spread = np.maximum(spread, 1e-8)
    measured = np.maximum(1.0 / spread - 1.0, 0.0)
    weighted = np.where(measured > 0, along / spread, 0.0)
    # A bound widens nothing but the error of what is hardly measured.
    bounded = np.maximum(measured, least)
    diluted = 1.0 + bounded * variability
    information = np.einsum("nij,nj,nkj->nik", axes, bounded / diluted, axes, optimize=True)
    return information, np.einsum("nij,nj->ni", axes, weighted / diluted)


def expected_weighted(covariance: np.ndarray, variability: float = 0.0,
                      least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Moments of what `likelihoods` returns as ``weighted``, given the latents: its expectation is slope times
    the latents' mean, its covariance about that is noise, (n, 8, 8) each.
    """
    spread, axes = np.linalg.eigh(covariance)
    measured = np.maximum(1.0 / np.maximum(spread, 1e-8) - 1.0, 0.0)
    diluted = 1.0 + np.maximum(measured, least) * variability

    def matrix(values):
        return np.einsum("nij,nj,nkj->nik", axes, values, axes, optimize=True)

    return matrix(measured / diluted), matrix(measured * (1.0 + measured * variability) / diluted**2)
