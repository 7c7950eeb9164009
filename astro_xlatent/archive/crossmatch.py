# Licensed under a 3-clause BSD style license - see LICENSE
"""
Counterparts of X-ray sources in Gaia, 2MASS, AllWISE and CatWISE, with the probability that they are right.

Of all candidates around a source, from the CDS or TAP services, the likeliest is kept, by separation, density
of others, and magnitude, as NWAY does (Salvato et al. 2018, MNRAS 473, 4937).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.config.paths import get_cache_dir
from astropy.table import MaskedColumn, Table, vstack

from astro_xlatent.archive.query import asking, clients, run_tap
from astro_xlatent.archive.web import open_session
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, ParameterError, TableError
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
    """
    A catalog of counterparts; all names are the services' own.

    ``name`` stands before ``_n``, ``_angDist`` and ``_p_i``; ``position`` names right ascension and
    declination, ``sigma`` is their standard deviation in arcsec, ``columns`` are kept. ``tap`` is the setting
    with a TAP service's address; ``xmatch`` tells whether the cross-match service of the CDS has it, too.
    """

    name: str
    table: str
    position: tuple
    magnitude: str
    sigma: float
    columns: tuple
    tap: str = "vizier_tap_url"
    xmatch: bool = True


#: Surveys by the name under which they are asked for.
SURVEYS = {
    "gaia": Survey("gaia", "I/355/gaiadr3", ("RA_ICRS", "DE_ICRS"), "Gmag", 0.001, (
        "Source", "Gmag", "BPmag", "RPmag", "Plx", "e_Plx", "PM", "pmRA", "e_pmRA", "pmDE", "e_pmDE")),
    "tmass": Survey("tmass", "II/246/out", ("RAJ2000", "DEJ2000"), "Jmag", 0.1, (
        "2MASS", "Jmag", "e_Jmag", "Hmag", "e_Hmag", "Kmag", "e_Kmag")),
    "allwise": Survey("allwise", "II/328/allwise", ("RAJ2000", "DEJ2000"), "W1mag", 0.2, (
        "AllWISE", "W1mag", "e_W1mag", "W2mag", "e_W2mag", "W3mag", "e_W3mag")),
    "catwise": Survey("catwise", "II/365/catwise", ("RA_ICRS", "DE_ICRS"), "W1mproPM", 0.1, (
        "objID", "W1mproPM", "e_W1mproPM", "W2mproPM", "e_W2mproPM")),
    "gaia-esa": Survey("gaia", "gaiadr3.gaia_source", ("ra", "dec"), "phot_g_mean_mag", 0.001, (
        "source_id", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag", "parallax", "parallax_error",
        "pm", "pmra", "pmra_error", "pmdec", "pmdec_error"), tap="gaia_tap_url", xmatch=False),
}
DEFAULT = ("gaia", "tmass", "allwise")


def counterparts(table: Table, *, surveys: Sequence[str] = DEFAULT, service: str = "xmatch",
                 cache: Path | str | None = None, log: Callable[[str], None] | None = None) -> Table:
    """
    Add the likeliest counterpart in each survey to every row.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec`` (degrees, ICRS) and, if there is one, ``err_ellipse_r0`` or ``POS_ERR``.
    surveys : sequence of str, optional
        Of `SURVEYS`; ``"gaia-esa"`` is Gaia DR3 from its own archive instead of VizieR.
    service : {'xmatch', 'tap'}, optional
        The CDS cross-match service, or, always for what that lacks, the surveys' TAP services.
    cache : path-like, optional
        Folder of answers, so that a second call asks only for what is missing; by default in astropy's cache.
    log : callable, optional
        Receives lines on progress.

    Returns
    -------
    matched : `~astropy.table.Table`
        A copy with the surveys' columns under their own names, and for each survey ``NAME_n`` (candidates
        within 1 arcsec and the errors; masked where the row has no position), ``NAME_angDist`` (arcsec) and
        ``NAME_p_i`` (probability that it is the source's counterpart).

    Raises
    ------
    ParameterError
        If a survey or the service is unknown.
    TableError
        If positions are missing, or the table has some of the columns already.
    ArchiveError
        If the service cannot be reached or refuses; answers so far are kept.
    """
    unknown = [name for name in surveys if name not in SURVEYS]
    if unknown or service not in ("xmatch", "tap"):
        msg = (f"surveys {unknown} or service {service!r} unknown; allowed: {', '.join(SURVEYS)}, and "
               "'xmatch' or 'tap'")
        raise ParameterError(msg)
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
    for survey in (SURVEYS[name] for name in surveys):
        new = [*survey.columns, *(f"{survey.name}_{what}" for what in ("n", "angDist", "p_i"))]
        there = sorted({name.lower() for name in new} & {name.lower() for name in matched.colnames})
        if there:
            raise TableError(f"the table already has {', '.join(there)}; remove or rename them first")
        found = []
        for start in range(0, len(placed), CHUNK):
            rows = placed[start:start + CHUNK]
            found.append(_candidates(survey, service, Table({"xl_row": rows, "ra_x": ra[rows],
                                                             "dec_x": dec[rows]}), folder))
            if log is not None:
                log(f"{survey.name}: {start + len(rows)} of {len(placed)} sources")
        _add(matched, survey, _choose(found, survey, sigma, placed), placed)
    return matched


def _sigma(columns):
    """Standard deviation of every position in one coordinate, arcsec."""
    sigma = np.full(len(columns), np.nan)
    for name, factor in (("err_ellipse_r0", _TO_SIGMA), ("pos_err", 1.0), ("r0", _TO_SIGMA)):
        sigma = np.where(np.isfinite(sigma), sigma, factor * columns.number(name, u.arcsec))
    return np.where((sigma > 0) & (sigma < RADIUS), sigma, DEFAULT_SIGMA)


def _candidates(survey, service, positions, folder):
    """All objects of a survey around some positions, from the cache or the service."""
    by_xmatch = service == "xmatch" and survey.xmatch
    key = hashlib.sha256(f"{survey} {by_xmatch} {RADIUS}".encode())
    for name in positions.colnames:
        key.update(positions[name].tobytes())
    path = folder / f"{survey.name}-{key.hexdigest()[:24]}.fits"
    if path.is_file():
        return Table.read(path)
    try:
        answer = (_ask_xmatch if by_xmatch else _ask_tap)(survey, positions)
    except ArchiveError as error:
        msg = f"{error}; what came so far is kept: a second run asks for the rest only"
        raise ArchiveError(msg) from error
    found = Columns(answer)
    missing = [name for name in ("xl_row", "angDist", survey.magnitude) if name not in found]
    if missing:
        raise ArchiveError(f"the answer for {survey.table} lacks {', '.join(missing)}")
    names = [name for name in ("xl_row", "angDist", *survey.columns) if name in found]
    kept = Table({name: found.raw(name) for name in names})
    with replacing(path) as temporary:
        kept.write(temporary, format="fits", overwrite=True)
    return kept


def _ask_tap(survey, positions):
    """All pairs of uploaded positions and objects; in halves where the service cuts its answer."""
    ra, dec = (f's."{name}"' for name in survey.position)
    names = ", ".join(f's."{name}"' for name in survey.columns)
    table = f'"{survey.table}"' if "/" in survey.table else survey.table
    there, here = f"POINT('ICRS', {ra}, {dec})", "p.ra_x, p.dec_x"
    query = (f"SELECT p.xl_row, DISTANCE({there}, POINT('ICRS', {here})) * 3600.0 AS \"angDist\", {names} "
             f"FROM TAP_UPLOAD.positions AS p JOIN {table} AS s "
             f"ON 1 = CONTAINS({there}, CIRCLE('ICRS', {here}, {RADIUS / 3600!r}))")
    with open_session() as session:
        answer = run_tap(session, getattr(conf, survey.tap), query, uploads={"positions": positions})
    if not answer.cut:
        return answer.table
    if len(positions) == 1:
        msg = f"{answer.url}: the service cuts the list of objects around one source; use another service"
        raise ArchiveError(msg)
    middle = len(positions) // 2
    return vstack([_ask_tap(survey, part) for part in (positions[:middle], positions[middle:])])


def _ask_xmatch(survey, positions):
    service = clients().xmatch.XMatchClass()
    service.URL, service.TIMEOUT = conf.xmatch_url, conf.archive_timeout
    # It would fetch the list of 20,000 tables before every question.
    service.is_table_available = lambda table: isinstance(table, str)
    with open_session() as service._session, asking(conf.xmatch_url):
        return service.query(positions, f"vizier:{survey.table}", RADIUS * u.arcsec, colRA1="ra_x",
                             colDec1="dec_x", cache=False)


def match_probability(apart, spread, row, density, ratio) -> np.ndarray:
    """
    Probability of every candidate to be its source's counterpart; p_any x p_i in NWAY's terms.

    ``spread`` is the standard deviation in one coordinate of ``apart``, arcsec; ``row`` the candidate's
    source, ``density`` that of other objects in 1/arcsec2, ``ratio`` how much likelier its magnitude is for a
    counterpart than for others; all (n,). The probabilities of a source's candidates sum to at most one.
    """
    odds = np.exp(-0.5 * (apart / spread) ** 2) / (2 * np.pi * np.square(spread)) * ratio / density
    total = np.bincount(row, weights=odds)[row]
    return COMPLETENESS * odds / (COMPLETENESS * total + 1 - COMPLETENESS)


def _choose(found, survey, sigma, placed):
    """The likeliest candidate of every source, with number and probability."""
    found = vstack(found, metadata_conflicts="silent") if found else Table({"xl_row": [], "angDist": []})
    values = Columns(found)
    row = values.number("xl_row").astype(int)
    apart = values.number("angDist", u.arcsec)
    moved = np.nan_to_num(values.number("pm", u.mas / u.yr)) * EPOCH_SPREAD / 1000
    spread = np.sqrt(sigma[row] ** 2 + survey.sigma**2 + moved**2)
    ring = np.pi * (RADIUS**2 - INNER**2)
    outer = np.bincount(row[apart > INNER], minlength=len(sigma))
    # One source's ring holds few objects: half of the weight is the mean of all.
    density = (outer + max(outer.sum() / max(len(placed), 1), 0.01)) / (2 * ring)
    ratio = _magnitude_ratio(values.number(survey.magnitude), apart)
    chance = match_probability(apart, spread, row, density[row], ratio)
    near = apart <= np.maximum(1.0 + sigma[row] / _TO_SIGMA, 3 * spread)
    order = np.lexsort((-chance, row))
    order = order[near[order]]
    best = order[np.unique(row[order], return_index=True)[1]]
    chosen = found[best]
    chosen["xl_n"], chosen["xl_p_i"] = np.bincount(row[near], minlength=len(sigma))[row[best]], chance[best]
    return chosen


def _magnitude_ratio(magnitude, apart):
    """Ratio of the densities of magnitudes near sources and away from them; 1 where there are too few."""
    known = np.isfinite(magnitude)
    near, away = magnitude[(apart < 1) & known], magnitude[(apart > INNER) & known]
    if min(len(near), len(away)) < _FEWEST:
        return np.ones(len(magnitude))
    edges = np.quantile(np.concatenate([near, away]), np.linspace(0, 1, _MAGNITUDE_BINS + 1))
    shares = [(np.histogram(part, edges)[0] + 1) / (len(part) + _MAGNITUDE_BINS) for part in (near, away)]
    cell = np.clip(np.searchsorted(edges, magnitude) - 1, 0, _MAGNITUDE_BINS - 1)
    return np.where(known, np.clip(shares[0] / shares[1], 0.1, 10.0)[cell], 1.0)


def _add(table, survey, chosen, placed):
    """Put the chosen candidates into the table's rows."""
    rows = np.asarray(chosen["xl_row"], int)
    own = {f"{survey.name}_angDist": "angDist", f"{survey.name}_p_i": "xl_p_i"}
    for name, source in (dict(zip(survey.columns, survey.columns)) | own).items():
        values = chosen[source] if source in chosen.colnames else np.zeros(0)
        table[name] = MaskedColumn(np.zeros(len(table), values.dtype), mask=True,
                                   unit=getattr(values, "unit", None))
        if len(values):
            table[name][rows] = values
    table[f"{survey.name}_angDist"].unit = u.arcsec
    number = MaskedColumn(np.zeros(len(table), np.int32), mask=True)
    number[placed] = 0
    number[rows] = chosen["xl_n"]
    table[f"{survey.name}_n"] = number
