# Licensed under a 3-clause BSD style license - see LICENSE
"""
The latents of enriched rows as Gaussians: posteriors, and the likelihoods behind them, which are
posteriors over the prior, N(0, 1) by the definition of the latents.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, N_LATENT, all_probabilities
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag

__all__ = ["MIN_INFORMATION", "REPEATED", "class_probabilities", "expected_weighted", "inverse_square",
           "latent_gaussians", "likelihoods", "plain_column"]

#: Information, relative to the prior's, below which a direction of the latents counts as not measured
#: when observations are compared. What a posterior holds there is not data but the population, which
#: is no Gaussian: divided by N(0, 1) it looks like a measurement.
MIN_INFORMATION = 0.3
#: Variance of a repeated posterior mean over what Gaussian posteriors imply. Part of a posterior's width
#: is doubt between kinds of sources, which a second observation shares. Chosen on simulated repeats so
#: that p-values err towards no change but in their far tail, less than without it;
#: ``benchmarks/bench_change.py`` prints them on others.
REPEATED = 0.75


def latent_gaussians(table: Table, rows: slice | np.ndarray = slice(None),
                     ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Means (n, 8), covariances (n, 8, 8), diagonal where only errors are known, and which rows are usable.
    Rows that are masked, not finite, without positive variance or detection are not: they hold the prior.
    """
    mean, masked = plain_column(table, "xl_latent", rows, (N_LATENT,))
    if "xl_latent_cov" in table.colnames:
        covariance, also = plain_column(table, "xl_latent_cov", rows, (N_LATENT, N_LATENT))
        variance = np.diagonal(covariance, axis1=1, axis2=2)
    else:
        error, also = plain_column(table, "xl_latent_err", rows, (N_LATENT,))
        variance = error**2
        covariance = np.where(np.eye(N_LATENT, dtype=bool), variance[:, :, None], 0.0)
    usable = ~(masked | also) & np.isfinite(mean).all(axis=1) & (variance > 0).all(axis=1)
    usable &= np.isfinite(covariance).all(axis=(1, 2))
    if "xl_flag" in table.colnames:
        flags = np.ma.filled(np.ma.asarray(table["xl_flag"][rows]), 0).astype(np.int64)
        usable &= flags & Flag.NO_SOURCE == 0
    mean = np.where(usable[:, None], mean, 0.0)
    return mean, np.where(usable[:, None, None], covariance, np.eye(N_LATENT)), usable


def plain_column(table: Table, name: str, rows: slice | np.ndarray,
                 shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of a column of a given shape a row, as float64, and which are masked anywhere."""
    if name not in table.colnames:
        msg = f"the table has no column {name!r}; enrich it first with add_latents"
        raise TableError(msg)
    column = table[name]
    if column.shape[1:] != shape:
        msg = f"column {name!r} has shape {column.shape}; {(len(table), *shape)} is needed"
        raise TableError(msg)
    values = np.ma.asarray(getattr(column[rows], "value", column[rows]))
    masked = np.ma.getmaskarray(values).any(axis=tuple(range(1, values.ndim)))
    return np.ma.getdata(values).astype(float), np.asarray(masked)


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
    Information (inverse covariance; none where a posterior is broader than the prior), at ``least`` so much
    in every direction, and information times mean, of the likelihoods behind posteriors. ``variability``
    is the variance in every direction by which a source scatters between observations.
    """
    spread, axes = np.linalg.eigh(covariance)
    spread = np.maximum(spread, 1e-8)
    measured = np.maximum(1.0 / spread - 1.0, 0.0)
    weighted = np.where(measured > 0, np.einsum("nji,nj->ni", axes, mean) / spread, 0.0)
    # A bound widens nothing but the error of what is hardly measured.
    bounded = np.maximum(measured, least)
    diluted = 1.0 + bounded * variability
    information = np.einsum("nij,nj,nkj->nik", axes, bounded / diluted, axes, optimize=True)
    return information, np.einsum("nij,nj->ni", axes, weighted / diluted)


def expected_weighted(covariance: np.ndarray, variability: float = 0.0,
                      least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Slope and noise (n, 8, 8): what `likelihoods` weighs is slope times the latents' mean, +- noise."""
    spread, axes = np.linalg.eigh(covariance)
    measured = np.maximum(1.0 / np.maximum(spread, 1e-8) - 1.0, 0.0)
    diluted = 1.0 + np.maximum(measured, least) * variability

    def matrix(values):
        return np.einsum("nij,nj,nkj->nik", axes, values, axes, optimize=True)

    return matrix(measured / diluted), matrix(measured * (1.0 + measured * variability) / diluted**2)


def inverse_square(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """v' M^-1 v of matrices (n, 8, 8) and vectors (n, 8)."""
    return np.einsum("ni,ni->n", vector, np.linalg.solve(matrix, vector[..., None])[..., 0])
