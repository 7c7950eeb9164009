# Licensed under a 3-clause BSD style license - see LICENSE
"""From the pulse heights of events to the channels of a response."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError, ResponseError
from astro_xlatent.events.files import EventFile
from astro_xlatent.spectra._fits import load_bytes
from astro_xlatent.spectra._ogip_tables import parse_rmf
from astro_xlatent.spectra.response import Response

__all__ = ["Channels", "find_channels"]

#: XMM's PI is in eV; its spectra have channels of so many eV, by their number.
_XMM_STEP = {4096: 5, 2400: 5, 800: 15}
_MAX_CHANNELS = 100_000


@dataclass
class Channels:
    """Channels of a spectrum; PI is a channel, ``step`` units of one, or eV (``in_ev``, as eROSITA's)."""

    first: int
    size: int
    response: object = None
    e_lo: np.ndarray | None = None
    e_hi: np.ndarray | None = None
    in_ev: bool = False
    step: int = 1

    def index(self, pi: ArrayLike) -> np.ndarray:
        """Index of the channel of each event, shape (n,); -1 where there is none."""
        with np.errstate(invalid="ignore"):
            if self.in_ev:
                return self._index_of_energy(np.asarray(pi, float) * 1e-3)
            number = np.floor(np.asarray(pi, float) / self.step) - self.first
            good = (number >= 0) & (number < self.size)
            return np.where(good, number, -1).astype(np.int64)

    def _index_of_energy(self, energy):
        index = np.searchsorted(self.e_lo, energy, side="right") - 1
        good = (index >= 0) & (energy < self.e_hi[np.maximum(index, 0)])
        return np.where(good, index, -1)

    def quality(self, energy_range: tuple[float, float] | None) -> np.ndarray:
        """OGIP quality, 1 for channels that reach out of a range in keV."""
        if energy_range is None:
            return np.zeros(self.size, np.int16)
        try:
            low, high = (float(value) for value in energy_range)
        except (TypeError, ValueError):
            low, high = np.nan, np.nan
        if not low < high:
            msg = f"energy_range is {energy_range!r}; give lowest and highest energy in keV, such as (0.5, 7)"
            raise ParameterError(msg)
        if self.e_lo is None or self.e_hi is None:
            raise ResponseError("energy_range needs the energies of the channels; give rmf=...")
        inside = (self.e_lo >= low - 1e-6) & (self.e_hi <= high + 1e-6)
        if not inside.any():
            msg = (f"energy_range is {low:g}-{high:g} keV; the channels cover {self.e_lo.min():.3g}-"
                   f"{self.e_hi.max():.3g} keV")
            raise ParameterError(msg)
        return np.where(inside, 0, 1).astype(np.int16)


def find_channels(events: EventFile, arf: str | PathLike | None,
                  rmf: str | PathLike | Response | None) -> Channels:
    """Channels of spectra: those of the RMF, which must fit PI, or without one TLMIN to TLMAX of PI."""
    telescope = events.header.text("TELESCOP").upper()
    in_ev = telescope == "EROSITA" or events.columns["PI"].unit == "ev"
    edges = events.limits("PI")
    declared = edges and (int(np.ceil(edges[0])), int(np.ceil(edges[1]) - np.ceil(edges[0])))
    channels = _from_limits(events, declared, in_ev) if rmf is None else _from_response(arf, rmf)
    if rmf is None and arf is not None:
        raise ResponseError(f"an ARF ({arf}) is given without the RMF that belongs to it; give rmf=...")
    if telescope == "XMM":
        channels.step = _XMM_STEP.get(channels.size)
        if channels.step is None:
            events.fail(f"XMM spectra have {', '.join(map(str, _XMM_STEP))} channels, the RMF has "
                        f"{channels.size}; give the RMF of this instrument")
    elif in_ev:
        channels.in_ev = True
    elif declared not in (None, (channels.first, channels.size)):
        events.fail(f"PI goes from {declared[0]} to {sum(declared) - 1}, the channels of the RMF from "
                    f"{channels.first} to {channels.first + channels.size - 1}; they do not belong together")
    return channels


def _from_limits(events, declared, in_ev):
    if in_ev or events.header.text("TELESCOP").upper() == "XMM":
        msg = (f"{events.path}: the column PI is in eV, so that an RMF is needed to tell the channels; give "
               "rmf=...")
        raise ResponseError(msg)
    if declared is None or declared[1] > _MAX_CHANNELS:
        events.fail(f"the limits TLMIN and TLMAX of the column PI are {events.limits('PI')}, which tells no "
                    "channels; give rmf=...")
    return Channels(*declared)


def _from_response(arf, rmf):
    if isinstance(rmf, Response):
        return Channels(rmf.first_channel, rmf.n_channels, rmf, rmf.channel_e_lo, rmf.channel_e_hi)
    if arf is not None:
        return _from_response(None, Response.read(arf, rmf))
    parsed = parse_rmf(load_bytes(rmf, ResponseError), rmf)
    response = Response.read(None, rmf) if parsed.has_area else None
    return Channels(parsed.first_channel, parsed.channel_e_lo.size, response, parsed.channel_e_lo,
                    parsed.channel_e_hi)
