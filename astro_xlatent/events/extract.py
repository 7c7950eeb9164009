# Licensed under a 3-clause BSD style license - see LICENSE
"""
Spectra of regions from event lists: counts, exposure and area as by CIAO's dmextract and eSASS's srctool.

The effective area and redistribution of the region are theirs to make.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError, RegionError
from astro_xlatent.core.flags import Flag
from astro_xlatent.events.aperture import Aperture
from astro_xlatent.events.channels import find_channels
from astro_xlatent.events.files import EventFile
from astro_xlatent.events.filters import parse_selection, read_good_times
from astro_xlatent.events.plane import Occupancy, Plane, check_overlap, check_place, warn
from astro_xlatent.events.regions import read_region
from astro_xlatent.spectra.plausible import assume
from astro_xlatent.spectra.response import Response
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["extract_spectrum"]

# Fewer events without a channel than this are nothing to speak of.
_FEW = 20
# Exposures over good times: dead time makes them shorter, rounding and missing frames hardly longer.
_LONGER = 1.02
_META = ("OBJECT", "OBS_ID", "DATE-OBS", "RA_PNT", "DEC_PNT", "FILTER", "DATAMODE", "DETNAM")


def extract_spectrum(events: str | PathLike, source: object, background: object = None, *,
                     arf: str | PathLike | None = None, rmf: str | PathLike | Response | None = None,
                     field: object = None, energy_range: tuple[float, float] | None = None,
                     select: Mapping | Sequence[str] | None = None,
                     good_times: str | PathLike | ArrayLike | None = None,
                     exposure: float | None = None) -> XraySpectrum:
    """
    Extract the spectrum of a region from an event list.

    Parameters
    ----------
    events : str or path-like
        FITS event list with PI and X, Y (or RA, DEC), of any size, gzipped or not.
    source, background : str, path-like, regions.Region or regions.Regions
        DS9, CIAO, CRTF or FITS region files, or regions. Physical (and image) coordinates are the values of X
        and Y. Excluded shapes are taken out. From a CSC ``reg3`` file the broad-band or source extension is
        taken, or BKGREG for the background; ``file[NAME]`` chooses.
    arf, rmf : str, path-like or Response, optional
        Of the source region. Without an RMF channels are those the header declares; eROSITA needs one.
    field : as ``source``, optional
        Field of view, such as Chandra's ``fov1`` file: only what lies within it counts as area.
    energy_range : (float, float), optional
        In keV; channels that reach out of it get quality 1.
    select : mapping or sequence of str, optional
        Values to keep: ``{"ccd_id": 7, "grade": (0, 2, 3), "flag & 0xc00fff30": 0, "pat_typ": "1:4"}``.
    good_times : str, path-like or array_like, shape (n, 2), optional
        Further good time intervals, such as those without flares.
    exposure : float, optional
        Live time in s at the source, instead of that of the event list.

    Returns
    -------
    spectrum : XraySpectrum
        With ``background``, and with ``response`` if it is complete. ``meta`` tells how exposure and BACKSCAL
        came about, and how many events without a position or channel were left out.

    Raises
    ------
    SpectrumError, RegionError, ResponseError, ParameterError
        With file, reason and remedy; ImportError if the regions package is not installed.

    Warns
    -----
    XlatentWarning
        If a region holds no event, reaches to where none was seen, or overlaps the background, or if the
        exposure is that of a survey.
    """
    source = read_region(source)
    events = EventFile.open(events)
    _refuse_unsupported(events)
    selections = parse_selection(select)
    _keep_detectors(events, selections)
    channels = find_channels(events, arf, rmf)
    quality = channels.quality(energy_range)
    before = _restrict(events, good_times)
    plane = Plane(events, source)
    field = None if field is None else Aperture(field, plane.wcs, "field")
    tallies = [_Tally(Aperture(region, plane.wcs, purpose), purpose, field, channels.size)
               for region, purpose in ((source, "source"), (background, "background"))
               if region is not None]
    occupancy, n_nan = _count(events, plane, channels, selections, tallies)
    check_place(events, tallies, occupancy, field)
    if len(tallies) == 2:
        check_overlap(*tallies)
    made = [_spectrum(events, tally, channels, quality, plane, exposure, before) for tally in tallies]
    for spectrum in made:
        note = ", ".join(map(str, selections)) or "none"
        spectrum.meta.update(selection=note, events_without_position=n_nan)
        for text in events.notes + [f"{n_nan} events without position left out"] * (n_nan > 0):
            assume(spectrum, Flag.FILE_MENDED, text)
        spectrum.meta["history"] = _history(events, spectrum)
    if len(made) == 2:
        made[0].background = made[1]
    else:
        made[0].flags |= Flag.NO_BACKGROUND
    return made[0]


def _refuse_unsupported(events):
    if events.header.text("INSTRUME").upper().startswith("HRC"):
        events.fail("this is an HRC event list; the HRC has next to no energy resolution, so there is no "
                    "spectral shape to work with. Use an ACIS observation, or the table's bands")
    if not events.n_rows:
        events.fail("no event; the list is empty")
    if "PI" not in events.columns:
        events.fail(f"a column PI is needed, it has {', '.join(events.columns) or 'none'}; give a calibrated "
                    "event list (level 2)")


def _keep_detectors(events, selections):
    """Forget the good times of telescopes and CCDs that are selected away: their exposure does not count."""
    for selection in selections:
        if selection.column == events.detector_column() and selection.mask is None:
            events.good_times = {number: times for number, times in events.good_times.items()
                                 if number is None or selection.passes(np.array([number]))[0]}


def _restrict(events, good_times):
    """Apply the user's good times; good seconds by detector before that."""
    if good_times is None:
        return None
    before = {number: events.good_seconds(number) for number in (None, *events.good_times)}
    if not events.good_times:
        span = [events.header.number(key) for key in ("TSTART", "TSTOP")]
        if None in span or span[0] >= span[1]:
            events.fail("good_times needs the file's own, or TSTART and TSTOP, to scale the exposure")
        events.good_times = {None: np.array([span], float)}
        before = {None: events.good_seconds()}
    events.restrict(read_good_times(good_times))
    return before


