# Licensed under a 3-clause BSD style license - see LICENSE
"""`EnrichedColumns`: takes posteriors chunk by chunk and makes the output columns."""

from collections.abc import Callable, Sequence

import numpy as np
from astropy.table import Column

from astro_xlatent.compare.observations import combine_groups, joint_columns
from astro_xlatent.core.columns import COLUMNS, all_probabilities, class_values, make_column
from astro_xlatent.core.flags import Flag
from astro_xlatent.model.density import density_below
from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.model.posterior import FLUX_BANDS, Posterior
from astro_xlatent.model.priors import against_spectrum, apply_prior
from astro_xlatent.table.sources import Chunk

__all__ = ["EnrichedColumns"]

# Net counts below which a row is called faint, and the range of the training.
FEW_COUNTS = 10
TRAINED_COUNTS = (3, 30000)
# Bounds in keV of the range that the bins of a row should cover, and the share of it in log energy.
COVERED_RANGE = (0.5, 7.0)
MIN_COVERAGE = 0.6
#: p-value below which a row counts as unlike the training.
OUTLIER_LEVEL = 0.01
#: log10 N_H in 1/cm2, and the probability of less, from which only an upper limit should be quoted.
LOW_LOG_NH, LOW_NH_PROBABILITY = 20.0, 0.05
# Columns that are made from flags, reasons and the model alone.
_OWN_COLUMNS = ("xl_flag", "xl_reason", "xl_model")
#: What stands where no source was seen: upper limits.
LIMITS = ("xl_nh_ul90", *(f"xl_flux_{band}_hilim" for band in FLUX_BANDS))


class EnrichedColumns:
    """Output columns of rows, filled in chunk by chunk in any order; ``joint`` keeps what `join` needs."""

    def __init__(self, n_rows: int, model, prior: Callable, include: Sequence[str] = (), joint: bool = False,
                 evidence=None):
        self.model, self.prior, self.evidence = model, prior, evidence
        include = include if evidence is None else (*include, "xl_class_spectrum")
        self.flags = np.full(n_rows, int(Flag.NO_DATA), np.int64)
        self.reasons = np.full(n_rows, "", object)
        self.measured, self.detected = np.zeros((2, n_rows), bool)
        self.weights = np.full((n_rows, len(model.classes)), 1 / len(model.classes)) if joint else None
        self.wanted = [name for name, spec in COLUMNS.items()
                       if name not in _OWN_COLUMNS and (name in include or not spec.optional)]
        kept = [*self.wanted, "xl_latent_cov"] if joint else self.wanted
        # Text as objects: numpy would size strings beforehand.
        self.values = {name: np.full(n_rows, "", object) if COLUMNS[name].dtype is str else
                       np.zeros((n_rows, *COLUMNS[name].shape), COLUMNS[name].dtype)
                       for name in dict.fromkeys(kept)}
        self.joined: dict = {}

    def take(self, chunk: Chunk, posterior: Posterior | None) -> None:
        """Note what a chunk's rows hold; the posterior is that of its measured rows, None without any."""
        self.flags[chunk.rows] = chunk.flags
        self.reasons[chunk.rows] = chunk.reasons
        if posterior is None:
            return
        rows = chunk.rows[chunk.measured]
        self.measured[rows] = True
        self.detected[rows] = posterior.detected
        self.flags[rows] |= _quality_flags(chunk, posterior, self.model)
        flux = posterior.flux["05_2"][:, 1] + posterior.flux["2_7"][:, 1]
        weights = self.prior(rows, flux)
        if self.evidence is not None:
            more, log_odds, flags = self.evidence.weigh(rows, posterior.class_prob, flux,
                                                        posterior.nh_quantiles([0.5])[:, 0])
            weights = weights * more
            self.flags[rows] |= flags
            if "xl_class_evidence" in self.values:
                self.values["xl_class_evidence"][rows] = log_odds
        if self.weights is not None:
            self.weights[rows] = weights
        probability = apply_prior(posterior.class_prob, weights)
        against = against_spectrum(posterior.class_prob, probability)
        self.flags[rows] |= np.where(against, int(Flag.AGAINST_SPECTRUM), 0)
        filled = _posterior_values(posterior, probability, self.model.classes, self.values)
        for name, values in filled.items():
            self.values[name][rows] = values

    def note(self, chunk: Chunk, flag: Flag, reasons: Sequence[str] | np.ndarray) -> None:
        """Flag the measured rows of a chunk taken before where a reason is not empty, and say it."""
        for row, reason in zip(chunk.rows[chunk.measured], reasons, strict=True):
            if reason:
                self.flags[row] |= int(flag)
                self.reasons[row] = "; ".join(filter(None, (self.reasons[row], reason)))

    def join(self, source: np.ndarray) -> None:
        """Let every row hold what all observations of its source, numbered (n_rows,), say together."""
        seen, n_sources = self.measured & self.detected, int(source.max(initial=-1)) + 1
        classes = all_probabilities(self.values["xl_class_prob"], self.values["xl_class_other"])
        classes[~seen] = 1 / classes.shape[1]
        mean, covariance = (self.values[name].astype(float) for name in ("xl_latent", "xl_latent_cov"))
        found = combine_groups(mean, covariance, seen, classes, source, n_sources, self.weights)
        if self.weights is not None and np.ptp(self.weights, axis=1).any():
            spectrum = np.divide(classes, self.weights, out=np.zeros_like(classes), where=self.weights > 0)
            spectrum /= spectrum.sum(axis=1, keepdims=True)
            alone = combine_groups(mean, covariance, seen, spectrum, source, n_sources)
            against = against_spectrum(alone.class_prob, found.class_prob)[source]
            self.flags |= np.where(against, int(Flag.AGAINST_SPECTRUM), 0)
        self.joined = joint_columns(found, source)

    def columns(self) -> dict[str, Column]:
        """All columns, masked where not measured or not finite, and most where nothing was detected."""
        columns = {}
        for name in self.wanted:
            values = self.values[name]
            missing = ~self.measured if name in LIMITS else ~(self.measured & self.detected)
            if values.dtype.kind == "f" and values.ndim == 1:
                missing = missing | ~np.isfinite(values)
            columns[name] = make_column(name, values, missing)
        label = f"{self.model.name}-{self.model.version}"
        own = self.flags, self.reasons.astype(str), np.full(len(self.flags), label)
        columns |= {name: make_column(name, values) for name, values in zip(_OWN_COLUMNS, own, strict=True)}
        joined = {n: c for n, c in self.joined.items() if n != "xl_latent_cov" or n in self.wanted}
        return columns | joined


