# Licensed under a 3-clause BSD style license - see LICENSE
"""From table rows to energy bins: `measure` gives them chunk by chunk."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import MissionError, ResponseError, TableError, XlatentError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions.base import MissingBandsError, Mission, available_missions, get_mission
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.spectra._companions import is_absent
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import N_FINE, EnergyBins
from astro_xlatent.spectra.plausible import assumptions
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["Chunk", "measure", "open_spectrum", "resolve_spectra"]

#: Columns by which the keys of a mapping are looked up, in this order.
NAME_COLUMNS = ("name", "IAUNAME", "DETUID", "source_name")
#: Rows whose spectra, with their folding matrices, are in memory at once.
SPECTRA_CHUNK = 128


@dataclass
class Chunk:
    """Some rows (n,) of a table, and what is measured of m of them, those without ``NO_DATA``."""

    rows: np.ndarray  # (n,), row numbers in the table
    flags: np.ndarray  # (n,), int64, from reading
    reasons: np.ndarray  # (n,), objects: what the flags mean here, in words; mostly empty
    missions: np.ndarray  # (m,), str; empty where no mission knows telescope and instrument
    bins: EnergyBins  # of m rows
    matrices: np.ndarray | None = None  # folding matrices, (m, bins, n_energy), in cm2 s; None for bands
    recipes: np.ndarray = field(default_factory=lambda: np.zeros(0, "U1"))  # (m,), from what they were read

    @property
    def measured(self) -> np.ndarray:
        """Which rows have bins, bool (n,)."""
        return (self.flags & int(Flag.NO_DATA)) == 0


def measure(table: Table, spectra=None, mission: Mission | None = None) -> Iterator[Chunk]:
    """
    Energy bins of a table's rows: first from spectra, then from bands, every row in one chunk. A row whose
    spectrum cannot be used comes with the bands and keeps flag and reason. Raises a TableError if ``spectra``
    does not fit the table, or there are none and no band columns.
    """
    entries = resolve_spectra(table, spectra, mission)
    refused, done = {}, np.zeros(len(table), bool)
    if isinstance(spectra, (str, Path)) and spectra not in table.colnames:
        refused = {row: (0, f"no spectrum of this row in {spectra}")
                   for row, entry in enumerate(entries) if entry is None}
    rows = [row for row, entry in enumerate(entries) if entry is not None]
    for chunk, problems in _ahead(partial(_read_spectra, entries), rows, SPECTRA_CHUNK):
        refused.update(problems)
        if chunk is not None:
            done[chunk.rows] = True
            yield chunk
    yield from _ahead(lambda rows: _from_bands(table, rows, mission, refused, needed=spectra is None),
                      np.flatnonzero(~done), conf.batch_size)


def _ahead(make, rows, size):
    """What is made of every ``size`` rows; the next is made while whoever takes this one works on it."""
    with ThreadPoolExecutor(1) as pool:
        parts = (pool.submit(make, rows[start:start + size]) for start in range(0, len(rows), size))
        coming = next(parts, None)
        while coming is not None:
            made, coming = coming.result(), next(parts, None)
            yield made


def _read_spectra(entries, rows):
    """The chunk of some rows' spectra, None if there is none, and flags and reasons of those refused."""
    opened = [(row, *open_spectrum(entries[row])) for row in rows]
    refused = {row: (int(flags), reason) for row, spectrum, flags, reason in opened if spectrum is None}
    found = [one for one in opened if one[1] is not None]
    bins, matrices, problems = _binned([spectrum for _, spectrum, *_ in found])
    for (row, _, flags, reason), problem in zip(found, problems, strict=True):
        if problem:
            reason = "; ".join(filter(None, (reason, problem)))
            refused[row] = (int(flags) | int(Flag.SPECTRUM_UNREADABLE), reason)
    used = np.flatnonzero(problems == "")
    if used.size < len(found):
        bins, matrices = bins[used], matrices[used]
    if not used.size:
        return None, refused
    rows, spectra, flags, reasons = zip(*(found[k] for k in used), strict=True)
    return Chunk(np.array(rows), np.array(flags, np.int64), np.array(reasons, object),
                 np.array([_mission_name(spectrum) for spectrum in spectra]), bins, matrices,
                 np.full(len(rows), "spectrum")), refused


