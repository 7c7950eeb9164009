# Licensed under a 3-clause BSD style license - see LICENSE
"""
Mutual information by nearest neighbors: the first estimator of Kraskov, Stögbauer & Grassberger (2004, Phys.
Rev. E 69, 066138), conditional as of Frenzel & Pompe (2007, Phys. Rev. Lett. 99, 204101). Variables are
ranked to normal scores first: mutual information does not change, and the estimator's bias shrinks.
"""

import re
from typing import NamedTuple

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.features import PCA_NAME
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import interval

__all__ = ["Information", "bias_check", "information_numbers", "measure_information", "mutual_information",
           "normal_scores", "variability_columns"]

_VARIABILITY = re.compile(r"(var|kp|ks)_(intra_|inter_)?(prob|index|sigma)(_\w+)?")
N_NEIGHBORS = 5
MIN_ROWS = 100
#: Rows used for a quick look; the estimator's cost grows faster than their number.
QUICK_ROWS = 1200


def variability_columns(table):
    """Names of the table's time-domain columns, as the CSC names them."""
    return [name for name in table.colnames if _VARIABILITY.fullmatch(name)]


def normal_scores(x, rng):
    """Ranks of every column as quantiles of a normal distribution (n, k), ties broken at random."""
    from scipy.special import ndtri

    x = np.asarray(x, float).reshape(len(x), -1)
    order = np.stack([np.lexsort((rng.random(len(x)), column)) for column in x.T], axis=1)
    return ndtri((np.argsort(order, axis=0) + 0.5) / len(x))


def mutual_information(x, y, given=None):
    """
    Mutual information in nats of two sets of variables (n, ...) without ties and of comparable scale, or the
    part of it that a third one does not have; may come out slightly negative.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    parts = [x, y] if given is None else [x, y, given]
    lengths = {len(a) for a in parts}
    if len(lengths) != 1 or min(lengths) <= N_NEIGHBORS + 1:
        msg = f"variables must be of one length, longer than {N_NEIGHBORS + 1} rows, got {sorted(lengths)}"
        raise ParameterError(msg)
    points = np.concatenate(parts, axis=1)
    # The radius is open: a point at exactly that distance does not count.
    radius = np.nextafter(cKDTree(points).query(points, N_NEIGHBORS + 1, p=np.inf)[0][:, -1], 0)

    def within(*some):
        inner = np.concatenate(some, axis=1)
        return digamma(cKDTree(inner).query_ball_point(inner, radius, p=np.inf, return_length=True))

    rest = parts[2:]
    common = within(*rest) if rest else digamma(len(x))
    return float(digamma(N_NEIGHBORS) + np.mean(common - within(x, *rest) - within(y, *rest)))


class Information(NamedTuple):
    """In nats: value, 90 % interval, 95 % quantile of permutations, and share of these that reach it."""

    value: float
    interval: tuple
    null: float
    p_value: float


def measure_information(x, y, given=None, *, seed=0, n_permutations=50, n_boot=50):
    """
    Information of x and y, (n,) or (n, k) and finite, conditional on ``given``. The interval is from halves
    of the rows: an estimator of nearest neighbors does not survive the repeated rows of a bootstrap.
    """
    rng = np.random.default_rng(seed)
    parts = [normal_scores(a, rng) for a in (x, y, given) if a is not None]
    value = mutual_information(*parts)
    null = [mutual_information(parts[0], parts[1][rng.permutation(len(y))], *parts[2:])
            for _ in range(n_permutations)]
    chosen = (rng.permutation(len(y))[: len(y) // 2] for _ in range(n_boot))
    halves = [mutual_information(*(part[rows] for part in parts)) for rows in chosen]
    # Half a sample, drawn without replacement, varies about the whole as the whole does about the truth.
    spread = np.array(halves) - np.mean(halves)
    limits = tuple(value + edge for edge in interval(spread))
    p_value = (1 + np.sum(np.array(null) >= value)) / (1 + n_permutations)
    return Information(value, limits, float(np.quantile(null, 0.95)), float(p_value))


def bias_check(n, n_dimensions, seed=0):
    """True and estimated values for normal ``x`` of so many dimensions and ``y``, at some correlations."""
    rng = np.random.default_rng(seed)
    pairs = []
    for correlation in (0.0, 0.3, 0.6, 0.9):
        x = rng.normal(size=(n, n_dimensions))
        y = correlation * x[:, :1] + np.sqrt(1 - correlation**2) * rng.normal(size=(n, 1))
        truth = -0.5 * np.log(1 - correlation**2)
        pairs.append((float(truth), mutual_information(normal_scores(x, rng), normal_scores(y, rng))))
    return pairs


def _variables(table, latent, hardness, components):
    """What is measured by name, (n, k), and on what condition."""
    sets = {"latents": (latent, None)}
    if components is not None:
        sets[f"{PCA_NAME} (fitted to all rows)"] = (components, None)
    if hardness is not None:
        sets |= {"hardness ratios": (hardness, None), "latents, given hardness ratios": (latent, hardness)}
        if "significance" in table.colnames:
            # Faint sources have latents near their mean and cannot show variability: hold that fixed, too.
            with np.errstate(invalid="ignore", divide="ignore"):
                significance = np.log10(plain_floats(table["significance"]))[:, None]
            given = np.concatenate([hardness, significance], axis=1)
            sets["latents, given hardness ratios and significance"] = (latent, given)
    return sets


def information_numbers(table, latent, hardness=None, columns=None, seed=0, quick=False, components=None):
    """
    Information of latents, hardness ratios and principal components (n, k) about time-domain columns, with
    notes. ``quick``: fewer permutations and subsamples, and at most `QUICK_ROWS` rows.
    """
    columns = variability_columns(table) if columns is None else columns
    repeats = {"n_permutations": 19, "n_boot": 20} if quick else {"n_permutations": 49, "n_boot": 50}
    section, numbers, notes, sizes = "mutual information, nats", [], [], []
    sets = _variables(table, latent, hardness, components)
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
        for method, (x, given) in sets.items():
            rows = known if given is None else known & np.isfinite(given).all(axis=1)
            if rows.sum() < MIN_ROWS:
                continue
            found = measure_information(x[rows], values[rows], None if given is None else given[rows],
                                        seed=seed, **repeats)
            of = (f"{method}: {name}", "all", known.sum())
            numbers += [Number.of(section, "mutual information", *of, found.value, found.interval),
                        Number.of(section, "95 % quantile of permutations", *of, found.null),
                        Number.of(section, "p-value", *of, found.p_value)]
    if sizes:
        n = int(np.median(sizes))
        numbers += [Number.of("mutual information, check of the estimator", "estimate",
                              f"normal distributions of known {abs(truth):.3f}", "drawn", n, estimate)
                    for truth, estimate in bias_check(n, latent.shape[1], seed)]
    return numbers, notes
