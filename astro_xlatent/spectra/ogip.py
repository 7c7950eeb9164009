# Licensed under a 3-clause BSD style license - see LICENSE
"""
Reading OGIP type I spectra (Arnaud K. A., George I. M., Tennant A. F., OGIP/92-007 and 92-007a).

In astropy's unified I/O on `XraySpectrum` alone: on `~astropy.table.Table` it would compete with ``fits``.
"""

from os import PathLike
from pathlib import Path

import numpy as np
from astropy.io import registry

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra._companions import KEYWORDS, Companion, find_companion, is_absent
from astro_xlatent.spectra._fits import read_tables, split_extension
from astro_xlatent.spectra._write import write_spectrum
from astro_xlatent.spectra.plausible import assume, implausible
from astro_xlatent.spectra.response import Response
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["read_pha"]

_MAX_CHANNELS = 100_000
_META = ("OBJECT", "OBS_ID", "DATE-OBS", "RA_TARG", "DEC_TARG", "CHANTYPE", "DETCHANS", "HDUCLAS2",
         "HDUCLAS3", "HDUCLAS4", "FILTER", "GRATING", "DATAMODE", *(f"INSTRUM{k}" for k in range(1, 8)))
#: Counts that RATE times EXPOSURE may be off a whole number: this, and what single precision cannot hold.
_WHOLE = 1e-3


def _is_spectrum(table):
    declared = table.header.text("HDUCLAS1").upper() == "SPECTRUM" or table.name == "SPECTRUM"
    return declared and table.header.text("HDUCLAS2").upper() != "DETECTOR"


# Damaged floats (signalling NaN) warn when cast; the checks of values find them.
@np.errstate(invalid="ignore", over="ignore")
def read_pha(path: str | PathLike, arf: str | PathLike | Response | None = None,
             rmf: str | PathLike | Response | None = None,
             background: str | PathLike | bool | None = None, *,
             missing_response: str = "raise") -> XraySpectrum:
    """
    Read a spectrum, its response and its background; see `XraySpectrum.read` for arguments and errors.

    A given ``rmf`` without ``arf`` is taken alone if it holds the area. Counts may be rates that are whole
    numbers times the exposure. Flags and ``meta["assumptions"]`` tell what was assumed or is implausible.
    """
    if missing_response not in ("raise", "ignore"):
        raise SpectrumError(f"missing_response is {missing_response!r}; it must be 'raise' or 'ignore'")
    path, extension = split_extension(path)
    main, in_file = _choose(path, extension)
    spectrum = _spectrum(main, path)
    spectrum.background = _background(main, in_file, path, background, spectrum)
    spectrum.response = _response(main, path, arf, rmf, spectrum, missing_response)
    if spectrum.background is None:
        spectrum.flags |= Flag.NO_BACKGROUND
    else:
        spectrum.flags |= spectrum.background.flags & (Flag.NO_BACKSCALE | Flag.FILE_MENDED)
    if spectrum.response is not None:
        spectrum.flags |= spectrum.response.flags
        _match_channels(spectrum)
    for text in implausible(spectrum):
        assume(spectrum, Flag.IMPLAUSIBLE, text)
    return spectrum


def _choose(path, extension):
    """The source spectrum of a file and its background in the same file (or None)."""
    tables = read_tables(path, SpectrumError)
    spectra = [t for t in tables if _is_spectrum(t)]
    if not spectra:
        names = ", ".join(t.name or "(unnamed)" for t in tables[:10]) or "none"
        remedy = "Give a PHA file (responses are no spectra)"
        if any(t.header.text("HDUCLAS1").upper() == "EVENTS" or t.name == "EVENTS" for t in tables):
            remedy = "From an event list make one with extract_spectrum or astro-xlatent extract"
        raise SpectrumError(f"{path}: no SPECTRUM extension; its table extensions: {names}. {remedy}")
    source = [t for t in spectra if t.header.text("HDUCLAS2").upper() != "BKG"] or spectra[:1]
    if extension:
        source = [t for t in spectra if extension in (t.name, str(t.number))]
    elif len(source) > 1:
        # The same observation in several forms, such as TOTAL and NET: one that can be used is the one.
        source = [t for t in source if _is_usable(t)] or source
    if len(source) != 1:
        known = ", ".join(f"[{t.number}] {t.name or '(unnamed)'} {t.header.text('HDUCLAS2')}".rstrip()
                          for t in spectra)
        what = f"no spectrum [{extension}]" if extension and not source else (
            f"{len(source)} source spectra in one file")
        msg = f"{path}: {what}; it has {known}. Choose one by its number, as {path.name}[{spectra[0].number}]"
        raise SpectrumError(msg)
    off = [t for t in spectra if t is not source[0] and t.header.text("HDUCLAS2").upper() == "BKG"]
    if len(spectra) == 2 and not extension:
        off = [t for t in spectra if t is not source[0] and _is_usable(t)]
    return source[0], off[0] if off else None


