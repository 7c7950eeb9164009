# Licensed under a 3-clause BSD style license - see LICENSE
"""
Finding the ARF, RMF and background that belong to a spectrum.

What a header names is never replaced by a file of another name, but for the two documented habits in
`_patterns`; only where it names nothing are names tried, and what is found is said to be a guess.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["KEYWORDS", "Companion", "find_companion", "is_absent"]

_CSC = re.compile(r"(?P<head>[a-z]{4}f\d{5,6}_\d{3})N\d{3}(?P<tail>(_e\d)?_r\d{4})_(?:pha3|arf3|rmf3)",
                  re.IGNORECASE)
# Archives put sky tile and processing version around the name that srctool gives and headers use:
# em01_123045_020_SourceSpec_00001_c010.fits.gz. The first digit is the telescope module, 0 all of them.
_EROSITA = re.compile(r"(?P<prefix>.*_)?(?P<module>\d)\d\d_SourceSpec_\d+(?P<version>_c\d{3})?\.fits(\.gz)?$")
_EROSITA_KIND = {"arf": "ARF", "rmf": "RMF", "background": "BackgrSpec"}
_SUFFIXES = {"arf": (".arf", ".warf"), "rmf": (".rmf", ".wrmf", ".rsp")}
#: Header keywords that name the companions.
KEYWORDS = {"arf": "ANCRFILE", "rmf": "RESPFILE", "background": "BACKFILE"}
_ALONE = {"arf": r"(?i:.*arf.*)", "rmf": r"(?i:.*(rmf|\.rsp).*)"}
_ONLY = "only one in the folder"


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
    Look for ``arf``, ``rmf`` or ``background``; ``guessed`` where the header does not name this very file.
    """
    folder = path.parent
    wanted = None if named is None or is_absent(named) else named.strip().split("[")[0].split("{")[0]
    if wanted is not None:
        found = _as_named(folder, wanted)
        if found:
            return Companion(found, f"named by {KEYWORDS[kind]}", False)
        found = _as_named(folder, _as_archived(path.name, wanted))
        if found:
            rule = f"named by {KEYWORDS[kind]}, with tile and version of the spectrum's name"
            return Companion(found, rule, False)
    try:
        listing = [entry.name for entry in os.scandir(folder) if entry.is_file() and entry.name != path.name]
    except OSError:
        listing = []
    note = f" (the header names {named}, which was not found)" if wanted else ""
    for rule, pattern in _patterns(path.name, kind, wanted, named):
        hits = [name for name in listing if re.fullmatch(pattern + r"(\.gz)?", name)]
        if hits and (rule != _ONLY or len(hits) == 1):
            # The newest version, not compressed where there are both.
            name = max(hits, key=lambda name: (name.removesuffix(".gz"), not name.endswith(".gz")))
            return Companion(folder / name, rule + note, True)
    return Companion(None, "", False)


def _as_named(folder, named):
    for base in dict.fromkeys([named, os.path.basename(named)]):
        for name in (base, base + ".gz", base.removesuffix(".gz")):
            if base and "\0" not in name and len(name) < 1000 and (folder / name).is_file():
                return folder / name
    return None


def _as_archived(name, named):
    """``em01_123045_020_ARF_00001_c010.fits`` for ``020_ARF_00001.fits``, as the spectrum's own name is."""
    match = _EROSITA.match(name)
    stem = os.path.basename(named).removesuffix(".gz").removesuffix(".fits")
    return f"{match['prefix'] or ''}{stem}{match['version'] or ''}.fits" if match else ""


def _patterns(name, kind, wanted, named):
    """Rules, and the file names (but for ``.gz``) that they look for, in the order of trial."""
    csc, erosita = _CSC.match(os.path.basename(wanted or name)), _EROSITA.match(name)
    # The product of this very source, in any version of the archive.
    of_csc = csc and kind != "background" and (
        rf"(?i:{re.escape(csc['head'])}N\d{{3}}{re.escape(csc['tail'])}_{kind}3\.fits)")
    if wanted:
        if erosita and kind == "rmf" and "_RMF_" in wanted:
            # The same for all sources, so that no other's can be taken.
            yield "eROSITA's calibration on axis", rf"(?i:onaxis_tm{erosita['module']}_rmf_[\d-]+\.fits)"
        if of_csc:
            yield "CSC file name, other version", of_csc
        return
    if "SourceSpec" in name:
        replaced = name.replace("SourceSpec", _EROSITA_KIND[kind])
        yield "eROSITA file name", re.escape(replaced.removesuffix(".gz"))
    if of_csc:
        yield "CSC file name", of_csc
    plain = Path(name.removesuffix(".gz"))
    ends = _SUFFIXES.get(kind, ())
    if kind == "background" and named is None:
        # An explicit "none" is respected; only silence invites a search.
        ends = ("_bkg" + plain.suffix, "_bg" + plain.suffix)
    for end in ends:
        yield "same name, other suffix", re.escape(plain.stem + end)
    if kind in _ALONE:
        yield _ONLY, _ALONE[kind]
