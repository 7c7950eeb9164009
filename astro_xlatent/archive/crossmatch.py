# Licensed under a 3-clause BSD style license - see LICENSE
"""
Counterparts of X-ray sources in Gaia, 2MASS and AllWISE, with the probability that they are the right ones.

The cross-match service of the CDS gives all candidates around each source.
Of them the likeliest is kept, by separation, the density of others around, and
magnitude, as NWAY does (Salvato et al. 2018, MNRAS 473, 4937).
"""

import hashlib
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.config.paths import get_cache_dir
from astropy.io.votable.exceptions import VOWarning
from astropy.table import MaskedColumn, Table

from astro_xlatent.archive.verify import quiet
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, TableError
from astro_xlatent.core.files import replacing
from astro_xlatent.missions._columns import Columns

__all__ = ["SURVEYS", "Survey", "counterparts", "match_probability"]

#: Candidates are asked for within this; beyond `INNER` they count as the field's.
RADIUS, INNER = 10.0, 5.0
#: Sources asked for in one request.
CHUNK = 2000
#: Standard deviation in one coordinate where the table has no error, arcsec: Chandra's, on average.
DEFAULT_SIGMA = 0.5
#: Share of sources with a counterpart in a survey, before looking (those of MUWCLASS: 0.6 to 0.8).
COMPLETENESS = 0.7
#: Spread of X-ray epochs around that of Gaia, years, by which moving stars may be away.
EPOCH_SPREAD = 9.0
_TO_SIGMA = 1 / np.sqrt(-2 * np.log(0.05))
_MAGNITUDE_BINS, _FEWEST = 8, 100


@dataclass(frozen=True)
class Survey:
    """A catalog of counterparts: where it is, what it is called here, which of its columns are kept."""

    name: str
    address: str
    magnitude: str
    sigma: float
    columns: tuple


#: VizieR's tables; names of columns are VizieR's.
SURVEYS = (
    Survey(
        "gaia",
        "vizier:I/355/gaiadr3",
        "Gmag",
        0.001,
        ("Source", "Gmag", "BPmag", "RPmag", "Plx", "e_Plx", "PM", "pmRA", "e_pmRA", "pmDE", "e_pmDE"),
    ),
    Survey(
        "tmass",
        "vizier:II/246/out",
        "Jmag",
        0.1,
        ("2MASS", "Jmag", "e_Jmag", "Hmag", "e_Hmag", "Kmag", "e_Kmag"),
    ),
    Survey(
        "allwise",
        "vizier:II/328/allwise",
        "W1mag",
        0.2,
        ("AllWISE", "W1mag", "e_W1mag", "W2mag", "e_W2mag", "W3mag", "e_W3mag"),
    ),
)


def counterparts(
    table: Table, *, surveys: tuple = SURVEYS, cache: Path | str | None = None, log=None
) -> Table:
    """
    Add the likeliest counterpart in each survey to every row.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec`` (degrees, ICRS) and, if there is one, the CSC's
        ``err_ellipse_r0`` (95 % radius) or eRASS's ``POS_ERR``. It is not changed.
    surveys : tuple of Survey, optional
    cache : path-like, optional
        Folder where answers are kept, so that a second call asks only for what
        is missing; by default in astropy's cache.
    log : callable, optional
        Receives lines on progress.

    Returns
    -------
    matched : `~astropy.table.Table`
        A copy with the surveys' columns under their own names, and for each
        survey ``NAME_n`` (candidates within 1 arcsec and the errors; masked
        where the row has no position: nobody looked), ``NAME_angDist`` (arcsec)
        and ``NAME_p_i`` (probability that it is the source's counterpart).

    Raises
    ------
    TableError
        If positions are missing, or the table has some of the columns already.
    ArchiveError
        If the service cannot be reached or refuses; answers so far are kept.
    """
    columns = Columns(table)
    if "ra" not in columns or "dec" not in columns:
        msg = "counterparts need columns ra and dec (degrees); rename the table's position columns"
        raise TableError(msg)
    ra, dec = columns.number("ra", u.deg), columns.number("dec", u.deg)
    placed = np.flatnonzero(np.isfinite(ra) & (np.abs(dec) <= 90))
    sigma = _sigma(columns)
    folder = Path(cache) if cache is not None else Path(get_cache_dir()) / "astro_xlatent_xmatch"
    folder.mkdir(parents=True, exist_ok=True)
    matched = table.copy()
    for survey in surveys:
        new = [*survey.columns, f"{survey.name}_n", f"{survey.name}_angDist", f"{survey.name}_p_i"]
        there = sorted({name.lower() for name in new} & {name.lower() for name in matched.colnames})
        if there:
            msg = f"the table already has {', '.join(there)}; remove or rename them first"
            raise TableError(msg)
        found = []
        for start in range(0, len(placed), CHUNK):
            rows = placed[start:start + CHUNK]
            found.append(_choose(_candidates(survey, rows, ra[rows], dec[rows], folder), survey, rows, sigma))
            if log is not None:
                log(f"{survey.name}: {start + len(rows)} of {len(placed)} sources")
        _add(matched, survey, found, placed)
    return matched