def _is_usable(table):
    try:
        _refuse_unsupported(table)
    except SpectrumError:
        return False
    return True


def _spectrum(table, path):
    _refuse_unsupported(table)
    exposure = _exposure(table)
    counts, notes = _counts(table, exposure)
    header = table.header
    meta = {key.lower().replace("-", "_"): header.get(key) for key in _META if header.get(key) is not None}
    try:
        spectrum = XraySpectrum(
            counts=counts, channel=_channel(table), exposure=exposure, backscale=_scale(table, "BACKSCAL"),
            areascale=_scale(table, "AREASCAL"), quality=_per_channel(table, "QUALITY"),
            grouping=_per_channel(table, "GROUPING"), telescope=header.text("TELESCOP").upper(),
            instrument=header.text("INSTRUME").upper(), meta=meta, path=str(path))
    except SpectrumError as error:
        table.fail(f"{error}; the file is damaged")
    if np.ndim(spectrum.backscale):
        usable = np.isfinite(spectrum.backscale) & (spectrum.backscale > 0)
        spectrum.quality = np.where(usable, spectrum.quality, 1)
        spectrum.backscale = np.where(usable, spectrum.backscale, 0.0)
    for text in [*notes, table.wrong_sum()]:
        if text:
            assume(spectrum, Flag.FILE_MENDED, text)
    return spectrum


def _refuse_unsupported(table):
    header = table.header
    classes = {header.text(f"HDUCLAS{i}").upper() for i in (2, 3, 4)}
    if header.text("INSTRUME").upper().startswith("HRC"):
        table.fail("this is an HRC spectrum; the HRC has next to no energy resolution, so there is no "
                   "spectral shape to work with. Use an ACIS observation, or the table's bands")
    vector = any(table.columns[c].repeat > 1 for c in ("COUNTS", "RATE") if c in table.columns)
    if "TYPE:II" in classes or "SPEC_NUM" in table.columns or vector:
        table.fail("this is a type II file (many spectra, one a row); split it into type I files, "
                   "for example with CIAO's dmtype2split")
    if "NET" in classes:
        table.fail("this is a NET spectrum (HDUCLAS2 is NET: background already subtracted), whose counts "
                   "are not Poisson distributed; give the TOTAL spectrum and its background")
    if "CHANNEL" not in table.columns or not {"COUNTS", "RATE"} & set(table.columns):
        table.fail(f"columns CHANNEL and COUNTS are needed, it has {', '.join(table.columns) or 'none'}")
    if table.n_rows > _MAX_CHANNELS or table.n_rows == 0:
        table.fail(f"{table.n_rows} channels; between 1 and {_MAX_CHANNELS} are allowed")


def _counts(table, exposure):
    """Counts, and what was assumed to have them."""
    name = "COUNTS" if "COUNTS" in table.columns else "RATE"
    counts = table.column(name).astype(float)
    bad = ~np.isfinite(counts) | (counts < 0) | (counts > 1e12)
    if np.any(bad):
        first = int(np.argmax(bad))
        table.fail(f"{name} has {int(bad.sum())} values that are NaN, negative or above 1e12 (first: "
                   f"{counts[first]} in row {first + 1}); counts must be zero or positive. If a background "
                   "was subtracted, give the original spectrum")
    if name == "COUNTS":
        return counts, []
    counts *= exposure
    whole = np.round(counts)
    off = np.abs(counts - whole) - whole * np.finfo(np.float32).eps
    if np.any(off > _WHOLE) or np.any((counts > 0) & (whole == 0)):
        table.fail("this is a RATE spectrum (counts/s, no COUNTS column), and RATE x EXPOSURE is up to "
                   f"{off.max():.2g} off a whole number, more than {_WHOLE}, so that the number of photons "
                   "is not known; give the file in counts")
    return whole, [f"{Path(table.path).name}: counts are RATE x EXPOSURE, which are whole numbers"]


def _channel(table):
    channel = table.column("CHANNEL").astype(float)
    if channel.ndim != 1 or not np.all(np.diff(channel) == 1) or not abs(channel[0]) <= 1e6:
        table.fail("CHANNEL must go up by one from row to row; the file is damaged or binned by "
                   "leaving out channels")
    return channel.astype(np.int64)


def _exposure(table):
    key = "EXPTIME" if table.header.get("EXPOSURE") is None else "EXPOSURE"
    exposure = table.header.number(key) or 0.0
    if not 0 < exposure < 1e12:
        table.fail(f"EXPOSURE is {table.header.get(key)!r}; a positive number of seconds is needed. Set the "
                   "keyword to the live time of the observation")
    return float(exposure)


