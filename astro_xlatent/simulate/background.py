# Licensed under a 3-clause BSD style license - see LICENSE
"""
Background spectra of X-ray CCDs: particle continuum and lines, and the cosmic background.

Only the latter is folded by the mirrors. Line energies are laboratory values (X-ray Data Booklet, LBNL
2009); which lines a detector shows follows the missions' own background papers.

References
----------
ACIS: Bartalucci et al. 2014, A&A 566, A25. EPIC: Carter & Read 2007, A&A 464,
1155. eROSITA: Freyberg et al. 2020, SPIE 11444. Cosmic background: De Luca &
Molendi 2004, A&A 419, 837 (photon index 1.4) and a local thermal component
(McCammon et al. 2002, ApJ 576, 188).
"""

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.spectra.bins import ccd_fwhm

__all__ = ["background_shape"]

# (energy in keV, strength relative to 1 keV of the continuum at the line)
LINES = {
    "csc": [(1.49, 0.05), (1.74, 0.10), (2.16, 0.25), (7.48, 0.35), (9.70, 0.30)],
    "erosita": [(1.49, 0.10), (6.40, 0.20), (8.04, 0.05)],
    "xmm": [(1.49, 0.50), (1.74, 0.25), (5.41, 0.05), (8.04, 0.60), (8.90, 0.10)],
}
# Photon index of the unfolded continuum, drawn between these.
#: Share of the folded cosmic background, beta-distributed; Chandra's bands s, m, h then hold
#: 25, 19 and 55 % as in apertures of CSC 2 detections.
COSMIC_SHARE = {"csc": (1.2, 2.8), "erosita": (1.5, 1.5), "xmm": (1.5, 1.5)}
CONTINUUM_INDEX = {"csc": (-0.2, 0.3), "erosita": (-0.1, 0.3), "xmm": (0.0, 0.4)}


def background_shape(mission, matrix, e_lo, e_hi, rng):
    """Draw an expected background in bins, sum 1, into which ``matrix`` (bins, n_energy) folds."""
    if mission not in LINES:
        raise MissionError(f"mission is {mission!r}; backgrounds are known for {', '.join(LINES)}")
    center, width = 0.5 * (e_lo + e_hi), e_hi - e_lo
    particle = center ** -rng.uniform(*CONTINUUM_INDEX[mission]) * width
    # Below about 0.5 keV electronic noise and soft protons lift the level.
    particle = particle * (1 + rng.uniform(0, 2) * (center / 0.4) ** -2.5)
    for energy, strength in LINES[mission]:
        sigma = ccd_fwhm(energy) / 2.355
        profile = np.exp(-0.5 * ((center - energy) / sigma) ** 2) * width
        particle = particle + strength * rng.lognormal(0, 0.4) * profile / (sigma * 2.507)
    thermal = rng.lognormal(0, 0.7) * 20 * np.exp(-ENERGY_MID / 0.2)
    cosmic = matrix @ ((ENERGY_MID**-1.4 + thermal) * ENERGY_WIDTH)
    share = rng.beta(*COSMIC_SHARE[mission])
    shape = (1 - share) * particle / particle.sum() + share * cosmic / cosmic.sum()
    return shape / shape.sum()