class _Tally:
    """Counts of one region, as pieces of the event list come by."""

    def __init__(self, aperture, purpose, field, size):
        self.aperture, self.purpose, self.field = aperture, purpose, field
        self.counts = np.zeros(size, np.int64)
        self.no_channel = self.shared = 0
        self.detectors = Counter()

    def add(self, x: np.ndarray, y: np.ndarray, channel: np.ndarray,
            detector: np.ndarray | None) -> np.ndarray:
        """Count the events of a piece; which of them are inside."""
        inside = self.aperture.contains(x, y)
        if self.field is not None:
            inside[inside] = self.field.contains(x[inside], y[inside])
        found = channel[inside]
        self.counts += np.bincount(found[found >= 0], minlength=len(self.counts))
        self.no_channel += int(np.sum(found < 0))
        if detector is not None:
            self.detectors.update(detector[inside].tolist())
        return inside

    @property
    def n_events(self) -> int:
        """Events inside, in a channel or not."""
        return int(self.counts.sum()) + self.no_channel

    @property
    def detector(self) -> int | None:
        """Number of the detector of most events, or None."""
        return int(self.detectors.most_common(1)[0][0]) if self.detectors else None


def _count(events, plane, channels, selections, tallies):
    """Run through the events once; where there were any, and how many have no position."""
    detector = events.detector_column()
    names = [*plane.columns, "PI", *(s.column for s in selections), *([detector] if detector else [])]
    timed = bool(events.good_times)
    occupancy, n_nan, n_good = Occupancy(plane.limits(events)), 0, 0
    for piece in events.pieces(names + ["TIME"] * timed):
        seen_by = piece[detector] if detector else None
        good = np.ones(len(piece["PI"]), bool)
        for selection in selections:
            good &= selection.passes(piece[selection.column])
        if timed:
            good[good] = events.good(piece["TIME"][good], seen_by[good] if detector else None)
        x, y = plane.xy(piece)
        nan = ~(np.isfinite(x) & np.isfinite(y))
        n_nan += int(np.sum(good & nan))
        good &= ~nan
        n_good += int(good.sum())
        x, y = x[good], y[good]
        occupancy.add(x, y)
        channel = channels.index(piece["PI"][good])
        # eROSITA's telescopes look at the same place: only CCDs tell where a region lies.
        ccd = None if seen_by is None or detector == "TM_NR" else seen_by[good]
        inside = [tally.add(x, y, channel, ccd) for tally in tallies]
        if len(inside) == 2:
            tallies[0].shared += int(np.sum(inside[0] & inside[1]))
    if not n_good:
        what = "all positions are NaN" if n_nan else (
            f"no event passes the good times{' and ' if selections else ''}{', '.join(map(str, selections))}")
        events.fail(f"{what}; {events.n_rows} events were looked at. Check the file and the selection")
    return occupancy, n_nan


