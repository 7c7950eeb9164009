# Licensed under a 3-clause BSD style license - see LICENSE
"""
Mutual information by nearest neighbors, with its null and its bias.

The estimator is the first of Kraskov, Stögbauer & Grassberger (2004) [1]_;
what latents add to hardness ratios is the conditional mutual information of
Frenzel & Pompe (2007) [2]_. All variables are ranked to normal scores first:
mutual information does not change, and the estimator's bias shrinks.

References
----------
.. [1] Kraskov, Stögbauer & Grassberger 2004, Phys. Rev. E 69, 066138
.. [2] Frenzel & Pompe 2007, Phys. Rev. Lett. 99, 204101
"""

import re
from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.pca import PCA_NAME
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import interval

__all__ = [
    "Information",
    "bias_check",
    "conditional_information",
    "information_numbers",
    "measure_information",
    "mutual_information",
    "normal_scores",
    "variability_columns",
]

_VARIABILITY = re.compile(r"(var|kp|ks)_(intra_|inter_)?(prob|index|sigma)(_\w+)?")
N_NEIGHBORS = 5
MIN_ROWS = 100
#: Rows used for a quick look; the estimator's cost grows faster than their number.
QUICK_ROWS = 1200


def variability_columns(table):
    """Names of the table's time-domain columns, as the CSC names them."""
    return [name for name in table.colnames if _VARIABILITY.fullmatch(name)]


def normal_scores(x, rng):
    """
    Ranks of every column as quantiles of a normal distribution.

    Parameters
    ----------
    x : ndarray, shape (n,) or (n, k)
    rng : numpy.random.Generator
        Breaks ties at random.

    Returns
    -------
    scores : ndarray, shape (n, k)
    """
    from scipy.special import ndtri

    x = np.asarray(x, float).reshape(len(x), -1)
    order = np.stack([np.lexsort((rng.random(len(x)), column)) for column in x.T], axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(x))[:, None], axis=0)
    return ndtri((rank + 0.5) / len(x))


def _count_within(points, radius):
    """Number of other points closer than each point's radius (maximum norm)."""
    from scipy.spatial import cKDTree

    # The radius is open: a point at exactly that distance does not count.
    inner = np.nextafter(radius, 0)
    return cKDTree(points).query_ball_point(points, inner, p=np.inf, return_length=True) - 1


def _distance(points, k):
    from scipy.spatial import cKDTree

    return cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1]


def _check(*arrays):
    lengths = {len(a) for a in arrays}
    if len(lengths) != 1 or lengths.pop() <= N_NEIGHBORS + 1:
        msg = (
            f"arrays must be equally long and longer than {N_NEIGHBORS + 1}, got {[len(a) for a in arrays]}"
        )
        raise ParameterError(msg)


def mutual_information(x, y, k=N_NEIGHBORS):
    """
    Mutual information of two sets of continuous variables.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray, shape (n, q)
        Without ties, of comparable scale.
    k : int, optional
        Neighbors: more give less noise and more bias.

    Returns
    -------
    information : float
        In nats; may come out slightly negative.

    Raises
    ------
    ParameterError
        If there are too few rows.
    """
    from scipy.special import digamma

    _check(x, y)
    radius = _distance(np.concatenate([x, y], axis=1), k)
    counts = [digamma(_count_within(part, radius) + 1) for part in (x, y)]
    return float(digamma(k) + digamma(len(x)) - np.mean(counts[0] + counts[1]))


def conditional_information(x, y, given, k=N_NEIGHBORS):
    """
    Mutual information of ``x`` and ``y`` that ``given`` does not have.

    Parameters
    ----------
    x, y, given : ndarray, shape (n, ...)
    k : int, optional

    Returns
    -------
    information : float
        In nats.
    """
    from scipy.special import digamma

    _check(x, y, given)
    radius = _distance(np.concatenate([x, y, given], axis=1), k)
    xz, yz, z = (
        _count_within(part, radius)
        for part in (np.concatenate([x, given], axis=1), np.concatenate([y, given], axis=1), given)
    )
    return float(digamma(k) + np.mean(digamma(z + 1) - digamma(xz + 1) - digamma(yz + 1)))


@dataclass
class Information:
    """
    A measured mutual information.

    Attributes
    ----------
    value : float
        In nats.
    interval : tuple of float
        90 %, from subsamples of half the rows (an estimator of nearest
        neighbors does not survive the repeated rows of a bootstrap).
    null : float
        95 % quantile of permutations.
    p_value : float
        Share of permutations that reach the value.
    """

    value: float
    interval: tuple
    null: float
    p_value: float