def _sigma(columns):
    """Standard deviation of every position in one coordinate, arcsec."""
    sigma = np.full(len(columns), np.nan)
    for name, factor in (("err_ellipse_r0", _TO_SIGMA), ("pos_err", 1.0), ("r0", _TO_SIGMA)):
        if name in columns:
            sigma = np.where(np.isfinite(sigma), sigma, factor * columns.number(name, u.arcsec))
    return np.where((sigma > 0) & (sigma < RADIUS), sigma, DEFAULT_SIGMA)


def _candidates(survey, rows, ra, dec, folder):
    """All objects of a survey around some positions, from the cache or the service."""
    key = hashlib.sha256(
        f"{survey.address} {RADIUS}".encode() + rows.tobytes() + ra.tobytes() + dec.tobytes()
    )
    path = folder / f"{survey.name}-{key.hexdigest()[:24]}.fits"
    if path.is_file():
        return Table.read(path)
    answer = _ask(survey, Table({"xl_row": rows, "ra_x": ra, "dec_x": dec}))
    names = {name.lower(): name for name in answer.colnames}
    missing = [name for name in ("xl_row", "angDist", survey.magnitude) if name.lower() not in names]
    if missing:
        msg = f"{conf.xmatch_url}: the answer for {survey.address} lacks {', '.join(missing)}"
        raise ArchiveError(msg)
    kept = Table({name: answer[names[name.lower()]] for name in ("xl_row", "angDist", *survey.columns)
                  if name.lower() in names})
    with replacing(path) as temporary:
        kept.write(temporary, format="fits", overwrite=True)
    return kept


def _ask(survey, positions):
    """One request, sent again a few times if it fails."""
    try:
        from astroquery.exceptions import InvalidQueryError
        from astroquery.xmatch import XMatchClass
    except ImportError as error:
        msg = 'cross-matching needs astroquery: pip install "astro_xlatent[archive]"'
        raise ImportError(msg) from error
    from requests import RequestException

    service = XMatchClass()
    service.URL, service.TIMEOUT = conf.xmatch_url, conf.archive_timeout
    # It would fetch the list of 20,000 tables before every question.
    service.is_table_available = lambda table: isinstance(table, str)
    for trial in range(conf.archive_retries + 1):
        try:
            answer = service.query_async(positions, survey.address, RADIUS * u.arcsec, colRA1="ra_x",
                                         colDec1="dec_x", cache=False)
            with quiet(u.UnitsWarning, VOWarning):
                return Table.read(BytesIO(answer.content), format="votable", use_names_over_ids=True)
        except (RequestException, InvalidQueryError, OSError, ValueError, IndexError) as error:
            if trial == conf.archive_retries:
                msg = (
                    f"{conf.xmatch_url}: {survey.address}: {type(error).__name__}: {str(error)[:200]}; "
                    "try again later: what came so far is kept, and only the rest is asked for"
                )
                raise ArchiveError(msg) from error
        finally:
            service._session.close()
        time.sleep(min(conf.archive_backoff * 2.0**trial, conf.archive_max_wait))


