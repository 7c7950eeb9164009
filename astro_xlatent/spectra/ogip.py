# Licensed under a 3-clause BSD style license - see LICENSE
"""
Reading OGIP type I spectra (PHA files) with what belongs to them.

References
----------
Arnaud K. A., George I. M., Tennant A. F., OGIP/92-007 and 92-007a, "The OGIP
Spectral File Format".
"""

from os import PathLike
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra._companions import find_companion, is_absent
from astro_xlatent.spectra._fits import load_bytes, parse_tables, split_extension
from astro_xlatent.spectra.plausible import assume, implausible
from astro_xlatent.spectra.response import Response
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["is_ogip_spectrum", "read_pha"]

_MAX_CHANNELS = 100_000
_META = ("OBJECT", "OBS_ID", "DATE-OBS", "RA_TARG", "DEC_TARG", "CHANTYPE", "DETCHANS", "HDUCLAS2",
         "HDUCLAS3", "HDUCLAS4", "FILTER", "GRATING", "DATAMODE", *(f"INSTRUM{k}" for k in range(1, 8)))
#: Counts that RATE times EXPOSURE may be off a whole number: this, and what single precision cannot hold.
_WHOLE = 1e-3
_KEYWORDS = {"arf": "ANCRFILE", "rmf": "RESPFILE", "background": "BACKFILE"}