def _spectrum(events, tally, channels, quality, plane, exposure, before):
    area, how = tally.aperture.area(tally.field)
    scale, scale_rule = _backscale(events, plane.wcs, area)
    if exposure is None:
        known = 0.0 if before is None else before.get(tally.detector, before[None])
        seconds, rule = _exposure_of(events, tally.detector, known)
        odd = _longer_than_good_times(events, tally.detector, seconds)
        _warn_survey(events, tally)
    else:
        seconds, rule, odd = exposure, "given", ""
    if not area > 0:
        raise RegionError(f"{tally.aperture.name}: the {tally.purpose} region has no area within the field")
    if tally.no_channel > max(_FEW, tally.counts.sum()):
        warn(f"{events.path}: {tally.no_channel} events of the {tally.purpose} region lie in no channel, "
             f"{tally.counts.sum()} in one; does the RMF belong to this instrument?")
    header = events.header
    meta = {key.lower().replace("-", "_"): header.get(key) for key in _META if header.get(key) is not None}
    meta.update(chantype="PI", events=Path(events.path).name, region=tally.aperture.name, exposure_rule=rule,
                backscale_rule=f"{scale_rule}, area {how}", area_pixels=area,
                events_without_channel=tally.no_channel)
    number = np.arange(channels.first, channels.first + channels.size)
    response = channels.response if tally.purpose == "source" else None
    spectrum = XraySpectrum(
        counts=tally.counts, exposure=_checked_exposure(seconds), channel=number, backscale=scale,
        response=response, quality=quality, telescope=header.text("TELESCOP").upper(),
        instrument=header.text("INSTRUME").upper(), meta=meta,
        flags=0 if response is None else response.flags)
    if odd:
        assume(spectrum, Flag.IMPLAUSIBLE, odd)
    return spectrum


def _exposure_of(events: EventFile, detector: int | None, before: float) -> tuple[float, str]:
    """Exposure in s, and the rule; ``before``: good seconds before the user's own good times, 0 without."""
    header = events.header
    keys = ["EXPOSURE", "LIVETIME"]
    if detector is not None and "CCD_ID" in events.columns:
        keys = [f"LIVTIME{detector}", f"EXPOSUR{detector}", *keys]
    share = events.good_seconds(detector) / before if before > 0 else 1.0
    for key in keys:
        value = header.number(key) or 0
        if 0 < value < 1e12:
            return float(value) * share, key + (f" x {share:.4f} of the good time" if before > 0 else "")
    factor = header.number("DTCOR") or 0
    known = 0 < factor <= 1
    seconds = events.good_seconds(detector)
    if seconds <= 0:
        events.fail("neither EXPOSURE nor LIVETIME nor good time intervals; give exposure=... in s")
    return seconds * (factor if known else 1.0), "good times x DTCOR" if known else (
        "good times, not corrected for dead time")


def _backscale(events: EventFile, wcs: WCS | None, area: float) -> tuple[float, str]:
    """
    BACKSCAL of an area in square pixels of X and Y, and the rule.

    It is relative (George I. M. et al., OGIP/92-007) to the range of X and Y for CIAO's dmextract and
    HEASoft's extractor, square degrees for eROSITA's srctool, pixels of 0.05 arcsec for XMM's backscale.
    """
    telescope = events.header.text("TELESCOP").upper()
    limits = [events.limits(name) for name in ("X", "Y")]
    if wcs is not None and (telescope == "EROSITA" or (None in limits and telescope != "XMM")):
        return area * abs(float(np.prod(wcs.wcs.cdelt))), "square degrees"
    if telescope == "XMM" or None in limits:
        return area, "pixels of X and Y"
    return area / float(np.prod(np.ptp(np.array(limits), axis=1))), "share of the range of X and Y"


def _longer_than_good_times(events, detector, seconds):
    """What is said of an exposure that the good times do not hold: some of them are lost."""
    known = [events.good_seconds(number) for number in events.good_times] or [np.inf]
    good = events.good_seconds(detector) if detector in events.good_times else max(known)
    if seconds <= _LONGER * good:
        return ""
    return f"the exposure {seconds:.6g} s is longer than the good times, {good:.6g} s"


def _warn_survey(events, tally):
    mode = events.header.text("OBS_MODE").upper()
    if tally.purpose == "source" and mode in ("SURVEY", "SCAN", "SLEW"):
        warn(f"{events.path}: in {mode} mode the exposure differs from place to place; that of the whole "
             "event list was taken. Give the one at the source as exposure=... (from an exposure map)")


def _checked_exposure(seconds):
    if isinstance(seconds, (str, bool)) or not np.isscalar(seconds) or not 0 < seconds < 1e12:
        raise ParameterError(f"exposure is {seconds!r}; a positive number of seconds is needed")
    return float(seconds)


def _history(events, spectrum):
    meta = spectrum.meta
    return [f"extracted from {meta['events']}, region {Path(meta['region']).name}",
            f"EXPOSURE: {meta['exposure_rule']}; BACKSCAL: {meta['backscale_rule']}",
            f"selection: {meta['selection']}; {meta['events_without_channel']} events without channel"]
