# Licensed under a 3-clause BSD style license - see LICENSE
"""
Corrections that make stated probabilities come true, applied at inference.

They are fitted on simulations after training (`astro_xlatent.train.calibrate`)
and stored as JSON beside the weights. All depend on the mode (bands or
spectra) and on the logarithm of the net counts, linearly between nodes.
"""

from typing import Self

import numpy as np
from scipy.special import logsumexp, softmax

from astro_xlatent.model.density import interpolate_rows, recalibrated_density
from astro_xlatent.model.network import Config

__all__ = ["WEIGHTS", "Calibration", "half_log_volume", "joint_score"]

#: Weights of the parts of ``xl_outlier``. Chosen on `benchmarks.studies.oddities.TUNING` among
#: weights of 0 to 1 by the share detected; the best were close, and those were left out with
#: which latents far from all simulations are not odd enough by themselves.
WEIGHTS = {"evidence": 0.5, "gof": 1.0, "run": 1.0, "distance": 0.75}
#: Where the exponential tail of a p-value ends.
LEAST_P = 1e-6
#: p-value of a fit below which it is poor.
POOR_LEVEL = 0.01
#: p-value of a fit, in the exponential tail beyond all simulations, below which the model does
#: not apply.
FOREIGN_LEVEL = 1e-4


def joint_score(p_values: dict[str, np.ndarray]) -> np.ndarray:
    """
    One number for several p-values, small if odd: the sum of their logarithms with `WEIGHTS`.

    Fisher's statistic (Fisher 1925, Statistical Methods for Research Workers)
    with weights (Good 1955, JRSS B 17, 264): several parts that are each somewhat
    odd make a row odd. They are not independent; the sum's distribution is that
    over simulations.
    """
    return np.sum([WEIGHTS[name] * np.log(p) for name, p in p_values.items()], axis=0)


