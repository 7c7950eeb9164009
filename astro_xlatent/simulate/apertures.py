# Licensed under a 3-clause BSD style license - see LICENSE
"""
Source and background apertures of simulated rows: what photometry starts from.

A mission's maker of columns turns them into what its catalog publishes (see
`astro_xlatent.simulate.observe`).
"""

from dataclasses import dataclass, fields

import numpy as np

__all__ = ["Apertures"]


@dataclass
class Apertures:
    """
    Rows in the sub-bands of their mission's catalog, whose ``edges`` are in keV.

    ``counts``, ``off`` and ``background``, (rows, n_sub), are counts in the source aperture and in the
    background region, and expected background in the aperture; ``scale`` is the ratio of their
    areas. ``area``, (rows, n_sub), is exposure times mean area in cm2 s, aperture ``fraction``
    included, as the observatory believes it to be, ``mono``, (rows, 4), the same at the effective
    energies of the CSC's bands s, m, h, b. ``exposure`` is in s, ``off_axis`` in arcmin, ``epoch`` a
    decimal year (NaN: unknown), ``detector`` as catalogs write it (``"ACIS-7"``; empty: unknown).
    """

    mission: str
    edges: np.ndarray
    counts: np.ndarray
    off: np.ndarray
    background: np.ndarray
    scale: np.ndarray
    area: np.ndarray
    mono: np.ndarray
    fraction: np.ndarray
    exposure: np.ndarray
    off_axis: np.ndarray
    epoch: np.ndarray
    detector: np.ndarray

    def __len__(self):
        return len(self.counts)

    @classmethod
    def _row_fields(cls):
        return [f.name for f in fields(cls) if f.name not in ("mission", "edges")]

    def __getitem__(self, rows):
        """Select rows."""
        parts = {name: getattr(self, name)[rows] for name in self._row_fields()}
        return Apertures(self.mission, self.edges, **parts)

    @classmethod
    def concatenate(cls, parts):
        """Rows of several parts of one mission."""
        stacked = {n: np.concatenate([getattr(p, n) for p in parts]) for n in cls._row_fields()}
        return cls(parts[0].mission, parts[0].edges, **stacked)

    @property
    def center(self):
        """Middles of the sub-bands in keV."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    def member(self, bands):
        """Which sub-bands are in bands ``(name, low, high)``, 0 or 1, shape (n_sub, bands)."""
        inside = [(self.center > low) & (self.center < high) for _, low, high in bands]
        return np.stack(inside, axis=1).astype(float)
