# Licensed under a 3-clause BSD style license - see LICENSE
"""
Several observations of one source: their joint latents, and whether they differ.

The posterior of one observation is a Gaussian, the prior N(0, 1) by the
definition of the latents. Their quotient is the observation's likelihood;
likelihoods multiply, and the prior enters once.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import Column, MaskedColumn, Row, Table

from astro_xlatent.columns import CLASSES, N_LATENT, make_column
from astro_xlatent.errors import ParameterError, TableError
from astro_xlatent.provenance import check_latent_space

__all__ = ["CLASS_GAIN", "MIN_INFORMATION", "Combined", "combine", "group_latents", "latent_gaussians",
           "likelihoods"]

#: Information, relative to the prior's, below which a direction of the
#: latents counts as not measured when observations are compared.
MIN_INFORMATION = 0.05
#: What any number of further observations of one source can add to the
#: evidence on its class, relative to the first. Measured on simulated sources
#: observed by Chandra and eROSITA, two to six times: 0.25 to 0.5 gives the best
#: log score (-1.535 for two, -1.44 for six; the full product -1.63 and -2.66,
#: worse than no observation, -2.20).
CLASS_GAIN = 0.35
# Rows whose matrices are worked on at once.
_CHUNK = 20_000


@dataclass
class Combined:
    """
    What several observations of each of n sources say together.

    Attributes
    ----------
    latent, latent_cov : ndarray, (n, 8) and (n, 8, 8)
        Mean and covariance of the joint posterior.
    class_prob : ndarray, (n, 9), or None
        Joint probabilities of the eight classes and "other".
    n_obs, n_used : ndarray of int, (n,)
        Observations there are, and those that say anything about the latents.
    chi2 : ndarray, (n,)
        Deviation of the observations from their common latents.
    p_change : ndarray, (n,)
        Probability of a larger ``chi2`` if the spectrum's shape did not
        change; NaN for fewer than two used observations.
    """

    latent: np.ndarray
    latent_cov: np.ndarray
    class_prob: np.ndarray
    n_obs: np.ndarray
    n_used: np.ndarray
    chi2: np.ndarray
    p_change: np.ndarray


def latent_gaussians(table, rows=slice(None)):
    """
    Posteriors of the latents of an enriched table's rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``xl_latent`` and ``xl_latent_cov`` or ``xl_latent_err``.
    rows : index, optional
        Which rows.

    Returns
    -------
    mean, covariance : ndarray of float64, (n, 8) and (n, 8, 8)
        The covariance is diagonal where only errors are known. Rows that
        cannot be used hold the prior.
    usable : ndarray of bool, (n,)
        False where masked, not finite, or without a positive variance.

    Raises
    ------
    TableError
        If the columns are missing or have another shape.
    """
    mean, masked = _plain(table, "xl_latent", rows, (N_LATENT,))
    if "xl_latent_cov" in table.colnames:
        covariance, also = _plain(table, "xl_latent_cov", rows, (N_LATENT, N_LATENT))
        variance = np.diagonal(covariance, axis1=1, axis2=2)
    else:
        error, also = _plain(table, "xl_latent_err", rows, (N_LATENT,))
        variance = error**2
        covariance = np.zeros((*variance.shape, N_LATENT))
        covariance[:, np.arange(N_LATENT), np.arange(N_LATENT)] = variance
    usable = ~(masked | also) & np.isfinite(mean).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2))
    usable &= (variance > 0).all(axis=1)
    mean = np.where(usable[:, None], mean, 0.0)
    return mean, np.where(usable[:, None, None], covariance, np.eye(N_LATENT)), usable


def _plain(table, name, rows, shape):
    """Values of a vector column as float64, and where any of them is masked."""
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
    return values, mask.any(axis=tuple(range(1, mask.ndim)))


def likelihoods(mean, covariance, variability=0.0, least=0.0):
    """
    Gaussian likelihoods behind posteriors: the prior N(0, 1) divided out.

    Parameters
    ----------
    mean, covariance : ndarray, (n, 8) and (n, 8, 8)
        Posteriors.
    variability : float, optional
        Variance, in every direction, by which a source's latents scatter
        about their mean from one observation to the next.
    least : float, optional
        Lower bound of the information in every direction.

    Returns
    -------
    information : ndarray, (n, 8, 8)
        Inverse covariance of each likelihood. Where a posterior is broader
        than the prior there is none.
    weighted : ndarray, (n, 8)
        The information times the likelihood's mean.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.combine import likelihoods
    >>> information, weighted = likelihoods(np.full((1, 8), 0.8), 0.2 * np.eye(8)[None])
    >>> information[0, 0, 0].item(), weighted[0, 0].item()
    (4.0, 4.0)
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


