# Licensed under a 3-clause BSD style license - see LICENSE
"""
Detectors of the simulated catalogs: redistribution on all grids, kept ready.

Effective areas change with epoch and off-axis angle, the redistribution does
not: spectra times area are folded by one dense product for all rows.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.responses import default_response
from astro_xlatent.physics.grid import ENERGY_WIDTH
from astro_xlatent.simulate.instruments import Instrument, prepare
from astro_xlatent.spectra.binning import group_channels
from astro_xlatent.spectra.bins import FINE_EDGES

__all__ = ["Detector", "load_detector"]

# curve -> mission and instrument of `default_response`
_CURVES = {
    "acis-i": ("csc", "ACIS-I"), "acis-s": ("csc", "ACIS-S"),
    "erosita-survey": ("erosita", "survey"),
    "xmm-pn": ("xmm", "EPN"), "xmm-mos": ("xmm", "EMOS1"),
}


@dataclass(frozen=True)
class Detector:
    """
    A detector with unit effective area.

    Attributes
    ----------
    name, mission : str
        Name of the curve, and whose it is.
    response : `~astro_xlatent.spectra.response.Response`
        With an area of 1 cm2 everywhere.
    matrix : ndarray of float32, shape (n_channels, n_energy)
        Redistribution.
    center : ndarray, shape (n_channels,)
        Nominal channel centers in keV.
    unit : `~astro_xlatent.simulate.instruments.Instrument`
        The same on the fine grid and in the catalog's sub-bands.
    fine_groups, band_groups : ndarray of int, shape (n_channels,)
        Fine bin and sub-band of each channel, -1 for none.
    """

    name: str
    mission: str
    response: object
    matrix: np.ndarray
    center: np.ndarray
    unit: Instrument
    fine_groups: np.ndarray
    band_groups: np.ndarray

    def fold(self, spectra, area):
        """
        Expected counts/s per channel.

        Parameters
        ----------
        spectra : ndarray of float32, shape (rows, n_energy)
            Photons/cm2/s per bin of the package's grid.
        area : ndarray of float32, shape (rows, n_energy)
            Effective area in cm2.

        Returns
        -------
        rate : ndarray of float32, shape (rows, n_channels)
        """
        return (spectra * area) @ self.matrix.T

    def fine_area(self, area):
        """Mean area of the fine bins in cm2, shape (rows, N_FINE), as `EnergyBins` defines it."""
        width = np.where(self.unit.valid, self.unit.e_hi - self.unit.e_lo, 1.0)
        return (area * ENERGY_WIDTH) @ self.unit.matrix.T / width

    def band_area(self, area):
        """The same for the sub-bands, shape (rows, n_sub)."""
        return (area * ENERGY_WIDTH) @ self.unit.band_matrix.T / np.diff(self.unit.band_edges)

    def into_fine(self, values):
        """Add up values per channel, shape (rows, n_channels), in the fine bins."""
        return _add(values, self.fine_groups, self.unit.valid.size)

    def into_bands(self, values):
        """The same for the sub-bands."""
        return _add(values, self.band_groups, self.unit.band_edges.size - 1)


def _add(values, groups, n_groups):
    member = (groups[:, None] == np.arange(n_groups)).astype(float)
    return values @ member


@cache
def load_detector(curve):
    """
    Prepare a detector.

    Parameters
    ----------
    curve : str
        Name of a shipped curve, see `~astro_xlatent.missions.curves.available_curves`.

    Returns
    -------
    detector : Detector
        Shared between callers: do not change it in place.
    """
    mission, instrument = _CURVES[curve]
    response = default_response(mission, instrument)
    response = replace(response, area=np.ones(response.n_energy), meta=dict(load_curve(curve).provenance))
    low, high = response.channel_e_lo, response.channel_e_hi
    unit = prepare(curve, mission, response)
    return Detector(name=curve, mission=mission, response=response, unit=unit,
                    matrix=np.asarray(response.redistribution.toarray(), np.float32),
                    center=0.5 * (low + high), fine_groups=group_channels(low, high, FINE_EDGES),
                    band_groups=group_channels(low, high, unit.band_edges))
