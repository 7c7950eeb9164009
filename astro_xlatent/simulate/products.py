# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated catalogs on disk: tables, and OGIP spectra in ``spectra/`` under the missions' own file names. ARFs
are written once per camera, year and 3 arcmin of off-axis angle, redistribution matrices once per camera.
"""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.files import building_folder
from astro_xlatent.simulate.catalog import catalog_part, observed_chunks
from astro_xlatent.simulate.conditions import CONDITIONS, ROWS_PER_OBSERVATION, arf_area
from astro_xlatent.simulate.rows import make_table, truth_columns
from astro_xlatent.simulate.rows_csc import FIRST_OBSID
from astro_xlatent.simulate.rows_erosita import source_numbers, tiles
from astro_xlatent.simulate.rows_xmm import FIRST_OBS_ID
from astro_xlatent.spectra._write import spectrum_table, write_response
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["CATALOG_NAME", "TRUTH_NAME", "spectrum_names", "write_catalog"]

CATALOG_NAME, TRUTH_NAME = "catalog.fits", "truth.fits"
#: Bytes of a block of a FITS file.
_BLOCK = 2880


def write_catalog(folder, n, mission, *, seed=1, classes=None, spectra=True, overwrite=False, progress=False):
    """
    Simulate a catalog and write it.

    Parameters
    ----------
    folder : str or path-like
        Made if it does not exist.
    n, mission, seed, classes
        As for `astro_xlatent.simulate.batch`.
    spectra : bool, optional
        Also write a spectrum for every row.
    overwrite : bool, optional
        In a folder that is not empty, replace files of the same names; all others stay.
    progress : bool, optional

    Returns
    -------
    catalog : pathlib.Path
        It appears last, when all else is complete.

    Raises
    ------
    ParameterError, MissionError, TableError
        With the allowed values; if the folder cannot be used.
    """
    chunks = observed_chunks(seed, n, missions={mission: 1.0}, classes=classes)
    folder = Path(folder)
    _check_folder(folder, overwrite)
    with building_folder(folder.parent) as building:
        meta = {"SIMSEED": seed, "SIMULATE": True, "MISSION": mission}
        _build(building, n, chunks, meta, spectra, progress)
        _publish(building, folder)
    return folder / CATALOG_NAME


def _check_folder(folder, overwrite):
    if folder.exists() and not folder.is_dir():
        raise TableError(f"{folder} is a file; give the name of a folder")
    if not folder.parent.is_dir():
        raise TableError(f"{folder.parent}: no such folder; make it first")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        whole = (folder / CATALOG_NAME).exists()
        cut = "" if whole else f" and holds no {CATALOG_NAME}: a run may have been cut"
        raise TableError(f"{folder} is not empty{cut}; pass overwrite=True or choose another folder")


def _publish(building, folder):
    """Move the files into place, the catalog last; a former one never stands beside new spectra."""
    (folder / CATALOG_NAME).unlink(missing_ok=True)
    files = sorted(p.relative_to(building) for p in building.rglob("*") if p.is_file())
    for name in sorted(files, key=lambda path: path.name == CATALOG_NAME):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (building / name).replace(folder / name)


def _build(folder, n, chunks, meta, spectra, progress):
    from tqdm import tqdm

    (folder / "spectra").mkdir()
    rows = []
    with tqdm(total=n, disable=not progress, unit="sources", desc="simulate") as bar:
        for parts in chunks:
            rows += [(o.row, catalog_part(o), truth_columns(o)) for o in parts]
            for observed in parts:
                wanted = np.flatnonzero(observed.row < n)
                if spectra:
                    _write_responses(folder / "spectra", observed, wanted)
                    _write_spectra(folder / "spectra", observed, wanted, bar)
                else:
                    bar.update(len(wanted))
    for name, part in ((TRUTH_NAME, 2), (CATALOG_NAME, 1)):
        table = make_table([(row[0], row[part]) for row in rows])[:n]
        table.meta.update(meta)
        table.write(folder / name)


def spectrum_names(observed):
    """Names of the rows' files of spectra and backgrounds (None: the same), as the missions name theirs."""
    number = 1 + observed.row % ROWS_PER_OBSERVATION
    which = observed.pointings.observation
    if observed.mission == "csc":
        return [(f"acisf{FIRST_OBSID + k}_000N001_r{r:04d}_pha3.fits.gz", None)
                for k, r in zip(which, number, strict=True)]
    if observed.mission == "erosita":
        stems = [(f"em01_{tile}_020_", f"_{k:05d}.fits.gz")
                 for tile, k in zip(tiles(observed), source_numbers(observed), strict=True)]
        return [(f"{head}SourceSpec{tail}", f"{head}BackgrSpec{tail}") for head, tail in stems]
    camera = "PN" if observed.detector.name == "xmm-pn" else "M1"
    stems = [(f"P{FIRST_OBS_ID + k}{camera}S001", f"{r:04X}.fits.gz")
             for k, r in zip(which, number, strict=True)]
    return [(f"{head}SRSPEC{tail}", f"{head}BGSPEC{tail}") for head, tail in stems]


