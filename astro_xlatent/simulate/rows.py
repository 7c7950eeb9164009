# Licensed under a 3-clause BSD style license - see LICENSE
"""
Parts of simulated tables that all missions share: apertures, positions, truth, joining.

A mission's maker of columns turns `Apertures`, what photometry starts from, into what its catalog
publishes. Positions, numbers and names are made up; names begin with ``SIM``.
"""

from dataclasses import dataclass, fields

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from astropy.time import Time

from astro_xlatent.missions._csc_areas import effective_energies
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.simulate.populations import CLASSES, FAMILIES

__all__ = ["Apertures", "apertures_of", "make_table", "position", "start_time", "truth_columns"]

_PER_AREA, _FLUX = u.cm**-2, u.erg / u.s / u.cm**2
#: What is known of sources: name, unit, description.
_TRUTH = (
    ("nh", _PER_AREA, "z = 0 column that describes the spectrum best"),
    ("nh_gal", _PER_AREA, "Galactic column"),
    ("nh_int", _PER_AREA, "intrinsic column at the redshift"),
    ("redshift", None, "redshift"),
    ("photon_index", None, "photon index of the main component"),
    ("kt", u.keV, "temperature of the main thermal component"),
    ("flux_05_2", _FLUX, "absorbed flux, 0.5-2 keV"),
    ("flux_2_7", _FLUX, "absorbed flux, 2-7 keV"),
    ("flux_02_23", _FLUX, "absorbed flux, 0.2-2.3 keV"),
)


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
    def concatenate(cls, parts):
        """Rows of several parts of one mission."""
        names = [f.name for f in fields(cls) if f.name not in ("mission", "edges")]
        stacked = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        return cls(parts[0].mission, parts[0].edges, **stacked)

    @property
    def center(self):
        """Middles of the sub-bands in keV."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    def member(self, bands):
        """Which sub-bands are in bands ``(name, low, high)``, 0 or 1, shape (n_sub, bands)."""
        inside = [(self.center > low) & (self.center < high) for _, low, high in bands]
        return np.stack(inside, axis=1).astype(float)


def truth_columns(observed):
    """What observed rows are, name to ``(values, unit, description)``; NaN for no photon index or kT."""
    truth, p = observed.sources.truth, observed.pointings
    return {
        "row": (observed.row, None, "row number; the same number, seed and arguments give the same row"),
        "class": (np.array(CLASSES)[observed.sources.class_index], None, "class drawn"),
        "family": (np.array(FAMILIES)[truth["family"]], None, "kind of source within the class"),
        **{name: (truth[name], unit, text) for name, unit, text in _TRUTH},
        "mission": (np.full(len(observed), observed.mission), None, "csc, erosita or xmm"),
        "instrument": (p.curve, None, "response curve"),
        "epoch": (p.epoch, u.yr, "decimal year of the observation"),
        "exposure": (p.exposure, u.s, "exposure, not vignetted"),
        "off_axis": (p.off_axis, u.arcmin, "off-axis angle"),
        "counts": (observed.expected, u.ct,
                   "expected source counts in the aperture, in the mission's detection band"),
        "background": (p.background, u.ct, "expected background counts in the aperture, same band"),
    }


def make_table(parts):
    """Join columns of several parts, a list of (row numbers, columns), into a table in the rows' order."""
    order = np.argsort(np.concatenate([row for row, _ in parts]), kind="stable")
    table = Table()
    for name, (_, unit, text) in parts[0][1].items():
        values = np.concatenate([columns[name][0] for _, columns in parts])[order]
        table[name] = Column(values, unit=unit, description=text)
    return table


def position(observed):
    """Name, right ascension, declination."""
    p = observed.pointings
    sky = SkyCoord(p.ra, p.dec, unit="deg")
    names = ["SIM J" + c.replace(" ", "") for c in sky.to_string("hmsdms", sep="", precision=1)]
    return np.array(names, "U24"), p.ra, p.dec


def start_time(observed):
    """Start of the observation as `~astropy.time.Time`."""
    return Time(observed.pointings.epoch, format="decimalyear", scale="utc")


def apertures_of(observed):
    """Source and background apertures of observed rows."""
    detector, p = observed.detector, observed.pointings
    seconds = p.exposure[:, None]
    shape = observed.background_shape[None] @ detector.into_bands
    energies = effective_energies(detector.name)
    mono = np.stack([np.interp(energies, ENERGY_MID, area) for area in observed.area])
    return Apertures(
        observed.mission, detector.unit.band_edges, observed.counts @ detector.into_bands,
        observed.off_counts @ detector.into_bands, p.background[:, None] * shape, p.scale,
        detector.unit.band_area(observed.area) * seconds, mono * seconds,
        p.fraction, p.exposure, p.off_axis, p.epoch, np.where(p.curve == "acis-s", "ACIS-7", "ACIS-3"))