def match_probability(apart, spread, row, density, ratio) -> np.ndarray:
    """
    Probability of every candidate to be its source's counterpart.

    Parameters
    ----------
    apart, spread : ndarray, (n,)
        Separation, and its standard deviation in one coordinate, arcsec.
    row : ndarray of int, (n,)
        Source of each candidate, 0 and up.
    density : ndarray, (n,)
        Other objects around, 1/arcsec2.
    ratio : ndarray, (n,)
        How much likelier its magnitude is for a counterpart than for others.

    Returns
    -------
    probability : ndarray, (n,)
        p_any x p_i in NWAY's terms; those of a source sum to at most one.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.archive.crossmatch import match_probability
    >>> near, far = match_probability(np.array([0.1, 3.0]), 0.5, np.array([0, 0]), 1e-3, 1.0)
    >>> bool(near > 0.98 and far < 0.01)
    True
    """
    odds = np.exp(-0.5 * (apart / spread) ** 2) / (2 * np.pi * np.square(spread)) * ratio / density
    total = np.bincount(row, weights=odds)[row]
    return COMPLETENESS * odds / (COMPLETENESS * total + 1 - COMPLETENESS)


def _choose(found, survey, rows, sigma):
    """The likeliest candidate of every source, with number and probability."""
    values = Columns(found)
    number = values.number("xl_row")
    found = found[np.isfinite(number)]
    values, number = Columns(found), number[np.isfinite(number)].astype(int)
    apart, magnitude = values.number("angDist", u.arcsec), values.number(survey.magnitude)
    at = np.searchsorted(rows, number)
    spread = np.sqrt(sigma[number] ** 2 + survey.sigma**2)
    if "pm" in values:
        spread = np.hypot(spread, np.nan_to_num(values.number("PM", u.mas / u.yr)) * EPOCH_SPREAD / 1000)
    ring = np.pi * (RADIUS**2 - INNER**2)
    outer = np.bincount(at[apart > INNER], minlength=len(rows))
    # One source's ring holds few objects: half of the weight is the mean of all.
    density = (outer + max(outer.mean() if len(rows) else 0.0, 0.01)) / (2 * ring)
    chance = match_probability(apart, spread, at, density[at], _magnitude_ratio(magnitude, apart))
    near = apart <= np.maximum(1.0 + sigma[number] / _TO_SIGMA, 3 * spread)
    order = np.lexsort((-chance, at))
    order = order[near[order]]
    best = order[np.unique(at[order], return_index=True)[1]]
    chosen = found[best]
    chosen["xl_n"] = np.bincount(at[near], minlength=len(rows))[at[best]]
    chosen["xl_p_i"] = chance[best]
    return chosen


def _magnitude_ratio(magnitude, apart):
    """Ratio of the densities of magnitudes near sources and away from them; 1 where there are too few."""
    near, away = (
        magnitude[(apart < 1) & np.isfinite(magnitude)],
        magnitude[(apart > INNER) & np.isfinite(magnitude)],
    )
    if min(len(near), len(away)) < _FEWEST:
        return np.ones(len(magnitude))
    edges = np.quantile(np.concatenate([near, away]), np.linspace(0, 1, _MAGNITUDE_BINS + 1))
    shares = [(np.histogram(part, edges)[0] + 1) / (len(part) + _MAGNITUDE_BINS) for part in (near, away)]
    cell = np.clip(np.searchsorted(edges, magnitude) - 1, 0, _MAGNITUDE_BINS - 1)
    return np.where(np.isfinite(magnitude), np.clip(shares[0] / shares[1], 0.1, 10.0)[cell], 1.0)


def _add(table, survey, found, placed):
    """Put the chosen candidates into the table's rows."""
    looked = np.zeros(len(table), bool)
    looked[placed] = True
    number = np.zeros(len(table), np.int32)
    for name in survey.columns:
        parts = [part[name] for part in found if name in part.colnames]
        kind = parts[0].dtype if parts else np.dtype(float)
        size = max((part.dtype for part in parts), key=lambda d: d.itemsize, default=kind)
        table[name] = MaskedColumn(np.zeros(len(table), size), mask=True,
                                   unit=parts[0].unit if parts else None)
    table[f"{survey.name}_angDist"] = MaskedColumn(np.zeros(len(table)), mask=True, unit=u.arcsec)
    table[f"{survey.name}_p_i"] = MaskedColumn(np.zeros(len(table), np.float32), mask=True)
    for part in found:
        rows = np.asarray(part["xl_row"], int)
        number[rows] = part["xl_n"]
        for name, source in (*((n, n) for n in survey.columns if n in part.colnames),
                             (f"{survey.name}_angDist", "angDist"), (f"{survey.name}_p_i", "xl_p_i")):
            table[name][rows] = part[source]
    table[f"{survey.name}_n"] = MaskedColumn(number, mask=~looked)