class Calibration:
    """
    Calibration of one model.

    All methods take ``mode`` ('bands' or 'spectra') and ``net``, the net counts
    of n rows, and give arrays with the rows first.

    Parameters
    ----------
    tables : dict
        ``nodes`` (log10 net counts); for each mode ``latent_scale``,
        ``class_temperature``, ``class_level`` and ``<head>_temperature`` (one
        value a node), ``flux_<band>`` (two a node), ``nh_share`` (a row a node and
        class, absent in older models), ``<head>_below``, ``evidence`` and for
        spectra ``gof``, ``run``, ``distance`` and ``odd`` (a row of quantiles a
        node) at the probabilities ``levels``, ``evidence_slope`` (one value a
        node, 0 where it is absent); heads are nh, index and kt; ``mixture`` with
        ``weight``, ``mean`` and ``covariance`` of the simulated latents; ``prior``
        densities.
    """

    def __init__(self, tables: dict):
        self.tables = tables
        self.nodes = np.array(tables["nodes"])
        self.levels = np.array(tables["levels"])
        self._mixture = {k: np.array(v) for k, v in tables["mixture"].items()}

    @classmethod
    def identity(cls, config: Config) -> Self:
        """Change nothing: for a model that is not yet calibrated."""
        flat = {"latent_scale": [1.0], "class_temperature": [1.0], "class_level": [0.9],
                **{f"{head}_temperature": [1.0] for head in ("nh", "index", "kt")},
                **{f"{head}_below": [[0.0, 1.0]] for head in ("nh", "index", "kt")},
                **{f"flux_{band}": [[1.0, 1.0]] for band in ("05_2", "2_7", "02_23")},
                "evidence": [[-30.0, 0.0]], "gof": [[-3.0, 3.0]], "run": [[0.0, 30.0]],
                "distance": [[0.0, 50.0]], "odd": [[-15.0, 0.0]]}
        d = config.n_latent
        mixture = {"weight": [1.0], "mean": [[0.0] * d], "covariance": [np.eye(d).tolist()]}
        prior = {k: [1 / n] * n for k, n in
                 (("nh", config.n_nh), ("index", config.n_index), ("kt", config.n_kt))}
        return cls({"nodes": [2.0], "levels": [0.0, 1.0], "bands": flat, "spectra": flat,
                    "mixture": mixture, "prior": prior})

    def _at(self, mode, name, net):
        """A table's value at every row's counts."""
        table = np.array(self.tables[mode][name])
        x = np.log10(np.maximum(net, 1e-3))
        if table.ndim == 1:
            return np.interp(x, self.nodes, table)
        place = np.interp(x, self.nodes, np.arange(self.nodes.size))
        below = place.astype(int)
        above = np.minimum(below + 1, self.nodes.size - 1)
        part = (place - below).reshape(-1, *[1] * (table.ndim - 1))
        return (1 - part) * table[below] + part * table[above]

    def latent_scale(self, mode: str, net: np.ndarray) -> np.ndarray:
        """Factor on the covariance of the latents, shape (n,)."""
        return self._at(mode, "latent_scale", net)

    def class_temperature(self, mode: str, net: np.ndarray) -> np.ndarray:
        """Divisor of the class logits, shape (n,)."""
        return self._at(mode, "class_temperature", net)

    def density(self, head: str, mode: str, net: np.ndarray, logits: np.ndarray,
                class_prob: np.ndarray) -> np.ndarray:
        """
        Density of a quantity, conformal on simulations of like counts; of N_H, also of like class.

        ``logits`` (n, cells) are those of the head 'nh', 'index' or 'kt'; ``class_prob`` (n, 9),
        for equal priors, gives the shares of the classes' corrections.
        """
        density = softmax(logits / self._at(mode, f"{head}_temperature", net)[:, None], axis=1)
        if f"{head}_share" in self.tables[mode]:
            share = np.einsum("nk,nkl->nl", class_prob, self._at(mode, f"{head}_share", net))
            return recalibrated_density(density, np.broadcast_to(self.levels, share.shape), share)
        return recalibrated_density(density, self._at(mode, f"{head}_below", net), self.levels)

    def flux_limits(self, band: str, mode: str, net: np.ndarray, limits: np.ndarray) -> np.ndarray:
        """
        Limits of a flux, (n, 3): lower, median and upper, conformal on simulations of like counts.

        The distances from the median are scaled; nothing falls below zero.
        """
        factor = self._at(mode, f"flux_{band}", net)
        below, median, above = np.diff(limits[:, :2])[:, 0], limits[:, 1], np.diff(limits[:, 1:])[:, 0]
        return np.stack([np.maximum(median - factor[:, 0] * below, 0.0), median,
                         median + factor[:, 1] * above], axis=1)

    def class_set(self, mode: str, net: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """
        Conformal sets of classes (Romano et al. 2020, arXiv:2006.02544), tuples of indices.

        The most probable first: one, and as many as together have no more than the sum of
        probabilities, down to that of the true class, of 90 % of the simulated sources of like
        counts. ``probability`` (n, 9) is for equal priors.
        """
        needed = self._at(mode, "class_level", net)
        order = np.argsort(-probability, axis=1)
        together = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
        size = np.maximum(np.sum(together <= needed[:, None] + 1e-9, axis=1), 1)
        sets = np.empty(len(probability), object)
        sets[:] = [tuple(row[:k].tolist()) for row, k in zip(order, size, strict=True)]
        return sets

    def prior_density(self, name: str) -> np.ndarray:
        """Density of a quantity over the simulated sources, shape (cells,)."""
        return np.array(self.tables["prior"][name])

    @property
    def mixture_means(self) -> np.ndarray:
        """Latents spread like the simulated sources', shape (components, 8)."""
        return self._mixture["mean"]

    def evidence(self, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """
        Log density of Gaussian posteriors under the simulated latents, (n,).

        Small where no simulated source lies within the errors.
        """
        total, columns = [], np.array(covariance.transpose(1, 2, 0), np.float32, order="C")
        for weight, center, spread in zip(*(self._mixture[k] for k in ("weight", "mean", "covariance")),
                                          strict=True):
            distance, log_volume = _distance_and_volume(columns + spread[..., None].astype(np.float32),
                                                        (mean - center).T.astype(np.float32, order="C"))
            total.append(np.log(weight) - 0.5 * distance - log_volume)
        # Relative to the posterior's own volume, so that broad and narrow ones are compared alike.
        return logsumexp(total, axis=0) + half_log_volume(covariance)

    def levelled_evidence(self, mode: str, net: np.ndarray, mean: np.ndarray,
                          covariance: np.ndarray) -> np.ndarray:
        """
        The `evidence`, freed of its dependence on how much the data tell.

        At equal counts five bands determine the latents better than three, and the narrower
        posterior has the lower evidence. Without this, a p-value would be uniform over all
        missions together and in none of them.
        """
        slope = self._at(mode, "evidence_slope", net) if "evidence_slope" in self.tables[mode] else 0.0
        return self.evidence(mean, covariance) - slope * half_log_volume(covariance)

    def _p_value(self, mode, name, net, value, upper):
        """Share of simulated sources of like counts that are at least as odd."""
        quantiles = self._at(mode, name, net)
        p = interpolate_rows(np.asarray(value)[:, None], quantiles, self.levels)[:, 0]
        floor = 0.5 * (self.levels[1] - self.levels[0])
        return np.maximum(1 - p if upper else p, floor)

    def _tail_p(self, mode, name, net, value, upper):
        """The same with an exponential tail, so that one very odd part can outweigh ordinary others."""
        levels = (0.95, 0.99) if upper else (0.05, 0.01)
        quantiles = self._at(mode, name, net)
        # Weights of the quantiles in those at these levels, the same for all rows.
        near, far = (quantiles @ [np.interp(level, self.levels, one) for one in np.eye(self.levels.size)]
                     for level in levels)
        step = np.where(far == near, 1.0, far - near)
        beyond = np.maximum((value - far) / step, 0.0)
        p = np.maximum(self._p_value(mode, name, net, value, upper), 0.01)
        return np.where(beyond > 0, np.maximum(0.01 * 5.0**-beyond, LEAST_P), p)

    def oddness(self, mode: str, net: np.ndarray, mean: np.ndarray, covariance: np.ndarray,
                fit: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """
        p-values of a row's parts against simulations of like counts and mode, by name.

        ``evidence`` of the latents (``mean`` and ``covariance``), and for spectra what the
        model was calibrated for of ``fit``: ``gof``, ``run`` and ``distance`` of the latents
        that describe the counts best, 1 where unknown (NaN). A fit that is poor for want of a
        measured background is as poor as any other. Below 1 % the tail of the simulations is
        continued as an exponential.
        """
        evidence = self.levelled_evidence(mode, net, mean, covariance)
        p = {"evidence": self._tail_p(mode, "evidence", net, evidence, upper=False)}
        for name, value in fit.items():
            if mode == "spectra" and name in self.tables[mode]:
                found = self._tail_p(mode, name, net, np.nan_to_num(value), upper=True)
                p[name] = np.where(np.isfinite(value), found, 1.0)
        return p

    def outlier(self, mode: str, net: np.ndarray, mean: np.ndarray, covariance: np.ndarray,
                fit: dict[str, np.ndarray]) -> np.ndarray:
        """
        p-value of a row against simulations of like counts and mode, (n,); arguments as for `oddness`.

        For spectra that of the `joint_score`; if the model was calibrated before there was
        one, twice the smaller of the p-values of evidence and goodness of fit. At most
        `FOREIGN_LEVEL` where `not_this_model`: such a fit is odd by itself.
        """
        p = self.oddness(mode, net, mean, covariance, fit)
        alone = np.maximum(p["evidence"], 0.5 * (self.levels[1] - self.levels[0]))
        if mode == "bands":
            return alone
        if "odd" in self.tables[mode]:
            joint = self._p_value(mode, "odd", net, joint_score(p), upper=False)
        else:
            joint = np.minimum(1, 2 * np.minimum(p["evidence"], p["gof"]))
        joint = np.where(self.not_this_model(net, fit), np.minimum(joint, FOREIGN_LEVEL), joint)
        return np.where(np.isfinite(fit["gof"]), joint, alone)

    def poor_fit(self, net: np.ndarray, gof: np.ndarray) -> np.ndarray:
        """True where the goodness of fit is worse than that of all but 1 % of simulations."""
        p = self._p_value("spectra", "gof", net, np.nan_to_num(gof), upper=True)
        return np.isfinite(gof) & (p < POOR_LEVEL)

    def not_this_model(self, net: np.ndarray, fit: dict[str, np.ndarray]) -> np.ndarray:
        """
        True where no simulated source of like counts is described as badly; False where the fit is unknown.

        Counts beyond the trained range are judged as those at its end: the misfit of a
        spectrum that the decoder lacks grows with them.
        """
        found = np.zeros(len(net), bool)
        for name in ("gof", "run"):
            if name in self.tables["spectra"]:
                p = self._tail_p("spectra", name, net, np.nan_to_num(fit[name]), upper=True)
                found |= np.isfinite(fit[name]) & (p < FOREIGN_LEVEL)
        return found


def half_log_volume(covariance: np.ndarray) -> np.ndarray:
    """Half the log determinant of covariance matrices, shape (n,)."""
    columns = np.array(covariance.transpose(1, 2, 0), order="C")
    return _distance_and_volume(columns, np.zeros(columns.shape[1:]))[1]


def _distance_and_volume(left, right):
    """
    Squared Mahalanobis distance and half the log determinant, both (n,), of matrices (8, 8, n) and
    offsets (8, n), which are overwritten.

    Of all matrices at once: LAPACK's calls one by one take longer than their arithmetic.
    """
    distance = log_volume = 0.0
    for k in range(len(right)):
        pivot = left[k, k]
        distance, log_volume = distance + right[k] ** 2 / pivot, log_volume + 0.5 * np.log(pivot)
        factor = left[k + 1:, k] / pivot
        left[k + 1:, k + 1:] -= factor[:, None] * left[k, k + 1:]
        right[k + 1:] -= factor * right[k]
    return distance, log_volume
