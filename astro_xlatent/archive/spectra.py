# Licensed under a 3-clause BSD style license - see LICENSE
"""Spectra with their responses, for the rows of a catalog."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from astropy.config import get_cache_dir

from astro_xlatent.archive import csc_files, erass_files
from astro_xlatent.archive.manifest import FAILED, MISSING, Manifest
from astro_xlatent.archive.web import open_session
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.files import remove_leftovers
from astro_xlatent.missions._columns import Columns

__all__ = ["default_folder", "fetch_spectra"]

_FILES = {"csc": csc_files, "erosita": erass_files}


def default_folder(mission):
    """Where spectra of ``"csc"`` or ``"erosita"`` are kept if no folder is given: in astropy's cache."""
    return Path(get_cache_dir("astro_xlatent")) / "archive" / mission


def fetch_spectra(table, folder=None, *, mission=None, products=None, progress=False):
    """
    Fetch the spectra of a catalog's rows, with ARF and RMF.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Detections of the CSC (``obsid``, ``obi``, ``region_id``) or sources of eRASS1 (``DETUID``).
    folder : path-like, optional
        Made if it does not exist; in astropy's cache if not given (see `default_folder`). Files that are
        there are checked and kept, only what is missing is fetched, and nothing is overwritten.
    mission : {'csc', 'erosita'}, optional
        Told by the columns if not given.
    products : sequence of str, optional
        CSC: ``"spectrum"``, ``"arf"``, ``"rmf"`` (these by default), ``"regevt3"`` (events) and ``"srcreg"``
        (regions). eRASS1: ``"spectrum"``, ``"background"``, ``"arf"``, ``"rmf"`` (these by default) and
        ``"lightcurve"``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    manifest : `~astropy.table.Table`
        One row a file: ``object``, ``product``, ``file``, ``url``, ``size``,
        ``sha256``, ``status`` (``fetched``, ``present``, ``missing``,
        ``failed``) and ``reason``. Also in the folder, as ``manifest.ecsv``.

    Raises
    ------
    ParameterError, TableError
        If an argument is bad, or the table names no detection at all. What an
        archive does wrong is a row of the manifest.

    Examples
    --------
    >>> from astro_xlatent.archive import fetch_catalog, fetch_spectra
    >>> rows = fetch_catalog("csc-detections", cone=("10.68", "41.27", "1arcmin"))  # doctest: +SKIP
    >>> fetch_spectra(rows, "m31")["status"]  # doctest: +SKIP
    """
    mission, products = _checked(table, mission, products)
    keys, bad = _FILES[mission].read_keys(table)
    folder = default_folder(mission) if folder is None else Path(folder)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; give the name of a folder"
        raise ParameterError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    manifest = Manifest(folder)
    for name, reason in bad.items():
        for product in products:
            manifest.add(name, product, MISSING, reason=reason)
    try:
        with open_session() as session:
            _run(_FILES[mission].jobs(session, folder, manifest, keys, products), mission, manifest, progress)
    finally:
        # Also after an interruption: what came so far is known to the next call.
        manifest.write()
    return manifest.table()


def _checked(table, mission, products):
    """Mission and products, told by the table where they are not given."""
    if mission is None:
        cols = Columns(table)
        mission = "erosita" if "detuid" in cols and "obsid" not in cols else "csc"
    if mission not in _FILES:
        msg = f"mission must be csc or erosita to fetch spectra, got {mission!r}"
        raise ParameterError(msg)
    if len(table) == 0:
        msg = "the table has no rows, there is nothing to fetch"
        raise TableError(msg)
    known = _FILES[mission].PRODUCTS
    products = _FILES[mission].DEFAULTS if products is None else tuple(dict.fromkeys(products))
    unknown = [product for product in products if product not in known]
    if unknown or not products:
        msg = f"products of {mission} are {', '.join(known)}; got {', '.join(unknown) or 'none'}"
        raise ParameterError(msg)
    return mission, products


def _run(jobs, mission, manifest, progress):
    from tqdm import tqdm

    sizes = [len({name for name, _ in objects}) for objects, _ in jobs]
    with (tqdm(total=sum(sizes), unit="objects", desc=mission, disable=not progress) as bar,
          ThreadPoolExecutor(conf.archive_connections) as pool):
        running = [pool.submit(job) for _, job in jobs]
        try:
            for (objects, _), size, job in zip(jobs, sizes, running, strict=True):
                # A full disk, or what nobody thought of: one source never stops the others.
                if error := job.exception():
                    for name, product in objects:
                        manifest.add(name, product, FAILED, reason=error)
                bar.update(size)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