def _scale(table, name):
    """BACKSCAL or AREASCAL: one number, or one a channel; NaN if unusable, an AREASCAL that is absent one."""
    if name in table.columns:
        values = table.column(name).astype(float)
        first = float(values.flat[0])
        return first if np.all(values == first) and 0 < first < np.inf else values
    if name == "AREASCAL" and table.header.get(name) is None:
        return 1.0
    value = table.header.number(name)
    return float(value) if value is not None and value < 1e30 else np.nan


def _per_channel(table, name):
    """QUALITY or GROUPING as integers; None, for zeros, if absent."""
    if name in table.columns:
        values = np.nan_to_num(table.column(name), nan=1, posinf=1, neginf=1)
        return values.clip(-(2**15), 2**15 - 1).astype(np.int16)
    value = table.header.get(name, 0)
    return np.full(table.n_rows, value, np.int16) if isinstance(value, int) and abs(value) < 2**15 else None


def _companion(main, path, kind, given):
    """The file that belongs to a spectrum, and what the header names."""
    named = main.header.text(KEYWORDS[kind]) if KEYWORDS[kind] in main.header else None
    if given is not None:
        return Companion(Path(given), "given", False), named
    return find_companion(path, kind, named), named


def _background(main, in_file, path, given, spectrum):
    if given is False:
        return None
    if given is None and in_file is not None:
        spectrum.meta["background_rule"] = "second SPECTRUM extension"
        return _fitting(_spectrum(in_file, path), path, path, spectrum)
    (found, rule, guessed), named = _companion(main, path, "background", given)
    if found is None or (in_file is None and _same_file(found, path)):
        if named is not None and not is_absent(named):
            spectrum.meta["background_note"] = f"the header names {named}, which was not found"
        return None
    spectrum.meta["background_rule"] = rule
    if guessed:
        assume(spectrum, Flag.RESPONSE_GUESSED, f"background {found.name}: {rule}")
    found, extension = split_extension(found)
    first, second = _choose(found, extension)
    use_second = second is not None and second.header.text("HDUCLAS2").upper() == "BKG"
    return _fitting(_spectrum(second if use_second else first, found), found, path, spectrum)


def _fitting(background, found, path, spectrum):
    if background.counts.size != spectrum.counts.size:
        msg = (f"{found}: the background has {background.counts.size} channels, the spectrum {path.name} "
               f"{spectrum.counts.size}; both must be alike. Pass background=False to go without")
        raise SpectrumError(msg)
    return background


def _same_file(a, b):
    return Path(a).resolve() == Path(b).resolve()


def _response(main, path, arf, rmf, spectrum, missing):
    if isinstance(rmf, Response):
        return rmf
    found = {kind: _companion(main, path, kind, given) for kind, given in (("rmf", rmf), ("arf", arf))}
    spectrum.meta |= {f"{kind}_rule": companion.rule for kind, (companion, _) in found.items()}
    optional = rmf is not None or is_absent(found["arf"][1] or "")
    response, lost = _read_files(found["arf"][0].path, found["rmf"][0].path, optional)
    if response is None:
        note = f"no {lost.upper()} found ({KEYWORDS[lost]} is {found[lost][1]!r}"
        if missing == "ignore":
            spectrum.meta["response_note"] = note + ")"
            return None
        msg = (f"{path}: {note}, and no file of that name lies beside it); put it there, pass {lost}=..., or "
               "missing_response='ignore' to go without a response")
        raise ResponseError(msg)
    for kind, (companion, _) in found.items():
        if companion.guessed:
            assume(spectrum, Flag.RESPONSE_GUESSED, f"{kind.upper()} {companion.path.name}: {companion.rule}")
    return response


def _read_files(arf, rmf, optional):
    """The response, or None and what is missing; an RMF alone may do if the ARF is ``optional``."""
    if rmf is None or (arf is None and not optional):
        return None, "arf" if rmf else "rmf"
    if arf is not None and not _same_file(arf, rmf):
        return Response.read(arf, rmf), ""
    try:
        return Response.read(None, rmf), ""
    except ResponseError as exc:
        if "pure redistribution" not in str(exc):
            raise
        return None, "arf"


def _match_channels(spectrum):
    response = spectrum.response
    if spectrum.counts.size != response.n_channels:
        msg = (f"{spectrum.path}: the spectrum has {spectrum.counts.size} channels, its response "
               f"({response.meta.get('rmf')}) {response.n_channels}; they do not belong together. "
               "Pass the right one with rmf=...")
        raise SpectrumError(msg)
    if int(spectrum.channel[0]) != response.first_channel:
        spectrum.meta["channel_note"] = (f"channels begin at {int(spectrum.channel[0])}, those of the "
                                         f"response at {response.first_channel}: matched in order")


registry.register_reader("ogip", XraySpectrum, read_pha)
registry.register_writer("ogip", XraySpectrum, write_spectrum)