def _binned(spectra):
    """Bins and matrices of spectra, all at once or else one by one, and why they cannot be used."""
    try:
        bins, matrices = bins_from_spectra(spectra)
    except XlatentError as error:
        if len(spectra) == 1:
            return (EnergyBins.empty(1, N_FINE), np.zeros((1, N_FINE, N_ENERGY), np.float32),
                    np.array([str(error)], object))
        bins, matrices, problems = zip(*(_binned([one]) for one in spectra), strict=True)
        return EnergyBins.concatenate(bins), np.concatenate(matrices), np.concatenate(problems)
    problems = [f"{one.path or 'spectrum'}: no effective area between 0.3 and 10 keV" for one in spectra]
    return bins, matrices, np.where(np.any(bins.valid & (bins.area > 0), axis=1), "", problems)


def _mission_name(spectrum):
    mission, instrument = _mission_of(spectrum), spectrum.instrument.upper()
    known = mission and (not instrument or instrument.startswith(tuple(mission.instruments) or ""))
    return mission.name if known else ""


def _from_bands(table, rows, mission, refused, needed):
    """A chunk of rows without a usable spectrum; band columns must be there only if ``needed``."""
    known = [refused.get(row, (0, "")) for row in rows.tolist()]
    flags = np.array([flag for flag, _ in known], np.int64)
    measured = None
    try:
        if mission is not None and mission.bands:
            # A run of rows is seen in place; picking rows would copy every column.
            run = rows[-1] - rows[0] + 1 == rows.size
            measured = mission.read_bands(table[rows[0]:rows[-1] + 1] if run else table[rows])
    except MissingBandsError:
        if needed:
            raise
    if measured is None:
        reasons = [reason or "no spectrum, and no band columns in the table" for _, reason in known]
        return Chunk(rows, flags | int(Flag.NO_DATA), np.array(reasons, object), np.zeros(0, "U1"),
                     EnergyBins.empty(0, 1))
    usable = measured.bins.valid.any(axis=1)
    flags |= np.where(usable, int(Flag.BANDS_ONLY), int(Flag.NO_DATA))
    flags |= np.asarray(measured.flags, np.int64) & ~int(Flag.NO_DATA)
    reasons = ["; ".join(filter(None, (first, second)))
               for (_, first), second in zip(known, measured.reason, strict=True)]
    return Chunk(rows, flags, np.array(reasons, object), np.full(usable.sum(), mission.name),
                 measured.bins[usable], recipes=np.asarray(measured.recipe)[usable])


def resolve_spectra(table: Table, spectra, mission: Mission | None) -> list:
    """
    One `XraySpectrum`, path or None for every row, from ``spectra`` as for `add_latents`.

    A key of a mapping is a name in the first of `NAME_COLUMNS` there is (numbers compare as text), else, if
    an integer, a row number. Integers of which only some are names, and keys that reach one row twice, are
    refused. Raises a TableError if ``spectra`` is none of these, or holds nothing for any row.
    """
    if spectra is None:
        return [None] * len(table)
    if isinstance(spectra, Mapping):
        return _from_mapping(table, spectra)
    if isinstance(spectra, str) and spectra in table.colnames:
        spectra = table[spectra]
    if isinstance(spectra, (str, Path)):
        return _from_folder(table, Path(spectra), mission)
    if isinstance(spectra, XraySpectrum) or not isinstance(spectra, Sequence | np.ndarray):
        msg = (f"spectra is a {type(spectra).__name__}; give a column's name, a folder, a mapping from "
               "source name or row number, or a list with one path, XraySpectrum or None a row")
        raise TableError(msg)
    entries = [_entry(value) for value in spectra]
    if len(entries) != len(table):
        raise TableError(f"spectra has {len(entries)} entries, the table {len(table)} rows; they must match")
    return entries


def _entry(value):
    if value is None or value is np.ma.masked or isinstance(value, XraySpectrum):
        return None if value is np.ma.masked else value
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, (str, Path)):
        msg = (f"spectra holds {type(value).__name__} {value!r}; allowed: paths, XraySpectrum, None")
        raise TableError(msg)
    return str(value).strip() or None


