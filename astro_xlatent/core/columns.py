# Licensed under a 3-clause BSD style license - see LICENSE
"""The columns that `~astro_xlatent.add_latents` adds to a table; their names never change once released."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn
from numpy.typing import ArrayLike

__all__ = ["CLASSES", "COLUMNS", "GROUP_COLUMNS", "N_LATENT", "OTHER", "ColumnSpec", "all_probabilities",
           "class_values", "element_names", "make_column", "own_columns"]

#: The eight source classes, in the order of ``xl_class_prob``.
CLASSES = ("AGN", "CV", "HM-STAR", "HMXB", "LM-STAR", "LMXB", "NS", "YSO")
#: Name of the ninth class: none of the eight.
OTHER = "other"
#: Number of latent dimensions.
N_LATENT = 8


@dataclass(frozen=True)
class ColumnSpec:
    """Name, UCD1+, meaning, format, unit and type of one output column; some are there on request only."""

    name: str
    ucd: str
    description: str
    format: str | None = None
    unit: object = None
    dtype: type = np.float32
    shape: tuple = ()
    optional: bool = False


def _with_limits(value, quantity, levels=(68,)):
    """A column and the limits of its quantity; those of 90 % are there on request only."""
    ends = (("lo", "lower", "min"), ("hi", "upper", "max"))
    return [value, *(
        replace(value, name=f"{value.name}_{side}lim{'' if level == 68 else level}",
                ucd=f"{value.ucd.removesuffix(';meta.modelled')};stat.{stat}",
                description=f"{word} limit of the {level} % interval of {quantity}",
                optional=value.optional or level == 90)
        for level in levels for side, word, stat in ends)]


def _flux(suffix, band):
    """Absorbed energy flux in one band with its limits."""
    value = ColumnSpec(f"xl_flux_{suffix}", "phot.flux;em.X-ray;meta.modelled",
                       f"absorbed energy flux, {band} keV, posterior median", "%.4g", u.erg / u.cm**2 / u.s)
    return _with_limits(value, f"the absorbed energy flux, {band} keV")


def _spectral(name, unit, ucd, quantity):
    """A parameter of the spectral model with its limits, on request."""
    value = ColumnSpec(name, f"{ucd};meta.modelled", f"{quantity}, posterior median", "%.3g", unit,
                       optional=True)
    return _with_limits(value, quantity)


_CLASSES = ", ".join(CLASSES)
COLUMNS = {
    spec.name: spec
    for spec in [
        ColumnSpec("xl_latent", "stat.param;meta.modelled",
                   "latent vector of the incident spectrum's shape, posterior mean", "%.3f",
                   shape=(N_LATENT,)),
        ColumnSpec("xl_latent_err", "stat.error;stat.param", "standard deviation of the latents", "%.3f",
                   shape=(N_LATENT,)),
        ColumnSpec("xl_latent_cov", "stat.covariance;stat.param", "covariance of the latents", "%.3f",
                   shape=(N_LATENT, N_LATENT), optional=True),
        ColumnSpec("xl_class", "src.class;meta.modelled", "most probable class", dtype=str),
        ColumnSpec("xl_class_prob", "stat.probability;src.class",
                   f"probabilities of {_CLASSES}, given that it is one of them", "%.3f",
                   shape=(len(CLASSES),)),
        ColumnSpec("xl_class_set", "meta.code.class;src.class",
                   "classes that hold the true one with 90 % probability (conformal, equal priors), "
                   "most probable first", dtype=str, optional=True),
        ColumnSpec("xl_class_other", "stat.probability;src.class",
                   "probability that the source is none of the eight classes", "%.3f"),
        ColumnSpec("xl_class_spectrum", "src.class;meta.modelled",
                   "most probable class by the spectrum alone, equal priors; always there with evidence",
                   dtype=str, optional=True),
        ColumnSpec("xl_class_evidence", "stat.likelihood;src.class",
                   "what X-ray columns (first) and counterparts (second) add to the logarithm of the "
                   f"probability of {_CLASSES}, against their mean", "%.2f", shape=(2, len(CLASSES)),
                   optional=True),
        *_with_limits(
            ColumnSpec("xl_nh", "phys.columnDensity;meta.modelled", "total column of a neutral z = 0 screen "
                       "(tbabs, Wilms abundances), posterior median", "%.4g", 1 / u.cm**2),
            "xl_nh", (68, 90)),
        ColumnSpec("xl_nh_ul90", "phys.columnDensity;stat.max",
                   "one-sided 90 % upper limit of xl_nh; that of the prior where no source is detected",
                   "%.4g", 1 / u.cm**2),
        *_spectral("xl_photon_index", None, "spect.index", "photon index, if the spectrum is a power law"),
        *_spectral("xl_kt", u.keV, "phys.temperature", "kT, if the spectrum is thermal"),
        *_flux("05_2", "0.5-2"),
        *_flux("2_7", "2-7"),
        *_flux("02_23", "0.2-2.3"),
        ColumnSpec("xl_gof", "stat.fit.goodness",
                   "(C - expected C) / standard deviation of C for the decoded spectrum; "
                   "masked for bands, which always fit", "%.2f"),
        ColumnSpec("xl_outlier", "stat.probability",
                   "p-value against simulated sources of like counts; small is odd", "%.3g"),
        ColumnSpec("xl_ess", "stat.value",
                   "effective number of posterior draws with refine=True; below 100 distrust tails, "
                   "below 20 the encoder's answer was kept", "%.0f", optional=True),
        ColumnSpec("xl_flag", "meta.code.qual", "bit mask, see astro_xlatent.decode_flags", dtype=np.int64),
        ColumnSpec("xl_reason", "meta.note", "why a result is missing or limited, in words", dtype=str),
        ColumnSpec("xl_model", "meta.version", "model name and version that made the xl_ columns", dtype=str),
    ]
}

#: Columns that appear where observations of one source are joined.
GROUP_COLUMNS = {
    spec.name: spec
    for spec in [
        ColumnSpec("xl_n_obs", "meta.number;obs", "observations of the source", dtype=np.int32),
        ColumnSpec("xl_n_used", "meta.number;obs", "observations that say something about the latents",
                   dtype=np.int32),
        ColumnSpec("xl_p_change", "stat.probability;src.var",
                   "p-value of the observations' latents if the spectrum's shape did not change", "%.3g"),
    ]
}


def element_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """
    Names of the elements of a vector column where there are no vectors: with numbers, for ``xl_class_prob``
    with the classes, an underscore for a hyphen. A scalar's name remains.
    """
    if name == "xl_class_prob" and shape == (len(CLASSES),):
        return [f"{name}_{label.replace('-', '_')}" for label in CLASSES]
    return ["_".join([name, *map(str, index)]) for index in np.ndindex(*shape)]


def own_columns(names: Sequence[str]) -> list[str]:
    """Which of some names are of columns that an earlier run has added, split vectors included."""
    known = COLUMNS | GROUP_COLUMNS
    known = {*known, *(n for name, spec in known.items() for n in element_names(name, spec.shape))}
    return [name for name in names if name in known]


def class_values(probability: ArrayLike, classes: Sequence[str] = (*CLASSES, OTHER)) -> dict[str, np.ndarray]:
    """
    Split the probabilities of all classes, (n, k) with "other" last, NaN where unknown, into the columns that
    hold them: ``xl_class``, empty where unknown, ``xl_class_prob`` (n, k - 1), ``xl_class_other``.
    """
    probability = np.asarray(probability, float)
    other = probability[:, -1]
    best = np.where(np.isfinite(probability).all(axis=1), np.nan_to_num(probability).argmax(axis=1), -1)
    return {"xl_class": np.array([*classes, ""])[best],
            "xl_class_prob": probability[:, :-1] / np.maximum(1 - other, 1e-12)[:, None],
            "xl_class_other": other}


def all_probabilities(given: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Probabilities (n, k) of all classes, "other" last: the inverse of `class_values`."""
    given, other = np.asarray(given, float), np.asarray(other, float)
    return np.concatenate([given * (1 - other)[:, None], other[:, None]], axis=1)


def make_column(name: str, values: ArrayLike, mask: ArrayLike | None = None) -> Column:
    """
    Make an output column, a key of `COLUMNS` or `GROUP_COLUMNS`, with unit, UCD, description and format.
    ``mask`` tells rows without a result; a plain column is made when none is set.
    """
    spec = COLUMNS.get(name) or GROUP_COLUMNS[name]
    values = np.asarray(values, dtype=spec.dtype)
    values = values.reshape(values.shape[0], *spec.shape)
    info = {"name": name, "unit": spec.unit, "description": spec.description,
            "format": spec.format, "meta": {"ucd": spec.ucd}}
    if mask is None or not np.any(mask):
        return Column(values, **info)
    full = np.broadcast_to(np.reshape(mask, (-1,) + (1,) * len(spec.shape)), values.shape)
    return MaskedColumn(values, mask=full, **info)
