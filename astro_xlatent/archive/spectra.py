# Licensed under a 3-clause BSD style license - see LICENSE
"""Spectra with their responses, for the rows of a catalog."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from astropy.config import get_cache_dir
from requests import codes

from astro_xlatent.archive import csc_files, erass_files
from astro_xlatent.archive.manifest import FAILED, MISSING, PRESENT, Manifest
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.archive.web import StatusError, download, open_session
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, ParameterError, TableError
from astro_xlatent.core.files import building_folder, remove_leftovers
from astro_xlatent.missions._columns import Columns

__all__ = ["fetch_spectra"]

_FILES = {"csc": csc_files, "erosita": erass_files}


def fetch_spectra(table, folder=None, *, mission=None, products=None, progress=False):
    """
    Fetch the spectra of a catalog's rows, with ARF and RMF.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Detections of the CSC (``obsid``, ``obi``, ``region_id``) or sources of eRASS1 (``DETUID``).
    folder : path-like, optional
        By default in astropy's cache. Files that are there are checked and kept, nothing is overwritten.
    mission : {'csc', 'erosita'}, optional
        Told by the columns if not given.
    products : sequence of str, optional
        By default ``"spectrum"``, ``"arf"``, ``"rmf"``, for eRASS1 also ``"background"``. Further ones, CSC:
        ``"regevt3"`` (events), ``"srcreg"`` (regions); eRASS1: ``"lightcurve"``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    manifest : `~astropy.table.Table`
        One row a file: ``object``, ``product``, ``file``, ``url``, ``size``, ``sha256``, ``status``
        (``fetched``, ``present``, ``missing``, ``failed``) and ``reason``; also ``manifest.ecsv`` in the
        folder, which ``meta`` tells.

    Raises
    ------
    ParameterError, TableError
        For a bad argument, or no detection at all; an archive's failures are rows of the manifest.

    Examples
    --------
    >>> from astro_xlatent.archive import fetch_catalog, fetch_spectra
    >>> rows = fetch_catalog("csc-detections", cone=("10.68", "41.27", "1arcmin"))  # doctest: +SKIP
    >>> fetch_spectra(rows, "m31")["status"]  # doctest: +SKIP
    """
    mission, products = _checked(table, mission, products)
    keys, bad = _FILES[mission].read_keys(table)
    folder = Path(folder or Path(get_cache_dir("astro_xlatent")) / "archive" / mission)
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file; give the name of a folder")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    manifest = Manifest(folder)
    for name, reason in bad.items():
        for product in products:
            manifest.add(name, product, MISSING, reason=reason)
    try:
        with open_session() as session:
            _run(_jobs(session, folder, manifest, mission, keys, products), mission, manifest, progress)
    finally:
        # Also after an interruption: what came so far is known to the next call.
        manifest.write()
    table = manifest.table()
    table.meta["FOLDER"] = str(folder)
    return table


def _checked(table, mission, products):
    """Mission and products, told by the table where they are not given."""
    if mission is None:
        cols = Columns(table)
        mission = "erosita" if "detuid" in cols and "obsid" not in cols else "csc"
    if mission not in _FILES:
        raise ParameterError(f"mission must be csc or erosita to fetch spectra, got {mission!r}")
    if len(table) == 0:
        raise TableError("the table has no rows, there is nothing to fetch")
    known = _FILES[mission].PRODUCTS
    products = _FILES[mission].DEFAULTS if products is None else tuple(dict.fromkeys(products))
    unknown = [product for product in products if product not in known]
    if unknown or not products:
        msg = f"products of {mission} are {', '.join(known)}; got {', '.join(unknown) or 'none'}"
        raise ParameterError(msg)
    return mission, products


def _jobs(session, folder, manifest, mission, keys, products):
    """What is to be done, as pairs of [(object, product), ...] and a function; what is there is noted."""
    files, there, wanted = _FILES[mission], {}, []
    for path in sorted(folder.glob(files.FILES.format(key="*", name="*"))):
        there.setdefault(files.file_key(path), []).append(path)
    for key in keys:
        missing = []
        for product in products:
            found = there.get((key, product), [])
            whole = [path for path in found if manifest.is_whole(path)]
            for path in whole:
                manifest.add(key, product, PRESENT, path=path)
            if not found or len(whole) < len(found):
                missing.append((key, product))
        if missing:
            wanted.append(missing)
    size = conf.archive_batch if files.BATCHED else 1
    groups = [sum(wanted[k : k + size], []) for k in range(0, len(wanted), size)]
    return [(group, partial(_fetch, session, folder, manifest, files, group)) for group in groups]


def _fetch(session, folder, manifest, files, pairs):
    """Fetch some (object, product) pairs; never raises for what an archive does."""
    url, keys = files.request(pairs)[0], list(dict.fromkeys(key for key, _ in pairs))
    try:
        url, done = _fetch_tar(session, folder, manifest, files, pairs)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == codes.not_found
        if unknown and len(keys) > 1:
            # One unknown object spoils the whole answer: halves find it in few requests.
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                _fetch(session, folder, manifest, files, [pair for pair in pairs if pair[0] in half])
        else:
            for key, product in pairs:
                manifest.add(key, product, MISSING if unknown else FAILED, url=url, reason=error)
        return
    for key, product in pairs:
        if (key, product) not in done and files.BATCHED and len(pairs) > 1:
            # What is lacking or damaged is asked for alone.
            _fetch(session, folder, manifest, files, [(key, product)])
        elif (key, product) not in done:
            manifest.add(key, product, MISSING, url=url, reason=f"the archive has no {product} of it")


def _fetch_tar(session, folder, manifest, files, pairs):
    """Fetch what one request brings: the address that answered, and the pairs that are settled."""
    done, (url, params) = set(), files.request(pairs)
    with building_folder(folder) as building:
        # Of eRASS1, the folder's name is the source's.
        tar, unpacked = building / "answer.tar", building / pairs[0][0]
        unpacked.mkdir()
        url = download(session, url, tar, params)
        for path in unpack_tar(tar, unpacked):
            pair = files.file_key(path)
            # What was not asked for is dropped.
            if pair not in pairs:
                continue
            target, alone = folder / files.FILES.format(key=pair[0], name=path.name), url
            if params:
                # Noted with the address that gives this file alone.
                words = files.request([pair])[1].items()
                alone = f"{url.partition('?')[0]}?" + "&".join(f"{name}={value}" for name, value in words)
            if manifest.store(path, target, *pair, alone) or not files.BATCHED or len(pairs) == 1:
                done.add(pair)
    return url, done


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
