# Licensed under a 3-clause BSD style license - see LICENSE
"""
Several observations of one source: their joint latents, and whether they differ. An observation's likelihood
is its posterior over the prior, N(0, 1); likelihoods multiply, and the prior enters once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Column, Row, Table
from numpy.typing import ArrayLike

from astro_xlatent.compare.evidence import (
    MIN_INFORMATION,
    REPEATED,
    class_probabilities,
    inverse_square,
    latent_gaussians,
    likelihoods,
)
from astro_xlatent.core.columns import N_LATENT, class_values, make_column
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.provenance import check_latent_space
from astro_xlatent.model.priors import prior_weights

__all__ = ["CLASS_GAIN", "Combined", "combine", "combine_groups", "group_latents", "joint_columns",
           "share_latents", "source_numbers"]

#: What further observations of a source can add to the evidence on its class, relative to the first. By the
#: log score of simulated sources observed two to six times by Chandra and eROSITA, where the full product of
#: probabilities is worse than a single observation (``benchmarks/bench_match.py truth``).
CLASS_GAIN = 0.35
# Information, relative to the prior's, from which an observation says something at all.
_INFORMED = 0.05
# Rows whose matrices are worked on at once.
_CHUNK = 20_000


@dataclass
class Combined:
    """
    What several observations of each of n sources say together; NaN where nothing is known.

    Attributes
    ----------
    latent, latent_cov : ndarray, (n, 8) and (n, 8, 8)
        Mean and covariance of the joint posterior.
    class_prob : ndarray, (n, 9), or None
        Joint probabilities of the eight classes and "other".
    n_obs, n_used : ndarray of int, (n,)
        Observations there are, and those that say anything about the latents.
    chi2, p_change : ndarray, (n,)
        Deviation of observations from their common latents, and its p-value if the spectrum did not change.
    """

    latent: np.ndarray
    latent_cov: np.ndarray
    class_prob: np.ndarray
    n_obs: np.ndarray
    n_used: np.ndarray
    chi2: np.ndarray
    p_change: np.ndarray


def combine(observations: Table | Row | Sequence, *, class_weights: Mapping | ArrayLike | None = None,
            ) -> Combined:
    """
    Join observations of the same sources.

    Parameters
    ----------
    observations : sequence of `~astro_xlatent.model.posterior.Posterior`, or of tables, or a table
        Posteriors, or enriched tables, each of n rows: row i is source i. A single table, or a sequence of
        its rows, holds observations of one source.
    class_weights : mapping or array_like, optional
        Class prior in what is given, as in `~astro_xlatent.add_latents`; by default equal weights.

    Returns
    -------
    combined : Combined
        Independent of the order of the observations.

    Raises
    ------
    ParameterError, ModelError
        If there is no observation, or numbers of rows or latent spaces differ.

    Notes
    -----
    With K posteriors N(m_k, C_k) the joint precision is sum(1/C_k) - (K - 1), the mean is by sum(m_k/C_k).

    Class probabilities are not multiplied: sources of a class differ, and seeing the same unusual one ten
    times is not ten times the evidence. The logarithms of probability over prior are averaged, each with its
    information (relative entropy to the prior) I_k as weight, and their mean raised by
    1 + `CLASS_GAIN` (1 - 1/K') with K' = sum(I)^2 / sum(I^2).

    ``chi2`` compares the likelihoods' means with their weighted mean. Directions with less than
    `~astro_xlatent.compare.evidence.MIN_INFORMATION` get the error that belongs to it, and so count as less
    than one degree of freedom: these are as many as the expectation of ``chi2`` for Gaussian latents of the
    population, 8 (K - 1) if every direction is measured. Repeats of a source scatter less than posteriors are
    wide (`~astro_xlatent.compare.evidence.REPEATED`). The test errs towards no change except in its far tail
    (``benchmarks/bench_change.py``).

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.observations import combine
    >>> rows = Table({"xl_latent": np.full((2, 8), 0.5), "xl_latent_err": np.full((2, 8), 0.5)},
    ...              meta={"XLSPACE": "a"})
    >>> joint = combine(rows)
    >>> joint.latent[0, 0].item(), joint.latent_cov[0, 0, 0].item()
    (0.5714285714285714, 0.14285714285714285)
    """
    mean, covariance, usable, classes, group = _stack(observations)
    return combine_groups(mean, covariance, usable, classes, group, int(group.max()) + 1, class_weights)


def _stack(observations):
    """Means, covariances, usable, class probabilities and number of the source of all observations."""
    if isinstance(observations, Row):
        observations = [observations]
    alone = isinstance(observations, Table)
    items = [observations] if alone else list(observations)
    if items and all(isinstance(item, Row) for item in items):
        alone, items = True, [row.table[row.index:row.index + 1] for row in items]
    if items and all(isinstance(item, Table) for item in items):
        check_latent_space(*items)
    parts = [_measured(item) for item in items]
    sizes = {len(part[0]) for part in parts}
    if len(sizes) > 1:
        raise ParameterError(f"observations have {sorted(sizes)} rows; row i of each must be the same source")
    if not any(sizes):
        raise ParameterError("observations is empty; give at least one posterior or enriched row")
    group = np.concatenate([np.arange(len(part[0])) * (not alone) for part in parts])
    joined = [None if any(v is None for v in values) else np.concatenate(values)
              for values in zip(*parts, strict=True)]
    return (*joined, group)


def _measured(item):
    """Means, covariances, which are usable, and class probabilities of a table or posterior."""
    if isinstance(item, Table):
        return (*latent_gaussians(item), class_probabilities(item))
    return tuple(np.asarray(getattr(item, name))
                 for name in ("latent", "latent_cov", "detected", "class_prob"))


def combine_groups(mean, covariance, usable, classes, group, n_groups, class_weights=None):
    """The work of `combine`: observations with the same number in ``group`` are of one source."""
    from scipy.special import chdtrc

    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n_groups))

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values[order], starts, axis=0) if n_groups else values[:0]

    information, weighted = _in_pieces(mean, covariance)
    bounded, deviation = _in_pieces(mean, covariance, MIN_INFORMATION)
    informed = usable & (np.linalg.eigvalsh(information)[:, -1] > _INFORMED)
    n_obs, n_usable, n_used = (total(rows.astype(int)) for rows in (np.ones(len(mean)), usable, informed))
    information[~usable], weighted[~usable] = 0.0, 0.0
    joint_cov = np.linalg.inv(np.eye(N_LATENT) + total(information))
    joint = np.einsum("nij,nj->ni", joint_cov, total(weighted))
    bounded[~informed], deviation[~informed] = np.eye(N_LATENT) * 1e-12, 0.0
    chi2 = total(inverse_square(bounded, deviation)) - inverse_square(total(bounded), total(deviation))
    chi2 = np.maximum(chi2, 0.0)
    information[~informed] = 0.0
    expected = total(_trace(bounded, information)) - _trace(total(bounded), total(information))
    p_change = np.where(n_used > 1, chdtrc(np.maximum(expected, 1e-3), chi2 / REPEATED), np.nan)
    # A single observation is its own posterior, also where it is broader than the prior.
    alone = (n_obs == 1) & (n_usable == 1)
    joint[alone], joint_cov[alone] = mean[order][starts][alone], covariance[order][starts][alone]
    class_prob = None if classes is None else _pool(classes, usable, total, class_weights)
    # What nobody saw has no latents and no class.
    for values in (joint, joint_cov, class_prob):
        if values is not None:
            values[n_usable == 0] = np.nan
    return Combined(joint, joint_cov, class_prob, n_obs, n_used, chi2, p_change)


def _in_pieces(mean, covariance, least=0.0):
    """As `likelihoods`, few rows at a time for the memory of their matrices."""
    parts = [likelihoods(mean[k:k + _CHUNK], covariance[k:k + _CHUNK], least=least)
             for k in range(0, max(len(mean), 1), _CHUNK)]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _trace(bounded, information):
    """Expectation of h B^-1 h for h of covariance I + I^2: noise, and the population's N(0, 1)."""
    return np.trace(np.linalg.solve(bounded, information + information @ information), axis1=1, axis2=2)


def _pool(classes, usable, total, weights):
    """Joint class probabilities, see the notes of `combine`."""
    weights = prior_weights(weights, len(classes))
    with np.errstate(divide="ignore"):
        prior = np.log(weights)
    # A class that the prior excludes stays excluded; no observation can speak for it.
    ratio = np.where(weights > 0, np.log(np.maximum(classes, 1e-12)), 0.0) - np.where(weights > 0, prior, 0.0)
    gained = np.where(usable, np.maximum(np.sum(classes * ratio, axis=1), 0.0) + 1e-9, 0.0)
    summed = np.maximum(total(gained), 1e-12)
    effective = np.maximum(summed**2 / np.maximum(total(gained**2), 1e-24), 1.0)
    mean = total(gained[:, None] * ratio) / summed[:, None]
    known = usable[:, None]
    common = total(np.where(known, prior, 0.0)) / np.maximum(total(known), 1)
    logit = common + (1 + CLASS_GAIN * (1 - 1 / effective))[:, None] * mean
    probability = np.exp(logit - logit.max(axis=1, keepdims=True))
    return probability / probability.sum(axis=1, keepdims=True)


def group_latents(table: Table, by: str = "name", *,
                  class_weights: Mapping | ArrayLike | None = None) -> Table:
    """
    One row per source from an enriched table of observations.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched; exact with ``xl_latent_cov``, without it the latents' errors count as independent.
    by : str, optional
        Column that is the same for all observations of a source.
    class_weights : mapping or array_like, optional
        As for `combine`; where it differs between a source's rows, their geometric mean enters.

    Returns
    -------
    sources : `~astropy.table.Table`
        In the order in which sources appear: ``by``, ``xl_n_obs``, ``xl_n_used``, the latents, the class
        where its prior is known, ``xl_p_change``; masked where too few observations could be used.

    Raises
    ------
    TableError, ModelError
        If a column is missing, ``by`` is masked in some row, or the table does not say its latent space.

    Notes
    -----
    See `combine`. A class prior must be divided out: with one, there are class columns only with
    ``class_weights``, or if the grouping is left to `~astro_xlatent.add_latents`.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.observations import group_latents
    >>> t = Table({"name": ["a", "b", "a"], "xl_latent": np.zeros((3, 8)),
    ...            "xl_latent_err": np.full((3, 8), 0.5)}, meta={"XLSPACE": "demo"})
    >>> group_latents(t)["name", "xl_n_obs"].as_array().tolist()
    [('a', 2), ('b', 1)]
    """
    names, _, found = _join(table, by, class_weights)
    sources = Table({by: names}, meta={k: v for k, v in table.meta.items() if k.startswith("XL")})
    for name, column in joint_columns(found, slice(None)).items():
        sources[name] = column
    return sources


def share_latents(table: Table, by: str = "name", *,
                  class_weights: Mapping | ArrayLike | None = None) -> Table:
    """A copy in which every row has its source's columns of `group_latents`, whose arguments these are."""
    _, group, found = _join(table, by, class_weights)
    shared = table.copy()
    for name, column in joint_columns(found, group).items():
        shared[name] = column
    return shared


def _join(table, by, class_weights):
    """Names of sources, the number of every row's source, and `Combined`."""
    check_latent_space(table)
    if "xl_n_obs" in table.colnames:
        msg = ("the table's latents are joint already (it has xl_n_obs), and would be counted twice; enrich "
               "it without group_by")
        raise TableError(msg)
    names, group = source_numbers(table, by)
    mean, covariance, usable = latent_gaussians(table)
    known_prior = table.meta.get("XLPRIOR", "none") == "none" or class_weights is not None
    classes = class_probabilities(table) if known_prior else None
    found = combine_groups(mean, covariance, usable, classes, group, len(names), class_weights)
    return names, group, found


def source_numbers(table: Table, by: str) -> tuple[Column, np.ndarray]:
    """Names of the sources in order of appearance, and every row's index into them."""
    if by not in table.colnames:
        msg = f"no column {by!r} names the source; the table has {', '.join(table.colnames[:8])}, ..."
        raise TableError(msg)
    column = table[by]
    masked = np.ma.getmaskarray(np.ma.asarray(column))
    if column.ndim != 1 or masked.any():
        msg = (f"column {by!r} is to name the sources, but {int(masked.sum())} rows are masked or hold no "
               "single value; name every row's source")
        raise TableError(msg)
    _, first, inverse = np.unique(np.asarray(column), return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return column[np.sort(first)], rank[inverse]


def joint_columns(found: Combined, rows: slice | np.ndarray) -> dict[str, Column]:
    """Output columns by name, with the sources in the order ``rows``; masked where nobody saw one."""
    variance = np.diagonal(found.latent_cov, axis1=1, axis2=2)
    values = {"xl_n_obs": found.n_obs, "xl_n_used": found.n_used, "xl_latent": found.latent,
              "xl_latent_err": np.sqrt(variance), "xl_latent_cov": found.latent_cov}
    if found.class_prob is not None:
        values |= class_values(found.class_prob)
    values["xl_p_change"] = found.p_change
    missing = np.isnan(found.latent).any(axis=1)
    unknown = {"xl_n_obs": None, "xl_n_used": None, "xl_p_change": ~np.isfinite(found.p_change)[rows]}
    return {name: make_column(name, value[rows], unknown.get(name, missing[rows]))
            for name, value in values.items()}
