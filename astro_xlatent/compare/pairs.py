# Licensed under a 3-clause BSD style license - see LICENSE
"""Pairs of rows near each other, and how probably a pair is one source as far as position goes."""

from typing import NamedTuple

import numpy as np

from astro_xlatent.compare.positions import Positions
from astro_xlatent.core.errors import ParameterError, TableError

__all__ = ["MOST_PAIRS", "Pairs", "candidate_pairs", "check_numbers", "match_share",
           "positional_log_bayes", "sky_density"]

#: More candidate pairs than this are refused, for they fill the memory.
MOST_PAIRS = 30_000_000
_NEIGHBORS = 16
_CHUNK = 100_000
_RAD = np.pi / 180 / 3600


class Pairs(NamedTuple):
    """
    Candidate pairs: indices into two `Positions`, separation and its standard deviation in the direction in
    which the two lie, and that of the circle with the area of the combined error ellipse, arcsec.
    """

    i: np.ndarray
    j: np.ndarray
    separation: np.ndarray
    sigma: np.ndarray
    width: np.ndarray


def candidate_pairs(a: Positions, b: Positions, n_sigma: float = 5.0) -> Pairs:
    """
    Sorted pairs of rows closer than so many combined standard deviations (5 keeps all but 4e-6 of the true
    ones). Rows of like errors are searched together, so that few poor positions do not widen it for all.
    """
    found, total = [_near(a, b, np.zeros(0, np.int64), np.zeros(0, np.int64))], 0
    groups_b = list(_groups(b, max(len(b), 1)))
    for mine, tree in _groups(a, _CHUNK):
        for others, other_tree in groups_b:
            reach = n_sigma * np.hypot(a.major[mine].max(), b.major[others].max()) * _RAD
            near = tree.sparse_distance_matrix(other_tree, 2 * np.sin(reach / 2), output_type="ndarray")
            pairs = _near(a, b, mine[near["i"]], others[near["j"]])
            close = pairs.separation < n_sigma * pairs.sigma
            found.append([values[close] for values in pairs])
            total += close.sum()
            if total > MOST_PAIRS:
                msg = (f"more than {MOST_PAIRS} pairs of rows lie within {n_sigma:g} standard deviations; "
                       "are position errors too large, or rows repeated?")
                raise TableError(msg)
    joined = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    order = np.lexsort((joined[1], joined[0]))
    return Pairs(*(values[order] for values in joined))


def _near(a, b, i, j):
    """Separation and combined error of some pairs."""
    offset = (b.xyz[j] - a.xyz[i]) / _RAD
    chord = np.sqrt(np.einsum("ni,ni->n", offset, offset))
    separation = 2 * np.arcsin(chord * _RAD / 2) / _RAD
    round_ = a.minor[i] ** 2 + b.minor[j] ** 2
    if a.stretch is None and b.stretch is None:
        sigma = np.sqrt(round_)
        return Pairs(i, j, separation, sigma, sigma)
    # The covariance is round_ + m m' + n n' with vectors m, n along the major axes: in two
    # dimensions, but written with scalar products, which need no axes and so no care at the poles.
    m, n = (np.zeros_like(offset) if p.stretch is None else p.stretch[k] for p, k in ((a, i), (b, j)))
    mm, nn, mn, dm, dn = (np.einsum("ni,ni->n", x, y) for x, y in
                          ((m, m), (n, n), (m, n), (offset, m), (offset, n)))
    determinant = (round_ + mm) * (round_ + nn) - mn**2
    removed = (dm**2 * (round_ + nn) - 2 * dm * dn * mn + dn**2 * (round_ + mm)) / determinant
    square = np.maximum(chord**2 - removed, 0.0) / round_
    width = determinant**0.25
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.where(square > 0, separation / np.sqrt(square), width)
    return Pairs(i, j, separation, sigma, width)


def _groups(positions, most):
    """Indices of rows with like errors, at most so many at once, with their trees."""
    from scipy.spatial import cKDTree

    octave = np.floor(np.log2(positions.major)).astype(int)
    for value in np.unique(octave):
        members = np.flatnonzero(octave == value)
        for start in range(0, len(members), most):
            part = members[start:start + most]
            yield part, cKDTree(positions.xyz[part])


def positional_log_bayes(separation: np.ndarray, sigma: np.ndarray, width: np.ndarray) -> np.ndarray:
    """
    ln of 2 / width^2 exp(-separation^2 / (2 sigma^2)), the width in radians: the Bayes factor of one source
    against two anywhere on the sky (Budavari & Szalay 2008, ApJ 679, 301, equation 16, for circles).
    """
    return np.log(2) - 2 * np.log(width * _RAD) - 0.5 * (separation / sigma) ** 2


def sky_density(positions: Positions, at: np.ndarray) -> np.ndarray:
    """Sources per steradian around some (indices), at least one in all the sky, by the 16th neighbor."""
    k = min(_NEIGHBORS, len(positions) - 1)
    if k < 1:
        return np.full(len(at), 1 / (4 * np.pi))
    chord = positions.tree.query(positions.xyz[at], k=[k + 1])[0][:, 0]
    # A cap of chord c has the area pi c^2; the k-th neighbor is left out, which makes the mean right.
    chord = np.maximum(chord, _RAD)
    return np.maximum((k - 1) / (np.pi * chord**2), 1 / (4 * np.pi))


def match_share(a: Positions, b: Positions, likelihood_ratio: np.ndarray) -> float:
    """Maximum-likelihood share of the rows of ``a`` within the area of ``b`` that ``b`` has too."""
    within = _share_within(a, b) * len(a)
    share = 0.5
    for _ in range(200):
        signal = share * likelihood_ratio
        new = np.sum(signal / (signal + 1 - share)) / max(within, len(likelihood_ratio), 1)
        new = float(np.clip(new, 1e-3, 0.99))
        if abs(new - share) < 1e-6:
            break
        share = new
    return share


def _share_within(a, b):
    """Share of rows of a with as many neighbors in b as rows of b have, within three times the distance."""
    k = min(_NEIGHBORS, len(b))
    if k < 2 or not len(a):
        return 1.0
    own, other = (p.xyz[np.linspace(0, len(p) - 1, min(len(p), 5000)).astype(int)] for p in (b, a))
    usual = np.median(b.tree.query(own, k=[k])[0])
    return float(np.mean(b.tree.query(other, k=[k])[0] < 3 * usual))


def check_numbers(most: float = np.inf, **numbers: float) -> None:
    """Refuse by name what is no finite number between 0 and the most."""
    allowed = "of 0 or more" if most == np.inf else f"between 0 and {most:g}"
    for name, value in numbers.items():
        plain = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not plain or not 0 <= value <= min(most, 1e300):
            raise ParameterError(f"{name} is {value!r}; it must be a number {allowed}")
