# Licensed under a 3-clause BSD style license - see LICENSE
"""Catalogs by cone, region or name."""

import warnings
from datetime import UTC, datetime

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import vstack

from astro_xlatent.archive.areas import Cone, cones_around, parse_cone
from astro_xlatent.archive.arrange import arrange_columns
from astro_xlatent.archive.catalogs import get_catalog
from astro_xlatent.archive.query import ask
from astro_xlatent.archive.web import open_session
from astro_xlatent.core.errors import ArchiveError, ParameterError, TableError, XlatentWarning
from astro_xlatent.events.regions import read_region
from astro_xlatent.events.sky_regions import inside_region
from astro_xlatent.missions._columns import Columns, name_columns
from astro_xlatent.missions.base import get_mission

__all__ = ["fetch_catalog"]

#: Names in one query.
NAMES_PER_QUERY = 100


def fetch_catalog(catalog="csc", *, cone=None, regions=None, names=None, max_rows=None, progress=False):
    """
    Fetch the rows of a catalog in a cone, in regions, or with given names.

    Parameters
    ----------
    catalog : str, optional
        A key of `~astro_xlatent.archive.catalogs.CATALOGS`: ``"csc"`` (sources), ``"csc-detections"`` (single
        observations, with what `~astro_xlatent.archive.fetch_spectra` needs), ``"erass1"``, and others.
    cone : `~astro_xlatent.archive.areas.Cone` or (ra, dec, radius), optional
        Strings, degrees or quantities; the radius with a unit.
    regions : path-like, regions.SkyRegion, regions.Regions or sequence, optional
        Sky regions, or a file of them, see `~astro_xlatent.events.regions.read_region`. The archive is asked
        for cones around the included shapes; rows outside the region itself are left out.
    names : sequence of str, optional
        In the catalog's form, such as ``"2CXO J004244.3+411608"``.
    max_rows : int, optional
        Rows of one answer, at most.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    table : `~astropy.table.Table`
        Each source once, columns arranged by `~astro_xlatent.archive.arrange.arrange_columns`; ``meta`` tells
        archive, address and time.

    Raises
    ------
    ParameterError, RegionError
        If not exactly one of cone, regions and names is given, or it cannot be used.
    ArchiveError
        If no question was answered.

    Warns
    -----
    XlatentWarning
        If questions failed, names were not found, an answer was cut, or columns are not recognized.

    Examples
    --------
    >>> from astro_xlatent.archive import fetch_catalog
    >>> table = fetch_catalog("csc", cone=("10.68", "41.27", "2arcmin"))  # doctest: +SKIP
    """
    chosen = get_catalog(catalog)
    if sum(given is not None for given in (cone, regions, names)) != 1:
        raise ParameterError("fetch_catalog takes exactly one of cone, regions and names")
    if max_rows is not None and int(max_rows) < 1:
        raise ParameterError(f"max_rows must be 1 or more, got {max_rows!r}")
    region = read_region(regions) if regions is not None else None
    names = _check_names(chosen, names) if names is not None else None
    cones = cones_around(region) if region else [_one_cone(cone)] if cone else None
    answers = _gather(chosen, _questions(chosen, cones, names), max_rows, progress)
    return _finish(answers, chosen, region, names)


def _one_cone(cone):
    if isinstance(cone, Cone):
        return cone
    try:
        return parse_cone(*cone)
    except TypeError as error:
        raise ParameterError(f"cone must be a Cone or (ra, dec, radius), got {cone!r}") from error


def _check_names(chosen, names):
    checked = [chosen.check_name(name) for name in ([names] if isinstance(names, str) else names)]
    if not checked:
        raise ParameterError("names is empty; give at least one")
    return list(dict.fromkeys(checked))


def _questions(chosen, cones, names):
    """Cones or groups of names, one for each request."""
    if cones is not None:
        return cones
    if chosen.service == "mpe":
        return [chosen.cone_of_name(name) for name in names]
    return [names[k : k + NAMES_PER_QUERY] for k in range(0, len(names), NAMES_PER_QUERY)]


def _gather(chosen, questions, max_rows, progress):
    """All answers, one after the other; failures are warned of, unless there is nothing else."""
    from tqdm import tqdm

    answers, failures = [], []
    with open_session() as session:
        for question in tqdm(questions, unit="queries", desc=chosen.key, disable=not progress):
            try:
                answers.append(ask(session, chosen, question, max_rows))
            except ArchiveError as error:
                failures.append(error)
    if not answers:
        raise failures[0]
    if failures:
        msg = (f"{len(failures)} of {len(questions)} queries failed, the rows are incomplete; "
               f"the first: {failures[0]}")
        warnings.warn(msg, XlatentWarning, stacklevel=3)
    return answers


def _finish(answers, chosen, region, names):
    """One table of all answers: arranged, filtered, each source once."""
    cut = [answer for answer in answers if answer.cut]
    if cut:
        msg = (f"{chosen.title} cut its answer after {len(cut[0].table)} rows; ask for a smaller part of the "
               "sky")
        warnings.warn(msg, XlatentWarning, stacklevel=3)
    tables = [arrange_columns(answer.table, chosen.mission) for answer in answers]
    table = vstack([rows for rows in tables if len(rows)] or tables[:1], metadata_conflicts="silent")
    if len(table):
        table = _once(table, chosen)
        if region is not None:
            sky = SkyCoord(*(Columns(table).number(name, "deg") for name in ("ra", "dec")), unit="deg")
            table = table[inside_region(region, sky.cartesian.xyz.value.T)]
    if names is not None:
        table = _only_names(table, chosen, names)
    if len(table):
        try:
            with np.errstate(all="ignore"):
                get_mission(chosen.mission).read_bands(table[:0])
        except TableError as error:
            msg = f"{chosen.title}: add_latents will not find the bands: {error}"
            warnings.warn(msg, XlatentWarning, stacklevel=3)
    table.meta = {"ARCHIVE": chosen.title, "ARCHURL": answers[0].url[:500],
                  "ARCHDATE": datetime.now(UTC).isoformat(timespec="seconds"), "MISSION": chosen.mission}
    return table


def _once(table, chosen):
    """Rows that several answers hold, once."""
    cols = Columns(table)
    missing = [name for name in (chosen.name_column, "ra", "dec") if name not in cols]
    if missing:
        raise ArchiveError(f"{chosen.title} sent no column {missing[0]!r}; it sent {name_columns(table)}")
    keys = [chosen.name_column, *(key for key in ("obsid", "obi", "region_id") if key in cols)]
    rows = zip(*(np.ma.asarray(cols.raw(key)).tolist() for key in keys), strict=True)
    first = {}
    for number, row in enumerate(rows):
        first.setdefault(row, number)
    return table[list(first.values())]


def _only_names(table, chosen, names):
    """Rows with the names asked for; the others are named in a warning."""
    have = [" ".join(name.split()) for name in Columns(table).text_exact(chosen.name_column).tolist()]
    missing = [name for name in names if name not in set(have)]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        msg = f"{chosen.title} has no {', '.join(missing[:5])}{more}"
        warnings.warn(msg, XlatentWarning, stacklevel=4)
    return table[np.isin(have, names)] if len(table) else table