def _from_mapping(table, spectra):
    columns = Columns(table)
    column, rows_of = columns.first(*NAME_COLUMNS), {}
    for row, name in enumerate(columns.text_exact(column).tolist() if column else []):
        rows_of.setdefault(name, []).append(row)
    rows_of.pop("", None)
    numbers = [k for k in spectra if isinstance(k, (int, np.integer)) and not isinstance(k, bool)]
    unnamed = [k for k in numbers if str(k) not in rows_of]
    if unnamed and len(unnamed) < len(numbers):
        named = next(k for k in numbers if str(k) in rows_of)
        raise TableError(f"spectra: the key {named} is a value of the column {column!r}, {unnamed[0]} is "
                         "not; is that a row number? Use names only, or a list with one entry a row")
    entries, reached = [None] * len(table), {}
    for key, value in spectra.items():
        by_row = [int(key)] if key in unnamed and 0 <= key < len(table) else []
        for row in rows_of.get(key.decode() if isinstance(key, bytes) else str(key).strip(), by_row):
            if row in reached:
                raise TableError(f"spectra: the keys {reached[row]!r} and {key!r} both mean row {row}; "
                                 "leave out one")
            entries[row], reached[row] = _entry(value), key
    if spectra and len(table) and not reached:
        raise TableError(f"spectra: none of its {len(spectra)} keys is a row number or a value of the column "
                         f"{column or ' or '.join(NAME_COLUMNS)}")
    return entries


def _from_folder(table, folder, mission):
    if not folder.is_dir():
        raise TableError(f"spectra={str(folder)!r} is neither a column of the table nor a folder; columns: "
                         f"{', '.join(table.colnames[:12])}{', ...' if len(table.colnames) > 12 else ''}")
    if mission is None:
        raise MissionError(f"spectra={str(folder)!r} is a folder, and the table's columns do not tell whose "
                           f"file names to look for; give mission= one of {', '.join(available_missions())}")
    paths = mission.find_spectra(table, folder)
    if len(table) and all(path is None for path in paths):
        names = [name for name in mission.product_names(table) if name is not None]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        sought = (f"Looked for {', '.join(names[:3])}{more}" if names else
                  f"The table's columns do not tell the file names of mission {mission.name}")
        raise TableError(f"spectra={str(folder)!r} holds no spectrum of any of the {len(table)} rows. "
                         f"{sought}. Give another folder, or name the files in a column or a list")
    return paths


def _mission_of(spectrum):
    known = map(get_mission, available_missions())
    return next((mission for mission in known if spectrum.telescope.upper() in mission.telescopes), None)


def open_spectrum(entry: XraySpectrum | str | Path) -> tuple[XraySpectrum | None, int, str]:
    """
    Read an entry of `resolve_spectra`, with the mission's default response if it has none. Nothing is raised:
    gives the spectrum or None, flags to add to the row, and why it cannot be used, or what was assumed.
    """
    try:
        spectrum = (entry if isinstance(entry, XraySpectrum) else
                    XraySpectrum.read(entry, format="ogip", missing_response="ignore"))
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
    mission, lack = _mission_of(spectrum), f"{spectrum.path or 'spectrum'}: it has no response"
    if mission is None:
        raise ResponseError(f"{lack} and TELESCOP {spectrum.telescope!r} has no default; name ARF and RMF in "
                            "its header or read it with arf=... and rmf=...")
    grating = str(spectrum.meta.get("grating", "")).strip()
    if not is_absent(grating):
        raise ResponseError(f"{lack}, and the mission's default is not that of an observation through the "
                            f"grating {grating}; read it with arf=... and rmf=...")
    response = mission.default_response(mission.instrument_of(spectrum), _year(spectrum))
    if response.channel_e_lo.size != spectrum.counts.size:
        raise ResponseError(f"{lack}, and its {spectrum.counts.size} channels do not match the "
                            f"{response.channel_e_lo.size} of the mission's default; give ARF and RMF")
    return (XraySpectrum(**{**vars(spectrum), "response": response}),
            "ARF or RMF missing, default response used")


def _year(spectrum):
    try:
        date = datetime.strptime(str(spectrum.meta.get("date_obs", ""))[:10], "%Y-%m-%d")
    except ValueError:
        return None
    return date.year + (date.timetuple().tm_yday - 0.5) / 365.25