def _write_responses(folder, observed, wanted):
    """Write the responses that are not there yet."""
    fraction = CONDITIONS[observed.mission].aperture_fraction
    for label in sorted(set(observed.pointings.arf[wanted].tolist())):
        arf, rmf = folder / f"{label}.arf.gz", folder / f"{observed.detector.name}.rmf.gz"
        if not arf.exists():
            response = replace(observed.detector.response, area=arf_area(label, fraction).astype(float))
            write_response(response, arf, None if rmf.exists() else rmf)


def _write_spectra(folder, observed, wanted, bar):
    make, p = _Extensions(observed.detector.response), observed.pointings
    dates = Time(p.epoch, format="decimalyear", scale="utc").isot
    names = spectrum_names(observed)
    for k in wanted:
        # as in the Chandra Source Catalog, spectra that hold their background name themselves
        name, background = names[k]
        # a share of 10 x 10 arcmin; only the ratio of the two matters
        area = p.aperture[k] / 600.0**2
        common = {"EXPOSURE": p.exposure[k], "ANCRFILE": f"{p.arf[k]}.arf.gz",
                  "RESPFILE": f"{observed.detector.name}.rmf.gz", "OBJECT": f"SIM {observed.row[k]}",
                  "DATE-OBS": str(dates[k])[:19]}
        link = {"BACKSCAL": area, "BACKFILE": background or name}
        source = make("TOTAL", observed.counts[k], common | link)
        off = make("BKG", observed.off_counts[k], common | {"BACKSCAL": area / p.scale[k]})
        for path, parts in {background: [off], name: [source] if background else [source, off]}.items():
            if path:
                whole = b"".join([make.primary, *parts])
                (folder / path).write_bytes(gzip.compress(whole, compresslevel=6, mtime=0))
        bar.update()


class _Extensions:
    """Extensions of many spectra of one detector, fast: of headers made once only some values change."""

    def __init__(self, response):
        first, n = response.first_channel, response.n_channels
        self._table = np.zeros(n, [("CHANNEL", ">i4"), ("COUNTS", ">i4")])
        self._table["CHANNEL"] = np.arange(first, first + n)
        # one count, else the writer could not tell that counts are whole
        spectrum = XraySpectrum(np.ones(n), exposure=1.0, channel=self._table["CHANNEL"].astype(int),
                                telescope=response.telescope, instrument=response.instrument)
        self._headers = {kind: spectrum_table(spectrum, kind, {})[0].header for kind in ("TOTAL", "BKG")}
        primary = fits.PrimaryHDU().header
        primary["EXTEND"] = True
        self.primary = primary.tostring().encode("ascii")

    def __call__(self, kind, counts, keywords):
        """Bytes of an extension with whole counts per channel and values of its header."""
        self._headers[kind].update(keywords)
        self._table["COUNTS"] = counts
        data = self._table.tobytes()
        return self._headers[kind].tostring().encode("ascii") + data + bytes(-len(data) % _BLOCK)
