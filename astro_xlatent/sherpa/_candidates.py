# Licensed under a 3-clause BSD style license - see LICENSE
"""
Which physical model a prediction means, and with which parameters.

The prediction gives quantiles of N_H, photon index and kT, and through the class a weight for every family of
models. The counts, on the fine grid with the normalization profiled, then decide between combinations of
quantiles, and finer grids around the best one take the place of correlations that the prediction lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.profile import profile_normalization
from astro_xlatent.model.statistics import cash
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import blackbody, powerlaw
from astro_xlatent.physics.plasma import PLASMA_KT_RANGE, plasma
from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["FAMILIES", "Candidate", "Family", "best_candidates"]

# Middle of five parts of equal probability.
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_REFINEMENTS = 6
_LOG_NH_RANGE = (18.0, 24.8)


@dataclass(frozen=True)
class Family:
    """
    An emission model: Sherpa's without its prefix (``xs`` or ``xl``), its shape parameter, that one's soft
    limits, and whether it is spaced in its logarithm.
    """

    name: str
    component: str
    parameter: str
    limits: tuple
    logarithmic: bool


FAMILIES = (
    Family("power law", "powerlaw", "PhoIndex", (-3.0, 9.0), False),
    Family("black body", "bbodyrad", "kT", (0.02, 20.0), True),
    Family("thermal plasma", "apec", "kT", (0.08, 17.0), True),
)

#: How often each family describes a class best: coronae are plasma, accretion on nuclei and neutron stars
#: power laws, cooling neutron stars black bodies, columns of white dwarfs hot plasma; chosen by hand.
CLASS_WEIGHTS = {
    "AGN": (0.96, 0.01, 0.03),
    "CV": (0.45, 0.05, 0.50),
    "HM-STAR": (0.04, 0.02, 0.94),
    "HMXB": (0.90, 0.08, 0.02),
    "LM-STAR": (0.03, 0.02, 0.95),
    "LMXB": (0.75, 0.20, 0.05),
    "NS": (0.45, 0.50, 0.05),
    "YSO": (0.08, 0.02, 0.90),
    "other": (0.45, 0.10, 0.45),
}


@dataclass
class Candidate:
    """
    A family with its probability from the class, and its best column in cm-2 (tbabs, Wilms), shape, XSPEC's
    normalization (zero: no source is detected), Cash statistic on the fine grid, and counts at ``norm = 1``.
    """

    family: Family
    weight: float
    nh: float
    shape: float
    norm: float
    statistic: float
    unit_counts: float

    @property
    def score(self) -> float:
        """Log posterior up to a constant."""
        return np.log(max(self.weight, 1e-9)) - 0.5 * self.statistic


def best_candidates(posterior: Any, classes: Sequence[str], class_prob: np.ndarray, bins: EnergyBins,
                    matrix: np.ndarray, abundances: str = "wilm") -> list:
    """The best parameters of every family for one row and its class probabilities (9,), best first."""
    weights = _family_weights(classes, class_prob)
    log_nh = np.log10(posterior.nh_quantiles(_QUANTILES)[0])
    index, log_kt = posterior.index_quantiles(_QUANTILES)[0], np.log10(posterior.kt_quantiles(_QUANTILES)[0])
    found = []
    for family, weight in zip(FAMILIES, weights, strict=True):
        start = log_kt if family.logarithmic else index
        found.append(_search(family, weight, log_nh, start, bins, matrix, abundances))
    return sorted(found, key=lambda c: -c.score)


def _family_weights(classes, class_prob):
    missing = [name for name in classes if name not in CLASS_WEIGHTS]
    if missing:
        msg = (f"the model's classes {', '.join(missing)} have no spectral model; "
               f"known: {', '.join(CLASS_WEIGHTS)}")
        raise ModelError(msg)
    return np.asarray(class_prob) @ np.array([CLASS_WEIGHTS[name] for name in classes])


def _search(family, weight, log_nh, shape, bins, matrix, abundances):
    """Quantiles first, then ever finer grids around the best."""
    low, high = (np.log10(v) if family.logarithmic else v for v in family.limits)
    axes = [log_nh, shape]
    for _ in range(_REFINEMENTS + 1):
        axes = [np.clip(axes[0], *_LOG_NH_RANGE), np.clip(axes[1], low, high)]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        nh, values = 10 ** nodes[:, 0], 10 ** nodes[:, 1] if family.logarithmic else nodes[:, 1]
        statistic, norm, unit = _statistics(_spectra(family, nh, values, abundances), bins, matrix)
        best = int(np.argmin(statistic))
        axes = [_around(axis, node) for axis, node in zip(axes, nodes[best], strict=True)]
    found = (float(column[best]) for column in (nh, values, norm, statistic, unit))
    return Candidate(family, float(weight), *found)


def _around(axis, best):
    """Five values around the best: closer than before, unless that was at an end."""
    step = np.clip(np.ptp(axis) / 4, 0.01, 0.5)
    at_end = best in (axis[0], axis[-1])
    return best + (step if at_end else 0.5 * step) * np.arange(-2, 3)


def _spectra(family, nh, shape, abundances):
    """Absorbed incident spectra of unit normalization, (n, n_energy)."""
    if family.component == "powerlaw":
        emitted = powerlaw(shape)
    elif family.component == "bbodyrad":
        emitted = blackbody(shape)
    else:
        emitted = plasma(np.clip(shape, *PLASMA_KT_RANGE), abundances=abundances)
    return emitted * transmission(nh)


def _statistics(spectra, bins, matrix):
    """Cash statistic, best normalization and counts at unit norm of every spectrum."""
    source = spectra @ matrix.T.astype(float)
    unit = np.maximum(source[:, bins.valid[0]].sum(axis=1), 1e-300)
    shape = source / unit[:, None]
    background = floored_background(bins.background, bins.background_error) + 1e-6
    counts, background, valid = (torch.as_tensor(np.broadcast_to(a, shape.shape).copy())
                                 for a in (bins.counts, background, bins.valid))
    norm = profile_normalization(counts, torch.as_tensor(shape), background, valid).numpy()
    model = norm[:, None] * shape + background.numpy()
    statistic = np.where(bins.valid, cash(bins.counts, model), 0.0).sum(axis=1)
    return statistic, norm / unit, unit
