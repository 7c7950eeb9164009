# Licensed under a 3-clause BSD style license - see LICENSE
"""
Finding the ARF, RMF and background that belong to a spectrum.

Headers name them, but with habits: ``.gz`` left out, survey prefixes left out,
an older version number, ``none`` although the file lies beside. The rules are
tried in the order of `find_companion`; which one hit is recorded.
"""

import os
import re
from pathlib import Path

__all__ = ["find_companion", "is_absent"]

_CSC = re.compile(r"(?P<head>[a-z]{4}f\d{5,6}_\d{3})N\d{3}(?P<tail>(_e\d)?_r\d{4})_pha3", re.IGNORECASE)
_CSC_KIND = {"arf": "arf3", "rmf": "rmf3"}
_EROSITA_KIND = {"arf": "ARF", "rmf": "RMF", "background": "BackgrSpec"}
_SUFFIXES = {"arf": (".arf", ".warf"), "rmf": (".rmf", ".wrmf", ".rsp"), "background": ()}
_KEYWORD = {"arf": "ANCRFILE", "rmf": "RESPFILE", "background": "BACKFILE"}
_ALONE = {"arf": re.compile(r"arf", re.IGNORECASE), "rmf": re.compile(r"rmf|\.rsp", re.IGNORECASE)}


def is_absent(name):
    """Whether a header's file name means "there is none"."""
    return name.strip().lower() in ("", "none", "null", "n/a", "%match%", "calc")


def find_companion(path, kind, named):
    """
    Look for a file that belongs to a spectrum.

    Parameters
    ----------
    path : pathlib.Path
        The spectrum.
    kind : {'arf', 'rmf', 'background'}
        What to look for.
    named : str or None
        What the header says; None if the keyword is absent.

    Returns
    -------
    found : pathlib.Path or None
    rule : str
        How it was found, for the record.
    """
    folder = path.parent
    if named is not None and not is_absent(named):
        found = _as_named(folder, named)
        if found:
            return found, f"named by {_KEYWORD[kind]}"
    listing = _listing(folder)
    for rule, search in ((f"name that ends in that of {_KEYWORD[kind]}", _with_prefix),
                         ("eROSITA file name", _erosita), ("CSC file name, any version", _csc),
                         ("same name, other suffix", _same_stem), ("only one in the folder", _alone)):
        name = search(path.name, kind, named, listing)
        if name:
            return folder / name, rule
    return None, ""


def _as_named(folder, named):
    named = named.strip().split("[")[0].split("{")[0]
    for base in dict.fromkeys([named, os.path.basename(named)]):
        for name in (base, base + ".gz", base.removesuffix(".gz")):
            if "\0" not in name and len(name) < 1000 and (folder / name).is_file():
                return folder / name
    return None


def _listing(folder):
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []


def _with_prefix(name, kind, named, listing):
    """``em01_123045_020_ARF_00001.fits.gz`` for ``020_ARF_00001.fits``."""
    if named is None or is_absent(named):
        return None
    wanted = os.path.basename(named.strip()).removesuffix(".gz")
    hits = [n for n in listing if n.removesuffix(".gz").endswith("_" + wanted)]
    return hits[0] if len(hits) == 1 else None


def _erosita(name, kind, named, listing):
    if "SourceSpec" not in name:
        return None
    wanted = name.replace("SourceSpec", _EROSITA_KIND[kind]).removesuffix(".gz")
    return next((n for n in (wanted, wanted + ".gz") if n in listing), None)


def _csc(name, kind, named, listing):
    match = _CSC.match(name)
    if match is None or kind not in _CSC_KIND:
        return None
    pattern = re.compile(re.escape(match["head"]) + r"N\d{3}" + re.escape(match["tail"])
                         + f"_{_CSC_KIND[kind]}" + r"\.fits(\.gz)?$", re.IGNORECASE)
    return max((n for n in listing if pattern.match(n)), default=None)


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
