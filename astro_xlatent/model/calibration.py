# Licensed under a 3-clause BSD style license - see LICENSE
"""Corrections by mode and net counts that make stated probabilities come true, stored beside the weights."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, softmax

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.model.density import interpolate_rows, recalibrated_density
from astro_xlatent.model.fluxes import FLUX_BANDS
from astro_xlatent.model.network import HEADS, Config

__all__ = ["TABLES", "WEIGHTS", "Calibration", "Table", "at_counts", "half_log_volume", "joint_score"]

#: Weights of the parts of ``xl_outlier``. Chosen on `benchmarks.studies.oddities.TUNING` among
#: weights of 0 to 1 by the share detected; the best were close, and those were left out with
#: which latents far from all simulations are not odd enough by themselves.
WEIGHTS = {"evidence": 0.5, "gof": 1.0, "run": 1.0, "distance": 0.75}
#: Where the exponential tail of a p-value ends.
LEAST_P = 1e-6
#: p-value of a fit below which it is poor.
POOR_LEVEL = 0.01
#: p-value of a fit, in the exponential tail beyond all simulations, below which the model does not apply.
FOREIGN_LEVEL = 1e-4
#: What is odd of a best fit where it is large.
FIT = ("gof", "run", "distance")


class Table(NamedTuple):
    """What a table of one mode has for a node: what changes nothing, and the least and largest value."""

    neutral: Any
    low: float
    high: float
    #: Whether its rows are quantiles, or a distribution function, at the probabilities ``levels``.
    rising: bool = False


#: Table of N_H by class, which older models lack.
CLASS_TABLE = "nh_share"
#: Tables of a mode. Those of `FIT` and the joint p-value ``odd`` are of spectra only.
TABLES = {
    "latent_scale": Table(1.0, 1e-4, 1e4), "class_temperature": Table(1.0, 1e-2, 1e2),
    "class_level": Table(0.9, 0.0, 1.0 + 1e-6), "evidence_slope": Table(0.0, -1e2, 1e2),
    **{f"{head}_temperature": Table(1.0, 1e-2, 1e2) for head in HEADS},
    **{f"{head}_below": Table([0.0, 1.0], 0, 1, rising=True) for head in HEADS},
    **{f"flux_{band}": Table([1.0, 1.0], 0, 1e3) for band in FLUX_BANDS},
    **{name: Table(ends, -1e12, 1e12, rising=True) for name, ends in (
        ("evidence", [-30.0, 0.0]), ("gof", [-3.0, 3.0]), ("run", [0.0, 30.0]), ("distance", [0.0, 50.0]),
        ("odd", [-15.0, 0.0]))},
    CLASS_TABLE: Table([[0.0, 1.0]] * (len(CLASSES) + 1), 0, 1, rising=True),
}


def joint_score(p_values: dict[str, np.ndarray]) -> np.ndarray:
    """
    Weighted Fisher statistic of several p-values, small if odd (Fisher 1925; Good 1955, JRSS B 17, 264). They
    are not independent; its distribution is that over simulations.
    """
    return np.sum([WEIGHTS[name] * np.log(p) for name, p in p_values.items()], axis=0)


def at_counts(table: ArrayLike, nodes: np.ndarray | Sequence[float], net: np.ndarray) -> np.ndarray:
    """A table (nodes, ...) at net counts (n,), linear between nodes of their logarithm, constant beyond."""
    table, last = np.asarray(table), len(nodes) - 1
    place = np.interp(np.log10(np.maximum(net, 1e-3)), nodes, np.arange(last + 1))
    below = place.astype(int)
    part = (place - below).reshape(-1, *[1] * (table.ndim - 1))
    return (1 - part) * table[below] + part * table[np.minimum(below + 1, last)]


class Calibration:
    """
    Calibration of one model; methods take the mode and the net counts of n rows, and give rows first.
    ``tables`` hold ``nodes`` (log10 net counts), ``levels``, `TABLES` by mode, ``mixture`` (weight, mean and
    covariance of simulated latents) and ``prior``, the densities of `HEADS` over simulated sources.
    """

    def __init__(self, tables: dict):
        self.tables = tables
        self.nodes = np.array(tables["nodes"])
        self.levels = np.array(tables["levels"])
        self.mixture = {k: np.array(v) for k, v in tables["mixture"].items()}
        self.prior = {k: np.array(v) for k, v in tables["prior"].items()}

    @classmethod
    def identity(cls, config: Config) -> Self:
        """Change nothing: for a model that is not yet calibrated."""
        flat = {name: [table.neutral] for name, table in TABLES.items() if name != CLASS_TABLE}
        d, cells = config.n_latent, {name: getattr(config, f"n_{name}") for name in HEADS}
        return cls({"nodes": [2.0], "levels": [0.0, 1.0], "bands": flat, "spectra": flat,
                    "mixture": {"weight": [1.0], "mean": [[0.0] * d], "covariance": [np.eye(d).tolist()]},
                    "prior": {name: [1 / n] * n for name, n in cells.items()}})

    def at(self, mode: str, name: str, net: np.ndarray) -> np.ndarray:
        """What a table has at counts, (n, ...), such as ``latent_scale``, the factor on the covariance."""
        return at_counts(self.tables[mode][name], self.nodes, net)

    def density(self, head: str, mode: str, net: np.ndarray, logits: np.ndarray,
                class_prob: np.ndarray) -> np.ndarray:
        """Density (n, cells), conformal on simulations of like counts, of N_H also of like class (n, 9)."""
        density = softmax(logits / self.at(mode, f"{head}_temperature", net)[:, None], axis=1)
        if head == "nh" and CLASS_TABLE in self.tables[mode]:
            share = np.einsum("nk,nkl->nl", class_prob, self.at(mode, CLASS_TABLE, net))
            return recalibrated_density(density, np.broadcast_to(self.levels, share.shape), share)
        return recalibrated_density(density, self.at(mode, f"{head}_below", net), self.levels)

    def flux_limits(self, band: str, mode: str, net: np.ndarray, limits: np.ndarray) -> np.ndarray:
        """Lower limit, median and upper limit of a flux, (n, 3), with conformal distances from the median."""
        factor, median = np.insert(self.at(mode, f"flux_{band}", net), 1, 1.0, axis=1), limits[:, 1:2]
        return np.maximum(median + factor * (limits - median), 0.0)

    def class_set(self, mode: str, net: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """
        Conformal sets of classes (Romano et al. 2020, arXiv:2006.02544), tuples of indices: the most
        probable, down to the summed ``probability`` (n, 9) that holds the true class of 90 % of like
        simulated sources.
        """
        needed = self.at(mode, "class_level", net)
        order = np.argsort(-probability, axis=1)
        together = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
        size = np.maximum(np.sum(together <= needed[:, None] + 1e-9, axis=1), 1)
        sets = np.empty(len(probability), object)
        sets[:] = [tuple(row[:k].tolist()) for row, k in zip(order, size, strict=True)]
        return sets

    def evidence(self, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Log density of Gaussian posteriors under the simulated latents, (n,); small far from them."""
        total, columns = [], np.array(covariance.transpose(1, 2, 0), np.float32, order="C")
        for weight, center, spread in zip(*(self.mixture[k] for k in ("weight", "mean", "covariance")),
                                          strict=True):
            distance, log_volume = _distance_and_volume(columns + spread[..., None].astype(np.float32),
                                                        (mean - center).T.astype(np.float32, order="C"))
            total.append(np.log(weight) - 0.5 * distance - log_volume)
        # Relative to the posterior's own volume, so that broad and narrow ones are compared alike.
        return logsumexp(total, axis=0) + half_log_volume(covariance)

    def levelled_evidence(self, mode: str, net: np.ndarray, mean: np.ndarray,
                          covariance: np.ndarray) -> np.ndarray:
        """The `evidence`, freed of its dependence on how much the data tell: five bands more than three."""
        slope = self.at(mode, "evidence_slope", net)
        return self.evidence(mean, covariance) - slope * half_log_volume(covariance)

    def _p_value(self, mode, name, net, value):
        """Share of simulated sources of like counts that are at least as odd; 1 where unknown."""
        p = interpolate_rows(np.asarray(value)[:, None], self.at(mode, name, net), self.levels)[:, 0]
        p = np.maximum(1 - p if name in FIT else p, 0.5 * (self.levels[1] - self.levels[0]))
        return np.where(np.isnan(value), 1.0, p)

    def _tail_p(self, mode, name, net, value):
        """The same with an exponential tail, so that one very odd part can outweigh ordinary others."""
        quantiles = self.at(mode, name, net)
        # Weights of the quantiles in those at these levels, the same for all rows.
        near, far = (quantiles @ [np.interp(level, self.levels, one) for one in np.eye(self.levels.size)]
                     for level in ((0.95, 0.99) if name in FIT else (0.05, 0.01)))
        beyond = np.maximum((value - far) / np.where(far == near, 1.0, far - near), 0.0)
        p = np.maximum(self._p_value(mode, name, net, value), 0.01)
        return np.where(beyond > 0, np.maximum(0.01 * 5.0**-beyond, LEAST_P), p)

    def oddness(self, mode: str, net: np.ndarray, mean: np.ndarray, covariance: np.ndarray,
                fit: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """
        p-values against simulations of like counts, by name: ``evidence`` of the latents, and for spectra
        `FIT` (1 where unknown). Below 1 % the tail of the simulations is continued as an exponential.
        """
        parts = {"evidence": self.levelled_evidence(mode, net, mean, covariance)}
        parts |= fit if mode == "spectra" else {}
        return {name: self._tail_p(mode, name, net, value) for name, value in parts.items()}

    def outlier(self, mode: str, net: np.ndarray, mean: np.ndarray, covariance: np.ndarray,
                fit: dict[str, np.ndarray]) -> np.ndarray:
        """
        p-value (n,) of a row: for spectra by the `joint_score`, at most `FOREIGN_LEVEL` where
        `not_this_model`; for bands, and where the fit is unknown, that of the evidence.
        """
        p = self.oddness(mode, net, mean, covariance, fit)
        alone = np.maximum(p["evidence"], 0.5 * (self.levels[1] - self.levels[0]))
        if mode == "bands":
            return alone
        joint = self._p_value(mode, "odd", net, joint_score(p))
        joint = np.where(self.not_this_model(net, fit), np.minimum(joint, FOREIGN_LEVEL), joint)
        return np.where(np.isfinite(fit["gof"]), joint, alone)

    def poor_fit(self, net: np.ndarray, gof: np.ndarray) -> np.ndarray:
        """True where the goodness of fit is worse than that of all but 1 % of simulations."""
        return self._p_value("spectra", "gof", net, gof) < POOR_LEVEL

    def not_this_model(self, net: np.ndarray, fit: dict[str, np.ndarray]) -> np.ndarray:
        """True where no simulated source of like counts, or of the most, fits as badly; False if unknown."""
        return np.min([self._tail_p("spectra", name, net, fit[name]) for name in ("gof", "run")],
                      axis=0) < FOREIGN_LEVEL


def half_log_volume(covariance: np.ndarray) -> np.ndarray:
    """Half the log determinant of covariance matrices, shape (n,)."""
    columns = np.array(covariance.transpose(1, 2, 0), order="C")
    return _distance_and_volume(columns, np.zeros(columns.shape[1:]))[1]


def _distance_and_volume(left, right):
    """
    Squared Mahalanobis distance and half the log determinant, (n,), of matrices (8, 8, n) and offsets (8, n),
    which are overwritten: all at once, for LAPACK's calls one by one take longer than their arithmetic.
    """
    distance = log_volume = 0.0
    for k in range(len(right)):
        pivot = left[k, k]
        distance, log_volume = distance + right[k] ** 2 / pivot, log_volume + 0.5 * np.log(pivot)
        factor = left[k + 1:, k] / pivot
        left[k + 1:, k + 1:] -= factor[:, None] * left[k, k + 1:]
        right[k + 1:] -= factor * right[k]
    return distance, log_volume
