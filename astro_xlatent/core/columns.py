# Licensed under a 3-clause BSD style license - see LICENSE
"""
The columns that `~astro_xlatent.add_latents` adds to a table.

One registry, `COLUMNS`, gives every column its name, type, unit, UCD and
description; the table code, the documentation and the tests read it. Names
never change once released.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Name, type, unit, UCD1+ and meaning of one output column."""

    name: str
    dtype: type
    shape: tuple
    unit: object
    ucd: str
    description: str
    optional: bool = False
    format: str | None = None


def _limits(name, unit, ucd, quantity, fmt, optional90=False, optional=False):
    """The 68 % limits of a quantity, and on request the 90 % limits."""
    specs = [
        ColumnSpec(f"{name}_lolim", np.float32, (), unit, f"{ucd};stat.min",
                   f"lower limit of the 68 % interval of {quantity}", optional, fmt),
        ColumnSpec(f"{name}_hilim", np.float32, (), unit, f"{ucd};stat.max",
                   f"upper limit of the 68 % interval of {quantity}", optional, fmt),
    ]
    if optional90:
        specs += [
            ColumnSpec(f"{name}_lolim90", np.float32, (), unit, f"{ucd};stat.min",
                       f"lower limit of the 90 % interval of {quantity}", True, fmt),
            ColumnSpec(f"{name}_hilim90", np.float32, (), unit, f"{ucd};stat.max",
                       f"upper limit of the 90 % interval of {quantity}", True, fmt),
        ]
    return specs


def _flux(suffix, band):
    """Absorbed energy flux in one band with its limits."""
    unit = u.erg / u.cm**2 / u.s
    ucd = "phot.flux;em.X-ray"
    quantity = f"the absorbed energy flux, {band} keV"
    name = f"xl_flux_{suffix}"
    value = ColumnSpec(name, np.float32, (), unit, f"{ucd};meta.modelled",
                       f"absorbed energy flux, {band} keV, posterior median", format="%.4g")
    return [value, *_limits(name, unit, ucd, quantity, "%.4g")]


def _spectral(name, unit, ucd, quantity):
    """A parameter of the spectral model with its limits, on request."""
    value = ColumnSpec(name, np.float32, (), unit, f"{ucd};meta.modelled",
                       f"{quantity}, posterior median", True, "%.3g")
    return [value, *_limits(name, unit, ucd, quantity, "%.3g", optional=True)]


COLUMNS = {
    spec.name: spec
    for spec in [
        ColumnSpec("xl_latent", np.float32, (N_LATENT,), None, "stat.param;meta.modelled",
                   "latent vector of the incident spectrum's shape, posterior mean",
                   format="%.3f"),
        ColumnSpec("xl_latent_err", np.float32, (N_LATENT,), None, "stat.error;stat.param",
                   "standard deviation of the latents", format="%.3f"),
        ColumnSpec("xl_latent_cov", np.float32, (N_LATENT, N_LATENT), None,
                   "stat.covariance;stat.param", "covariance of the latents", True, "%.3f"),
        ColumnSpec("xl_class", str, (), None, "src.class;meta.modelled",
                   "most probable class"),
        ColumnSpec("xl_class_prob", np.float32, (len(CLASSES),), None,
                   "stat.probability;src.class",
                   "probabilities of " + ", ".join(CLASSES) + ", given that it is one of them",
                   format="%.3f"),
        ColumnSpec("xl_class_set", str, (), None, "meta.code.class;src.class",
                   "classes that hold the true one with 90 % probability (conformal, equal priors), "
                   "most probable first", True),
        ColumnSpec("xl_class_other", np.float32, (), None, "stat.probability;src.class",
                   "probability that the source is none of the eight classes", format="%.3f"),
        ColumnSpec("xl_class_spectrum", str, (), None, "src.class;meta.modelled",
                   "most probable class by the spectrum alone, equal priors; always there with evidence",
                   True),
        ColumnSpec("xl_class_evidence", np.float32, (2, len(CLASSES)), None, "stat.likelihood;src.class",
                   "what X-ray columns (first) and counterparts (second) add to the logarithm of the "
                   "probability of " + ", ".join(CLASSES) + ", against their mean", True, "%.2f"),
        ColumnSpec("xl_nh", np.float32, (), 1 / u.cm**2, "phys.columnDensity;meta.modelled",
                   "total column of a neutral z = 0 screen (tbabs, Wilms abundances), "
                   "posterior median", format="%.4g"),
        *_limits("xl_nh", 1 / u.cm**2, "phys.columnDensity", "xl_nh", "%.4g", optional90=True),
        ColumnSpec("xl_nh_ul90", np.float32, (), 1 / u.cm**2, "phys.columnDensity;stat.max",
                   "one-sided 90 % upper limit of xl_nh; that of the prior where no source is detected",
                   format="%.4g"),
        *_spectral("xl_photon_index", None, "spect.index",
                   "photon index, if the spectrum is a power law"),
        *_spectral("xl_kt", u.keV, "phys.temperature", "kT, if the spectrum is thermal"),
        *_flux("05_2", "0.5-2"),
        *_flux("2_7", "2-7"),
        *_flux("02_23", "0.2-2.3"),
        ColumnSpec("xl_gof", np.float32, (), None, "stat.fit.goodness",
                   "(C - expected C) / standard deviation of C for the decoded spectrum; "
                   "masked for bands, which always fit", format="%.2f"),
        ColumnSpec("xl_outlier", np.float32, (), None, "stat.probability",
                   "p-value against simulated sources of like counts; small is odd",
                   format="%.3g"),
        ColumnSpec("xl_ess", np.float32, (), None, "stat.value",
                   "effective number of posterior draws with refine=True; below 100 distrust tails, "
                   "below 20 the encoder's answer was kept", True, "%.0f"),
        ColumnSpec("xl_flag", np.int64, (), None, "meta.code.qual",
                   "bit mask, see astro_xlatent.decode_flags"),
        ColumnSpec("xl_reason", str, (), None, "meta.note",
                   "why a result is missing or limited, in words"),
        ColumnSpec("xl_model", str, (), None, "meta.version",
                   "model name and version that made the xl_ columns"),
    ]
}

