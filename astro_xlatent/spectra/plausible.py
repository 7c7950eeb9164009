# Licensed under a 3-clause BSD style license - see LICENSE
"""
What had to be assumed to read a spectrum, and what no instrument can have measured: flags and sentences.

References
----------
Limits are some 1.2 to 2 times what the missions' handbooks give for all telescopes together: Chandra
Proposers' Observatory Guide (ACIS), XMM-Newton Users Handbook (EPIC, RGS), Predehl et al. 2021, A&A 647, A1
(eROSITA), Burrows et al. 2005, SSRv 120, 165 (Swift XRT), Harrison et al. 2013, ApJ 770, 103 (NuSTAR), Tanaka
et al. 1994, PASJ 46, L37 (ASCA).
"""

from typing import Any

import numpy as np

from astro_xlatent.core.flags import Flag

__all__ = ["assume", "assumptions", "implausible"]


#: Largest effective area in cm2, highest energy in keV, largest number of channels.
_LIMITS = {"CHANDRA": (850, 50, 16384), "XMM": (3000, 50, 4096), "EROSITA": (3000, 50, 4096),
           "SWIFT": (300, 50, 4096), "NUSTAR": (1200, 200, 4096), "ASCA": (1300, 50, 4096)}
#: Of any other X-ray telescope, those that are only planned included.
_ANY = (1e5, 1000, 100_000)
#: Smallest peak area, as a share of the largest: far off axis, little of the PSF in the aperture.
_LOWEST_AREA = 1e-3
#: Exposures in s, from one passage of a scan to ten times the deepest stack of pointings (7 Ms).
_EXPOSURE = (1.0, 7e7)
#: Background in the aperture per off-source count, from a whole field's to the rim of an extended source.
_SCALE = (1e-6, 100.0)
#: Fewer channels hold no spectrum; the coarsest instruments have some dozens.
_CHANNELS = 16
#: Channels from which on, and counts from which on, most counts in one channel are no chance and no line.
_FINE, _MANY = 100, 50
#: Counts/cm2/s, ten times those of Sco X-1, the brightest source (about 14 Crab, 4 photons/cm2/s each).
_RATE = 600.0


def assume(thing: Any, flag: int, text: str) -> None:
    """Set a flag of a spectrum or response, and keep the reason in its ``meta["assumptions"]``."""
    thing.flags |= flag
    thing.meta["assumptions"] = (*thing.meta.get("assumptions", ()), text)


def assumptions(spectrum: Any) -> tuple[int, list[str]]:
    """
    Flags, and reasons each once, of what was assumed of a spectrum and its companions, or is implausible.
    """
    parts = [part for part in (spectrum, spectrum.response, spectrum.background) if part is not None]
    flags = spectrum.flags | (0 if spectrum.response is None else spectrum.response.flags)
    off = spectrum.background
    if off is not None:
        flags |= off.flags & (Flag.NO_BACKSCALE | Flag.FILE_MENDED)
        flags |= 0 if spectrum.has_backscale and off.has_backscale else Flag.NO_BACKSCALE
    odd = implausible(spectrum)
    texts = [text for part in parts for text in part.meta.get("assumptions", ())]
    return flags | (Flag.IMPLAUSIBLE if odd else 0), list(dict.fromkeys([*texts, *odd]))


def implausible(spectrum: Any) -> list[str]:
    """What of a spectrum lies beyond the limits of its instrument, in words."""
    largest, highest, channels = _LIMITS.get(spectrum.telescope, _ANY)
    parts = [part for part in (spectrum, spectrum.background) if part is not None]
    found = [_outside("exposure", part.exposure, _EXPOSURE, "s") for part in parts]
    found.append(_outside("number of channels", spectrum.counts.size, (_CHANNELS, channels), ""))
    found += [_one_channel(part) for part in parts]
    if spectrum.background is not None:
        found.append(_outside("background scale", float(np.max(spectrum.background_scale)), _SCALE, ""))
    response = spectrum.response
    if response is not None:
        area = _peak_area(response)
        found.append(_outside("effective area", area, (_LOWEST_AREA * largest, largest), "cm2"))
        found += [_outside(f"highest energy of the {what}", edges.max(), (0.5, highest), "keV")
                  for what, edges in (("channels", response.channel_e_hi), ("response", response.e_hi))]
        rate = spectrum.counts.sum() / max(spectrum.exposure * area * np.max(spectrum.areascale), 1e-300)
        found.append(_outside("rate", rate, (0.0, _RATE), "counts/cm2/s"))
        if response.telescope and spectrum.telescope and response.telescope != spectrum.telescope:
            found.append(f"the response is of {response.telescope}, the spectrum of {spectrum.telescope}")
    return [text for text in found if text]


def _outside(what, value, limits, unit):
    low, high = limits
    if low <= value <= high:
        return ""
    return f"{what} {value:.4g} {unit}".rstrip() + f" lies outside {low:g} to {high:g}"


def _one_channel(spectrum):
    """Far narrower than the resolution, a channel cannot hold most counts; the outermost collect the rest."""
    inner, total = spectrum.counts[1:-1], spectrum.counts.sum()
    if inner.size < _FINE or total < _MANY or inner.max() <= 0.5 * total:
        return ""
    return f"channel {spectrum.channel[1 + inner.argmax()]} holds {inner.max():.4g} of {total:.4g} counts"


def _peak_area(response):
    area = float(response.area.max(initial=0.0))
    # An RSP file keeps the area in its matrix.
    return area if area > 1.0 else float(response.effective_area().max(initial=0.0))