def combine(observations, *, class_weights=None):
    """
    Join observations of the same sources.

    Parameters
    ----------
    observations : sequence of `~astro_xlatent.model.posterior.Posterior`, or of tables, or a table
        Posteriors, or enriched tables, each of n rows: row i is source i.
        A single table, or a sequence of its rows, holds observations of one
        source.
    class_weights : array_like, shape (9,), optional
        Class prior in what is given, by default equal; see `prior_weights`
        in `astro_xlatent.model.priors`.

    Returns
    -------
    combined : Combined
        Independent of the order of the observations.

    Raises
    ------
    ParameterError
        If there is no observation, or the numbers of rows differ.
    ModelError
        If tables are of different latent spaces.

    Notes
    -----
    With K posteriors N(m_k, C_k) the joint precision is sum(1/C_k) - (K - 1),
    the joint mean follows from sum(m_k/C_k).

    Class probabilities are not multiplied: that takes the observations for
    independent given the class, but sources of a class differ, and seeing the
    same unusual one ten times is not ten times the evidence. The logarithms of
    probability over prior are averaged, each with its information (relative
    entropy to the prior) I_k as weight, and their mean raised by 1 +
    `CLASS_GAIN` (1 - 1/K') with K' = sum(I)^2 / sum(I^2). One informative
    observation among uninformative ones remains as it is.

    ``chi2`` compares the likelihoods' means with their weighted mean; it has
    8 (K - 1) degrees of freedom. Directions with less than `MIN_INFORMATION`
    get the error that belongs to it, so that the test errs towards no change.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.combine import combine
    >>> rows = Table({"xl_latent": np.full((2, 8), 0.5), "xl_latent_err": np.full((2, 8), 0.5)},
    ...              meta={"XLSPACE": "a"})
    >>> joint = combine(rows)
    >>> joint.latent[0, 0].item(), joint.latent_cov[0, 0, 0].item()
    (0.5714285714285714, 0.14285714285714285)
    """
    mean, covariance, usable, classes, group = _stack(observations)
    n_groups = int(group.max()) + 1
    return _combine_groups(mean, covariance, usable, classes, group, n_groups, class_weights)


def _stack(observations):
    """Means, covariances, usable, class probabilities and number of the source of all observations."""
    if isinstance(observations, Row):
        observations = [observations]
    if isinstance(observations, Table):
        parts, group = [_from_table(observations)], np.zeros(len(observations), int)
    else:
        observations = list(observations)
        rows = bool(observations) and all(isinstance(item, Row) for item in observations)
        tables = [item.table[item.index:item.index + 1] if rows else item for item in observations]
        if tables and all(isinstance(item, Table) for item in tables):
            check_latent_space(*tables)
        parts = [_from_table(t) if isinstance(t, Table) else _from_posterior(t) for t in tables]
        sizes = {len(part[0]) for part in parts}
        if len(sizes) > 1:
            msg = f"observations have {sorted(sizes)} rows; row i of each must be the same source"
            raise ParameterError(msg)
        group = np.concatenate([np.zeros(len(p[0]), int) if rows else np.arange(len(p[0])) for p in parts]
                               or [np.zeros(0, int)])
    if not group.size:
        msg = "observations is empty; give at least one posterior or enriched row"
        raise ParameterError(msg)
    joined = [None if any(v is None for v in values) else np.concatenate(values)
              for values in zip(*parts, strict=True)]
    return (*joined, group)


def _from_posterior(posterior):
    return (np.asarray(posterior.latent, float), np.asarray(posterior.latent_cov, float),
            np.asarray(posterior.detected, bool), np.asarray(posterior.class_prob, float))