def _quality_flags(chunk, posterior, model):
    net = chunk.bins.net_counts
    low, high = (np.log(np.clip(e, *COVERED_RANGE)) for e in (chunk.bins.e_lo, chunk.bins.e_hi))
    covered = np.where(chunk.bins.valid, high - low, 0.0).sum(axis=1)
    low_nh = density_below(posterior.nh_density, LOG_NH_RANGE, LOW_LOG_NH) > LOW_NH_PROBABILITY
    where = {
        Flag.OUTSIDE_MISSION: ~np.isin(chunk.missions, model.missions),
        Flag.FEW_COUNTS: net < FEW_COUNTS,
        Flag.OUTSIDE_COUNTS: (net < TRAINED_COUNTS[0]) | (net > TRAINED_COUNTS[1]),
        Flag.OUTSIDE_ENERGY: covered < MIN_COVERAGE * np.ptp(np.log(COVERED_RANGE)),
        Flag.NO_SOURCE: ~posterior.detected,
        Flag.NH_UPPER_LIMIT: low_nh,
        Flag.OUTLIER: posterior.outlier < OUTLIER_LEVEL,
        Flag.POOR_FIT: posterior.poor_fit,
        Flag.NOT_THIS_MODEL: posterior.not_this_model,
    }
    return sum(np.where(rows, int(flag), 0) for flag, rows in where.items())


def _posterior_values(posterior, probability, classes, wanted):
    values = class_values(probability, classes) | {
        "xl_class_spectrum": np.array(classes)[posterior.class_prob.argmax(axis=1)],
        "xl_latent": posterior.latent,
        "xl_latent_err": np.sqrt(np.diagonal(posterior.latent_cov, axis1=1, axis2=2)),
        "xl_latent_cov": posterior.latent_cov,
        "xl_gof": posterior.gof,
        "xl_ess": getattr(posterior, "ess", np.full(len(posterior), np.nan)),
        "xl_outlier": posterior.outlier,
    }
    if "xl_class_set" in wanted:
        values["xl_class_set"] = [",".join(classes[k] for k in row) for row in posterior.class_set]
    names = ("xl_nh", "xl_nh_lolim", "xl_nh_hilim", "xl_nh_lolim90", "xl_nh_hilim90", "xl_nh_ul90")
    values |= zip(names, posterior.nh_quantiles([0.5, 0.16, 0.84, 0.05, 0.95, 0.90]).T, strict=True)
    for name, quantiles in (("xl_photon_index", posterior.index_quantiles),
                            ("xl_kt", posterior.kt_quantiles)):
        names = (name, f"{name}_lolim", f"{name}_hilim")
        if not set(names).isdisjoint(wanted):
            values |= zip(names, quantiles([0.5, 0.16, 0.84]).T, strict=True)
    for band in FLUX_BANDS:
        names = (f"xl_flux_{band}_lolim", f"xl_flux_{band}", f"xl_flux_{band}_hilim")
        values |= zip(names, posterior.flux[band].T, strict=True)
    return {name: value for name, value in values.items() if name in wanted}
