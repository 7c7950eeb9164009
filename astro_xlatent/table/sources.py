# Licensed under a 3-clause BSD style license - see LICENSE
"""
Where the spectrum of each table row is, and reading it.

`resolve_spectra` turns what a user may give as ``spectra`` into one entry per
row; `open_spectrum` reads one entry and never raises for a bad file.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import MissionError, ResponseError, TableError, XlatentError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import available_missions, get_mission
from astro_xlatent.spectra.plausible import assumptions
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["mission_of_spectrum", "open_spectrum", "resolve_spectra"]

#: Columns by which the keys of a mapping are looked up, in this order.
NAME_COLUMNS = ("name", "IAUNAME", "DETUID", "source_name")


def resolve_spectra(table, spectra, mission):
    """
    One spectrum, path or None for every row.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows.
    spectra : None, str, path-like, mapping or sequence
        A column name of paths; a folder, searched by the mission's file
        names; a mapping from row number or source name; or one entry per
        row. Entries are `XraySpectrum`, paths, or None.
    mission : `~astro_xlatent.missions.base.Mission` or None
        Whose file names to look for in a folder.

    Returns
    -------
    entries : list
        Of the table's length.

    Raises
    ------
    TableError
        If ``spectra`` is no column, folder, mapping or sequence of the
        table's length.
    """
    if spectra is None:
        return [None] * len(table)
    if isinstance(spectra, Mapping):
        return _from_mapping(table, spectra)
    if isinstance(spectra, str) and spectra in table.colnames:
        return [_entry(value) for value in table[spectra]]
    if isinstance(spectra, (str, Path)):
        return _from_folder(table, Path(spectra), mission)
    entries = [_entry(value) for value in spectra]
    if len(entries) != len(table):
        msg = f"spectra has {len(entries)} entries, the table {len(table)} rows; they must match"
        raise TableError(msg)
    return entries


def _entry(value):
    """A spectrum, a path, or None for whatever means nothing."""
    if value is None or value is np.ma.masked or isinstance(value, XraySpectrum):
        return None if value is np.ma.masked else value
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, (str, Path)):
        msg = (f"spectra holds {type(value).__name__} {value!r}; allowed: paths, XraySpectrum, None")
        raise TableError(msg)
    return str(value).strip() or None


def _from_mapping(table, spectra):
    column = next((name for name in NAME_COLUMNS if name in table.colnames), None)
    names = [None] * len(table) if column is None else [str(v).strip() for v in table[column]]
    entries = [_entry(spectra.get(row, spectra.get(name))) for row, name in enumerate(names)]
    if spectra and len(table) and not any(e is not None for e in entries):
        msg = (f"spectra: none of its {len(spectra)} keys is a row number or a value of the column "
               f"{column or ' or '.join(NAME_COLUMNS)}")
        raise TableError(msg)
    return entries


def _from_folder(table, folder, mission):
    if not folder.is_dir():
        msg = (f"spectra={str(folder)!r} is neither a column of the table nor a folder; columns: "
               f"{', '.join(table.colnames[:12])}{', ...' if len(table.colnames) > 12 else ''}")
        raise TableError(msg)
    if mission is None:
        msg = (f"spectra={str(folder)!r} is a folder, and the table's columns do not tell whose file "
               f"names to look for; give mission= one of {', '.join(available_missions())}")
        raise MissionError(msg)
    return mission.find_spectra(table, folder)


def mission_of_spectrum(spectrum):
    """
    The mission whose TELESCOP a spectrum carries, or None.

    Parameters
    ----------
    spectrum : XraySpectrum

    Returns
    -------
    mission : `~astro_xlatent.missions.base.Mission` or None
    """
    for name in available_missions():
        mission = get_mission(name)
        if spectrum.telescope.upper() in mission.telescopes:
            return mission
    return None


def open_spectrum(entry):
    """
    Read one entry, with the mission's default response if it has none.

    Parameters
    ----------
    entry : XraySpectrum, str or path-like
        What `resolve_spectra` gives.

    Returns
    -------
    spectrum : XraySpectrum or None
        None if it cannot be used.
    flags : int
        Bits to add to the row.
    reason : str
        Why it cannot be used, or what was assumed; else empty.
    """
    try:
        spectrum = entry
        if not isinstance(entry, XraySpectrum):
            spectrum = XraySpectrum.read(entry, missing_response="ignore")
        flags, reasons = 0, []
        if spectrum.response is None:
            spectrum, reason = _with_default_response(spectrum)
            flags, reasons = Flag.DEFAULT_RESPONSE, [reason]
        known, assumed = assumptions(spectrum)
    except XlatentError as error:
        return None, Flag.SPECTRUM_UNREADABLE, str(error)
    flags |= known | (Flag.NO_BACKGROUND if spectrum.background is None else 0)
    return spectrum, flags, "; ".join([*reasons, *assumed])


def _with_default_response(spectrum):
    """A copy with the response of its mission, instrument and year."""
    mission = mission_of_spectrum(spectrum)
    name = spectrum.path or "spectrum"
    if mission is None:
        msg = (f"{name}: it has no response and TELESCOP {spectrum.telescope!r} has no default; "
               "name ARF and RMF in its header or read it with arf=... and rmf=...")
        raise ResponseError(msg)
    response = mission.default_response(spectrum.instrument, _year(spectrum))
    if response.channel_e_lo.size != spectrum.counts.size:
        msg = (f"{name}: it has no response, and its {spectrum.counts.size} channels do not match "
               f"the {response.channel_e_lo.size} of the mission's default; give ARF and RMF")
        raise ResponseError(msg)
    copy = XraySpectrum(**{**vars(spectrum), "response": response})
    return copy, "ARF or RMF missing, default response used"


def _year(spectrum):
    """Decimal year of the observation, or None if the header does not tell."""
    text = str(spectrum.meta.get("date_obs", ""))[:10]
    try:
        date = datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return None
    return date.year + (date.timetuple().tm_yday - 0.5) / 365.25
