# Licensed under a 3-clause BSD style license - see LICENSE
"""
Finding the ARF, RMF and background that belong to a spectrum.

Headers name them, but with habits: ``.gz`` left out, survey prefixes left out,
an older version number, ``none`` although the file lies beside. What a header
names is never replaced by a file of another name, but for the two documented
habits in `_HABITS`; only where it names nothing are names tried. Whatever the
header does not name is a guess, and said to be one.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Companion", "find_companion", "is_absent"]

_CSC = re.compile(r"(?P<head>[a-z]{4}f\d{5,6}_\d{3})N\d{3}(?P<tail>(_e\d)?_r\d{4})_(?:pha3|arf3|rmf3)",
                  re.IGNORECASE)
_CSC_KIND = {"arf": "arf3", "rmf": "rmf3"}
# Archives put sky tile and processing version around the name that srctool gives and headers use:
# em01_123045_020_SourceSpec_00001_c010.fits.gz. The first digit is the telescope module, 0 all of them.
_EROSITA = re.compile(r"(?P<prefix>.*_)?(?P<module>\d)\d\d_SourceSpec_\d+(?P<version>_c\d{3})?\.fits(\.gz)?$")
_EROSITA_KIND = {"arf": "ARF", "rmf": "RMF", "background": "BackgrSpec"}
_SUFFIXES = {"arf": (".arf", ".warf"), "rmf": (".rmf", ".wrmf", ".rsp")}
_KEYWORD = {"arf": "ANCRFILE", "rmf": "RESPFILE", "background": "BACKFILE"}
_ALONE = {"arf": re.compile(r"arf", re.IGNORECASE), "rmf": re.compile(r"rmf|\.rsp", re.IGNORECASE)}


class Companion(NamedTuple):
    """A file that belongs to a spectrum, or None; how it was found; whether that was a guess."""

    path: Path | None
    rule: str
    guessed: bool


def is_absent(name: str) -> bool:
    """Whether a header's file name means "there is none"."""
    return name.strip().lower() in ("", "none", "null", "n/a", "%match%", "calc")


def find_companion(path: Path, kind: str, named: str | None) -> Companion:
    """
    Look for the ``arf``, ``rmf`` or ``background`` that belongs to a spectrum.

    ``named`` is what the header says, None if the keyword is absent. The companion is ``guessed``
    where the header does not name this very file (``.gz``, the folder, and what archives
    put around the spectrum's own name too may differ).
    """
    folder = path.parent
    wanted = None if named is None or is_absent(named) else named.strip().split("[")[0].split("{")[0]
    if wanted is not None:
        found = _as_named(folder, wanted)
        if found:
            return Companion(found, f"named by {_KEYWORD[kind]}", False)
        found = _as_named(folder, _as_archived(path.name, wanted))
        if found:
            rule = f"named by {_KEYWORD[kind]}, with tile and version of the spectrum's name"
            return Companion(found, rule, False)
    listing = _listing(folder)
    for rule, search in _CONVENTIONS if wanted is None else _HABITS:
        name = search(path.name, kind, wanted or named, listing)
        if name:
            note = f" (the header names {named}, which was not found)" if wanted else ""
            return Companion(folder / name, rule + note, True)
    return Companion(None, "", False)


def _as_named(folder, named):
    for base in dict.fromkeys([named, os.path.basename(named)]):
        for name in (base, base + ".gz", base.removesuffix(".gz")):
            if base and "\0" not in name and len(name) < 1000 and (folder / name).is_file():
                return folder / name
    return None


def _listing(folder):
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []


def _as_archived(name, named):
    """``em01_123045_020_ARF_00001_c010.fits`` for ``020_ARF_00001.fits``, as the spectrum's own name is."""
    match = _EROSITA.match(name)
    stem = os.path.basename(named).removesuffix(".gz").removesuffix(".fits")
    return f"{match['prefix'] or ''}{stem}{match['version'] or ''}.fits" if match else ""


def _erosita_calibration(name, kind, wanted, listing):
    """The mission's redistribution on axis: the same for all sources, so that no other's can be taken."""
    match = _EROSITA.match(name)
    if match is None or kind != "rmf" or "_RMF_" not in wanted:
        return None
    pattern = re.compile(rf"onaxis_tm{match['module']}_rmf_[\d-]+\.fits(\.gz)?$", re.IGNORECASE)
    return max((n for n in listing if pattern.match(n)), default=None)


def _csc(name, kind, wanted, listing):
    """The product of this very source in another version of the archive."""
    match = _CSC.match(name if wanted is None else os.path.basename(wanted))
    if match is None or kind not in _CSC_KIND:
        return None
    pattern = re.compile(re.escape(match["head"]) + r"N\d{3}" + re.escape(match["tail"])
                         + f"_{_CSC_KIND[kind]}" + r"\.fits(\.gz)?$", re.IGNORECASE)
    return max((n for n in listing if pattern.match(n)), default=None)


def _erosita(name, kind, named, listing):
    if "SourceSpec" not in name:
        return None
    wanted = name.replace("SourceSpec", _EROSITA_KIND[kind]).removesuffix(".gz")
    return next((n for n in (wanted, wanted + ".gz") if n in listing), None)


def _same_stem(name, kind, named, listing):
    stem = Path(name.removesuffix(".gz")).stem
    if kind == "background":
        # An explicit "none" is respected; only silence invites a search.
        tails = ("_bkg", "_bg") if named is None else ()
        suffix = Path(name.removesuffix(".gz")).suffix
        wanted = [stem + tail + suffix for tail in tails]
    else:
        wanted = [stem + suffix for suffix in _SUFFIXES[kind]]
    return next((n for w in wanted for n in (w, w + ".gz") if n in listing), None)


def _alone(name, kind, named, listing):
    if kind == "background":
        return None
    hits = [n for n in listing if _ALONE[kind].search(n) and n != name]
    return hits[0] if len(hits) == 1 else None


#: Where the header names a file that is absent.
_HABITS = (("eROSITA's calibration on axis", _erosita_calibration),
           ("CSC file name, other version", _csc))
#: Where the header names none.
_CONVENTIONS = (("eROSITA file name", _erosita),
                ("CSC file name", lambda name, kind, named, listing: _csc(name, kind, None, listing)),
                ("same name, other suffix", _same_stem),
                ("only one in the folder", _alone))