def is_ogip_spectrum(path: str | PathLike) -> bool:
    """
    Tell from the headers whether a file holds an OGIP spectrum.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    answer : bool
        False also for files that cannot be read.
    """
    try:
        path, _ = split_extension(path)
        tables = parse_tables(load_bytes(path, SpectrumError), path, SpectrumError)
        return any(_is_spectrum(table) for table in tables)
    except SpectrumError:
        return False


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
    Read a spectrum, its response and its background.

    Parameters
    ----------
    path : str or path-like
        OGIP PHA file of type I in counts (or in rates that are whole counts
        over the exposure), gzipped or not. ``file[NAME]`` or ``file[2]``
        chooses one of several spectra by the extension's name or number.
    arf, rmf : str, path-like or Response, optional
        Files to use instead of those found. A `Response` as ``rmf`` is used
        as it is. A given ``rmf`` without ``arf`` is taken alone if it holds
        the area.
    background : str, path-like or False, optional
        File to use instead of the one found; False: none.
    missing_response : {'raise', 'ignore'}, optional
        Without ARF or RMF raise an error, or give ``response=None``.

    Returns
    -------
    spectrum : XraySpectrum
        Flags, and sentences in ``meta["assumptions"]``, tell what had to be
        assumed and what no instrument can have measured.

    Raises
    ------
    SpectrumError, ResponseError
        With file, reason and remedy.
    """
    if missing_response not in ("raise", "ignore"):
        msg = f"missing_response is {missing_response!r}; it must be 'raise' or 'ignore'"
        raise SpectrumError(msg)
    path, extension = split_extension(path)
    tables = parse_tables(load_bytes(path, SpectrumError), path, SpectrumError)
    main, in_file = _choose(tables, path, extension)
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


def _choose(tables, path, extension=""):
    """The source spectrum of a file and its background in the same file (or None)."""
    spectra = [t for t in tables if _is_spectrum(t)]
    if not spectra:
        names = ", ".join(t.name or "(unnamed)" for t in tables[:10]) or "none"
        remedy = "Give a PHA file (responses are no spectra)"
        if any(t.header.text("HDUCLAS1").upper() == "EVENTS" or t.name == "EVENTS" for t in tables):
            remedy = "From an event list make one with extract_spectrum or astro-xlatent extract"
        msg = f"{path}: no SPECTRUM extension; its table extensions: {names}. {remedy}"
        raise SpectrumError(msg)
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
    backscale = _scale(table, "BACKSCAL", counts.size)
    quality = _per_channel(table, "QUALITY", counts.size)
    if np.ndim(backscale):
        quality = np.where(np.isfinite(backscale) & (backscale > 0), quality, 1)
        backscale = np.where(np.isfinite(backscale) & (backscale > 0), backscale, 0.0)
    header = table.header
    meta = {key.lower().replace("-", "_"): header.get(key) for key in _META if header.get(key) is not None}
    spectrum = XraySpectrum(
        counts=counts,
        channel=_channel(table),
        exposure=exposure,
        backscale=backscale,
        areascale=_scale(table, "AREASCAL", counts.size) if _has(table, "AREASCAL") else 1.0,
        quality=quality,
        grouping=_per_channel(table, "GROUPING", counts.size),
        telescope=header.text("TELESCOP").upper(),
        instrument=header.text("INSTRUME").upper(),
        meta=meta,
        path=str(path),
    )
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
    if not np.all(np.isfinite(channel)) or np.any(np.diff(channel) != 1) or abs(channel[0]) > 1e6:
        table.fail("CHANNEL must go up by one from row to row; the file is damaged or binned by "
                   "leaving out channels")
    return channel.astype(np.int64)


def _exposure(table):
    exposure = table.header.get("EXPOSURE", table.header.get("EXPTIME"))
    valid = isinstance(exposure, (int, float)) and not isinstance(exposure, bool)
    if not valid or not 0 < exposure < 1e12:
        table.fail(f"EXPOSURE is {exposure!r}; a positive number of seconds is needed. Set the keyword "
                   "to the live time of the observation")
    return float(exposure)


def _has(table, name):
    return name in table.columns or table.header.get(name) is not None


def _scale(table, name, size):
    """BACKSCAL or AREASCAL: float, or one value a channel; 0 if absent or unusable."""
    if name in table.columns:
        values = table.column(name).astype(float)
        if values.shape != (size,):
            table.fail(f"column {name} has shape {values.shape}; one value a channel is needed")
        if name == "AREASCAL" and (not np.all(np.isfinite(values)) or np.any(values < 0)):
            table.fail("AREASCAL has values that are NaN or negative; the file is damaged")
        return float(values[0]) if np.all(values == values[0]) and 0 < values[0] < np.inf else values
    value = table.header.get(name, 0.0)
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e30
    if name == "AREASCAL" and not usable:
        table.fail(f"AREASCAL is {value!r}; a positive number is needed (1 if there is no scaling)")
    return float(value) if usable else 0.0


def _per_channel(table, name, size):
    """QUALITY or GROUPING as integers, zero if absent."""
    if name in table.columns:
        values = table.column(name)
        if values.shape != (size,):
            table.fail(f"column {name} has shape {values.shape}; one value a channel is needed")
        if values.dtype.kind == "f":
            values = np.nan_to_num(values, nan=1, posinf=1, neginf=1).clip(-(2**15), 2**15)
        return values.astype(np.int64).clip(-(2**15), 2**15).astype(np.int16)
    value = table.header.get(name, 0)
    value = value if isinstance(value, int) and abs(value) < 2**15 else 0
    return np.full(size, int(value), np.int16)


def _named(table, kind):
    key = _KEYWORDS[kind]
    return table.header.text(key) if key in table.header else None


def _background(main, in_file, path, given, spectrum):
    if given is False:
        return None
    named = _named(main, "background")
    if given is not None:
        found, rule, guessed = Path(given), "given", False
    elif in_file is not None:
        found, rule, guessed = path, "second SPECTRUM extension", False
    else:
        found, rule, guessed = find_companion(path, "background", named)
    if found is None or (in_file is None and _same_file(found, path)):
        if named is not None and not is_absent(named):
            spectrum.meta["background_note"] = f"the header names {named}, which was not found"
        return None
    spectrum.meta["background_rule"] = rule
    if guessed:
        assume(spectrum, Flag.RESPONSE_GUESSED, f"background {found.name}: {rule}")
    if in_file is not None and given is None:
        background = _spectrum(in_file, path)
    else:
        found, extension = split_extension(found)
        tables = parse_tables(load_bytes(found, SpectrumError), found, SpectrumError)
        first, second = _choose(tables, found, extension)
        use_second = second is not None and second.header.text("HDUCLAS2").upper() == "BKG"
        background = _spectrum(second if use_second else first, found)
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
    files, named, guesses = {}, {}, []
    for kind, given in (("rmf", rmf), ("arf", arf)):
        named[kind] = _named(main, kind)
        found, rule, guessed = (Path(given), "given", False) if given is not None else (
            find_companion(path, kind, named[kind]))
        files[kind] = found
        spectrum.meta[f"{kind}_rule"] = rule
        if guessed:
            guesses.append(f"{kind.upper()} {found.name}: {rule}")
    response, missing_kind = _read_files(files, optional=rmf is not None or is_absent(named["arf"] or ""))
    if response is None:
        return _missing(path, missing_kind, named[missing_kind], missing, spectrum)
    for text in guesses:
        assume(spectrum, Flag.RESPONSE_GUESSED, text)
    return response


def _read_files(files, optional):
    """The response, or None and what is missing; an RMF alone may do if the ARF is ``optional``."""
    if files["rmf"] is None:
        return None, "rmf"
    if files["arf"] is None and not optional:
        return None, "arf"
    if files["arf"] is None or _same_file(files["arf"], files["rmf"]):
        try:
            return Response.read(None, files["rmf"]), ""
        except ResponseError as exc:
            if "pure redistribution" not in str(exc):
                raise
            return None, "arf"
    return Response.read(files["arf"], files["rmf"]), ""


def _missing(path, kind, named, missing, spectrum):
    note = f"no {kind.upper()} found ({_KEYWORDS[kind]} is {named!r}"
    if missing == "ignore":
        spectrum.meta["response_note"] = note + ")"
        return
    msg = (f"{path}: {note}, and no file of that name lies beside it); put it there, pass {kind}=..., or "
           "missing_response='ignore' to go without a response")
    raise ResponseError(msg)


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