def _from_table(table):
    mean, covariance, usable = latent_gaussians(table)
    return mean, covariance, usable, _class_probabilities(table)


def _class_probabilities(table):
    """Probabilities of nine classes (n, 9), uniform where masked; None without the columns."""
    if not {"xl_class_prob", "xl_class_other"} <= set(table.colnames):
        return None
    eight, masked = _plain(table, "xl_class_prob", slice(None), (len(CLASSES),))
    other, also = _plain(table, "xl_class_other", slice(None), ())
    nine = np.concatenate([eight * (1 - other)[:, None], other[:, None]], axis=1)
    known = ~(masked | also) & np.isfinite(nine).all(axis=1)
    return np.where(known[:, None], nine, 1 / nine.shape[1])


def _combine_groups(mean, covariance, usable, classes, group, n_groups, class_weights=None):
    """The work of `combine`: observations with the same number in ``group`` are of one source."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n_groups))

    def total(values):
        return np.add.reduceat(values[order], starts, axis=0) if n_groups else values[:0]

    information, weighted = np.empty_like(covariance), np.empty_like(mean)
    bounded, deviation = np.empty_like(covariance), np.empty(mean.shape)
    for start in range(0, len(mean), _CHUNK):
        part = slice(start, start + _CHUNK)
        information[part], weighted[part] = likelihoods(mean[part], covariance[part])
        bounded[part], deviation[part] = likelihoods(mean[part], covariance[part], least=MIN_INFORMATION)
    informed = usable & (np.linalg.eigvalsh(information)[:, -1] > MIN_INFORMATION)
    n_used = total(informed.astype(int))
    information[~usable], weighted[~usable] = 0.0, 0.0
    joint_cov = np.linalg.inv(np.eye(N_LATENT) + total(information))
    joint = np.einsum("nij,nj->ni", joint_cov, total(weighted))
    bounded[~informed], deviation[~informed] = np.eye(N_LATENT) * 1e-12, 0.0
    own = np.einsum("ni,ni->n", deviation, np.linalg.solve(bounded, deviation[..., None])[..., 0])
    together = total(deviation)
    common = np.linalg.solve(total(bounded), together[..., None])[..., 0]
    chi2 = np.maximum(total(own) - np.einsum("ni,ni->n", together, common), 0.0)
    n_obs = total(np.ones(len(mean), int))
    # A single observation is its own posterior, also where it is broader than the prior.
    alone = (n_obs == 1) & total(usable.astype(int)).astype(bool)
    joint[alone], joint_cov[alone] = mean[order][starts][alone], covariance[order][starts][alone]
    class_prob = None if classes is None else _pool(classes, usable, total, class_weights)
    return Combined(joint, joint_cov, class_prob, n_obs, n_used, chi2, _p_change(chi2, n_used))


def _p_change(chi2, n_used):
    from scipy.special import chdtrc

    compared = n_used > 1
    return np.where(compared, chdtrc(N_LATENT * np.maximum(n_used - 1, 1), chi2), np.nan)


def _pool(classes, usable, total, weights):
    """Joint class probabilities, see the notes of `combine`."""
    weights = np.ones(classes.shape[1]) if weights is None else np.asarray(weights, float)
    if weights.shape != (classes.shape[1],) or not np.all(weights > 0):
        msg = f"class_weights must be {classes.shape[1]} positive numbers, got {weights!r}"
        raise ParameterError(msg)
    prior = np.log(weights / weights.sum())
    ratio = np.log(np.maximum(classes, 1e-12)) - prior
    gained = np.where(usable, np.maximum(np.sum(classes * ratio, axis=1), 0.0) + 1e-9, 0.0)
    summed = np.maximum(total(gained), 1e-12)
    effective = np.maximum(summed**2 / np.maximum(total(gained**2), 1e-24), 1.0)
    mean = total(gained[:, None] * ratio) / summed[:, None]
    logit = prior + (1 + CLASS_GAIN * (1 - 1 / effective))[:, None] * mean
    probability = np.exp(logit - logit.max(axis=1, keepdims=True))
    return probability / probability.sum(axis=1, keepdims=True)


def group_latents(table, by="name", *, class_weights=None):
    """
    One row per source from an enriched table of observations.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched; with ``xl_latent_cov`` (``include=["xl_latent_cov"]``) the
        result is exact, otherwise the latents' errors count as independent.
    by : str, optional
        Column that is the same for all observations of a source.
    class_weights : array_like, shape (9,), optional
        Class prior with which the table was made, if not equal weights.

    Returns
    -------
    sources : `~astropy.table.Table`
        In the order in which sources appear: ``by``; ``xl_n_obs``, and
        ``xl_n_used`` of them that could be used; ``xl_latent``,
        ``xl_latent_err``, ``xl_latent_cov``; ``xl_class``,
        ``xl_class_prob``, ``xl_class_other`` where the class prior is known;
        ``xl_change``, the p-value against an unchanged spectrum (masked
        below two used observations). Latents and class are masked where no
        observation could be used.

    Raises
    ------
    TableError
        If a column is missing, or ``by`` is masked in some row.
    ModelError
        If the table does not say its latent space.

    Notes
    -----
    See `combine`. A table enriched with a class prior of its own per row
    (``prior="galactic"``) gives no class columns: the prior cannot be
    divided out. Enrich with ``prior=None`` for them.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.combine import group_latents
    >>> t = Table({"name": ["a", "b", "a"], "xl_latent": np.zeros((3, 8)),
    ...            "xl_latent_err": np.full((3, 8), 0.5)}, meta={"XLSPACE": "demo"})
    >>> group_latents(t)["name", "xl_n_obs"].as_array().tolist()
    [('a', 2), ('b', 1)]
    """
    check_latent_space(table)
    names, group = _sources(table, by)
    mean, covariance, usable = latent_gaussians(table)
    known_prior = table.meta.get("XLPRIOR", "none") == "none" or class_weights is not None
    classes = _class_probabilities(table) if known_prior else None
    found = _combine_groups(mean, covariance, usable, classes, group, len(names), class_weights)
    sources = Table({by: names}, meta={k: v for k, v in table.meta.items() if k.startswith("XL")})
    n_measured = np.bincount(group, weights=usable, minlength=len(names))
    for name, column in _columns(found, n_measured == 0).items():
        sources[name] = column
    return sources


def _sources(table, by):
    """Values of the column that names sources, each once, and their number for every row."""
    if by not in table.colnames:
        msg = f"by={by!r} is no column of the table; it has {', '.join(table.colnames[:8])}, ..."
        raise TableError(msg)
    column = table[by]
    masked = np.ma.getmaskarray(np.ma.asarray(column))
    if column.ndim != 1 or masked.any():
        msg = (f"by={by!r}: {int(masked.sum())} rows are masked or hold no single value; "
               "name every row's source")
        raise TableError(msg)
    _, first, inverse = np.unique(np.asarray(column), return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return column[np.sort(first)], rank[inverse]


def _columns(found, missing):
    """Output columns of `group_latents`."""
    variance = np.diagonal(found.latent_cov, axis1=1, axis2=2)
    columns = {
        "xl_n_obs": Column(found.n_obs, description="observations of the source",
                           meta={"ucd": "meta.number;obs"}),
        "xl_n_used": Column(found.n_used, description="observations that say something about the latents",
                            meta={"ucd": "meta.number;obs"}),
        "xl_latent": make_column("xl_latent", found.latent, missing),
        "xl_latent_err": make_column("xl_latent_err", np.sqrt(variance), missing),
        "xl_latent_cov": make_column("xl_latent_cov", found.latent_cov, missing),
    }
    if found.class_prob is not None:
        other = found.class_prob[:, -1]
        eight = found.class_prob[:, :-1] / np.maximum(1 - other, 1e-12)[:, None]
        best = np.array([*CLASSES, "other"])[found.class_prob.argmax(axis=1)]
        columns |= {"xl_class": make_column("xl_class", best, missing),
                    "xl_class_prob": make_column("xl_class_prob", eight, missing),
                    "xl_class_other": make_column("xl_class_other", other, missing)}
    columns["xl_change"] = MaskedColumn(
        found.p_change.astype(np.float32), mask=~np.isfinite(found.p_change), format="%.3g",
        description="p-value of the observations' latents if the spectrum's shape did not change",
        meta={"ucd": "stat.fit.goodness;src.var"})
    return columns