def measure_information(x, y, given=None, *, seed=0, n_permutations=50, n_boot=50):
    """
    Estimate with permutation null and interval.

    Parameters
    ----------
    x, y, given : ndarray, shape (n,) or (n, k)
        Finite. With ``given``, the conditional mutual information.
    seed, n_permutations, n_boot : int, optional

    Returns
    -------
    information : Information
    """
    rng = np.random.default_rng(seed)
    parts = [normal_scores(a, rng) for a in (x, y, given) if a is not None]
    estimate = mutual_information if given is None else conditional_information
    value = estimate(*parts)
    null = [estimate(parts[0], parts[1][rng.permutation(len(y))], *parts[2:]) for _ in range(n_permutations)]
    halves = [_halved(parts, estimate, rng) for _ in range(n_boot)]
    # Half a sample, drawn without replacement, varies about the whole as the whole does about the truth.
    spread = np.array(halves) - np.mean(halves)
    limits = tuple(value + edge for edge in interval(spread))
    p_value = (1 + np.sum(np.array(null) >= value)) / (1 + n_permutations)
    return Information(value, limits, float(np.quantile(null, 0.95)), float(p_value))


def _halved(parts, estimate, rng):
    rows = rng.permutation(len(parts[0]))[: len(parts[0]) // 2]
    return estimate(*(p[rows] for p in parts))


def bias_check(n, n_dimensions, seed=0):
    """
    Estimates on normal distributions with known mutual information.

    Parameters
    ----------
    n, n_dimensions : int
        Rows, and dimensions of ``x``; ``y`` has one.
    seed : int, optional

    Returns
    -------
    pairs : list of (float, float)
        True and estimated value, in nats, for several correlations.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for correlation in (0.0, 0.3, 0.6, 0.9):
        x = rng.normal(size=(n, n_dimensions))
        y = correlation * x[:, :1] + np.sqrt(1 - correlation**2) * rng.normal(size=(n, 1))
        truth = -0.5 * np.log(1 - correlation**2)
        pairs.append((float(truth), mutual_information(normal_scores(x, rng), normal_scores(y, rng))))
    return pairs


def _conditions(table, hardness):
    """
    What latents should add to.

    Faint sources have latents near their mean and cannot show variability:
    significance is held fixed, too, where the table has it.
    """
    found = {"hardness ratios": hardness}
    if "significance" in table.colnames:
        with np.errstate(invalid="ignore", divide="ignore"):
            significance = np.log10(plain_floats(table["significance"]))[:, None]
        found["hardness ratios and significance"] = np.concatenate([hardness, significance], axis=1)
    return found


def information_numbers(table, latent, hardness=None, columns=None, seed=0, quick=False, components=None):
    """
    Information of latents and hardness ratios about time-domain columns.

    Parameters
    ----------
    table : `~astropy.table.Table`
    latent : ndarray, shape (n, d)
    hardness : ndarray, shape (n, k), optional
    columns : sequence of str, optional
        Columns to use instead of those that `variability_columns` finds.
    seed : int, optional
    quick : bool, optional
        Fewer permutations and subsamples, and at most `QUICK_ROWS` rows.
    components : ndarray, shape (n, c), optional
        Principal components of the spectra, measured beside the latents.

    Returns
    -------
    numbers : list of Number
    notes : list of str
        Columns left out.
    """
    columns = variability_columns(table) if columns is None else columns
    repeats = {"n_permutations": 19, "n_boot": 20} if quick else {"n_permutations": 49, "n_boot": 50}
    section, numbers, notes, sizes = "mutual information, nats", [], [], []
    for name in columns:
        values = plain_floats(table[name])
        known = np.isfinite(values)
        if hardness is not None:
            known &= np.isfinite(hardness).all(axis=1)
        if known.sum() < MIN_ROWS or np.ptp(values[known]) == 0:
            notes.append(f"{name}: {known.sum()} rows, too few or constant: left out of mutual information")
            continue
        if quick and known.sum() > QUICK_ROWS:
            chosen = np.random.default_rng(seed).permutation(np.flatnonzero(known))[:QUICK_ROWS]
            known = np.isin(np.arange(len(known)), chosen)
        sizes.append(int(known.sum()))
        measured = {"latents": measure_information(latent[known], values[known], seed=seed, **repeats)}
        if components is not None:
            measured[f"{PCA_NAME} (fitted to all rows)"] = measure_information(
                components[known], values[known], seed=seed, **repeats
            )
        if hardness is not None:
            measured["hardness ratios"] = measure_information(hardness[known], values[known], seed=seed,
                                                              **repeats)
            for given, conditions in _conditions(table, hardness).items():
                rows = known & np.isfinite(conditions).all(axis=1)
                if rows.sum() >= MIN_ROWS:
                    measured[f"latents, given {given}"] = measure_information(
                        latent[rows], values[rows], conditions[rows], seed=seed, **repeats
                    )
        for method, found in measured.items():
            of = (f"{method}: {name}", "all", known.sum())
            numbers += [
                Number.of(section, "mutual information", *of, found.value, found.interval),
                Number.of(section, "95 % quantile of permutations", *of, found.null),
                Number.of(section, "p-value", *of, found.p_value),
            ]
    if sizes:
        for truth, estimate in bias_check(int(np.median(sizes)), latent.shape[1], seed):
            numbers.append(
                Number.of("mutual information, check of the estimator", "estimate",
                          f"normal distributions of known {abs(truth):.3f}", "drawn", int(np.median(sizes)),
                          estimate)
            )
    return numbers, notes