#: Columns that appear where observations of one source are joined.
GROUP_COLUMNS = {
    spec.name: spec
    for spec in [
        ColumnSpec("xl_n_obs", np.int32, (), None, "meta.number;obs", "observations of the source"),
        ColumnSpec("xl_n_used", np.int32, (), None, "meta.number;obs",
                   "observations that say something about the latents"),
        ColumnSpec("xl_p_change", np.float32, (), None, "stat.probability;src.var",
                   "p-value of the observations' latents if the spectrum's shape did not change",
                   format="%.3g"),
    ]
}


def element_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """
    Names under which the elements of a vector column stand where there are no vectors.

    Numbers are appended to the column's name, for ``xl_class_prob`` the classes, with
    an underscore for a hyphen. The name of a scalar, of empty ``shape``, remains.

    Examples
    --------
    >>> from astro_xlatent.core.columns import element_names
    >>> element_names("v", (2,))
    ['v_0', 'v_1']
    """
    if name == "xl_class_prob" and shape == (len(CLASSES),):
        return [f"{name}_{label.replace('-', '_')}" for label in CLASSES]
    return ["_".join([name, *map(str, index)]) for index in np.ndindex(*shape)]


def own_columns(names: Sequence[str]) -> list[str]:
    """
    Which of some names are of columns that an earlier run has added, split vectors included.

    Examples
    --------
    >>> from astro_xlatent.core.columns import own_columns
    >>> own_columns(["ra", "xl_nh", "xl_latent_0", "xl_mine"])
    ['xl_nh', 'xl_latent_0']
    """
    known = COLUMNS | GROUP_COLUMNS
    known = {*known, *(n for name, spec in known.items() for n in element_names(name, spec.shape))}
    return [name for name in names if name in known]


def class_values(probability: ArrayLike,
                 classes: Sequence[str] = (*CLASSES, OTHER)) -> dict[str, np.ndarray]:
    """
    Split the probabilities of all classes, (n, k) with "other" last, into the columns that hold them.

    Rows sum to one, or are NaN where nothing is known. Gives ``xl_class``, the most
    probable of all, empty where nothing is known, (n,); ``xl_class_prob``, given that
    it is not "other", (n, k - 1); ``xl_class_other`` (n,).

    Examples
    --------
    >>> from astro_xlatent.core.columns import class_values
    >>> class_values([[0.1, 0.3, 0.6]], ["AGN", "CV", "other"])["xl_class_prob"].tolist()
    [[0.25, 0.75]]
    """
    probability = np.asarray(probability, float)
    other = probability[:, -1]
    best = np.where(np.isfinite(probability).all(axis=1), np.nan_to_num(probability).argmax(axis=1), -1)
    return {"xl_class": np.array([*classes, ""])[best],
            "xl_class_prob": probability[:, :-1] / np.maximum(1 - other, 1e-12)[:, None],
            "xl_class_other": other}


def all_probabilities(given: ArrayLike, other: ArrayLike) -> np.ndarray:
    """
    Probabilities (n, k) of all classes, "other" last, from ``xl_class_prob`` (n, k - 1) and
    ``xl_class_other`` (n,): the inverse of `class_values`.
    """
    given, other = np.asarray(given, float), np.asarray(other, float)
    return np.concatenate([given * (1 - other)[:, None], other[:, None]], axis=1)


def make_column(name: str, values: ArrayLike, mask: ArrayLike | None = None) -> Column:
    """
    Make an output column, a key of `COLUMNS` or `GROUP_COLUMNS`, with unit, UCD, description and format.

    ``mask`` tells rows without a result; a plain column is made when none is set.

    Examples
    --------
    >>> from astro_xlatent.core.columns import make_column
    >>> make_column("xl_nh", [1e21]).unit
    Unit("1 / cm2")
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
