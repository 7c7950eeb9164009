# Licensed under a 3-clause BSD style license - see LICENSE
"""
Tables from and to files, by their suffix, which is never guessed; folders are read where they are a HATS
catalog. A file appears under its name only when it is complete.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io.ascii import convert_numpy
from astropy.io.fits.verify import VerifyWarning
from astropy.table import Column, Table, vstack
from astropy.units import UnitsWarning

from astro_xlatent.core.columns import element_names, own_columns
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.files import check_input, check_output, replacing
from astro_xlatent.core.provenance import PROVENANCE_KEYS
from astro_xlatent.core.silence import quiet
from astro_xlatent.table.limits import check_amount
from astro_xlatent.table.storage import fill_empty, mend_columns, storable_columns

__all__ = ["flatten_vectors", "read_table", "write_table"]

#: Suffix of a file and the astropy format it stands for.
SUFFIXES = {
    ".fits": "fits", ".fit": "fits", ".fts": "fits",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".tsv": "ascii.tab",
    ".parquet": "parquet", ".pq": "parquet",
}


def table_format(path: str | Path, *, writing: bool = False) -> str:
    """Format of a table file for astropy, by its suffix; a further .gz is allowed where that can be."""
    name = Path(path).name.lower()
    packed = name.endswith(".gz")
    form = SUFFIXES.get(Path(name.removesuffix(".gz")).suffix)
    if form is None:
        raise ParameterError(f"{path}: the suffix says no table format; allowed: {', '.join(SUFFIXES)}")
    if packed and (form == "parquet" or (writing and form != "fits")):
        raise ParameterError(f"{path}: a {form.removeprefix('ascii.')} table cannot be "
                             f"{'written' if writing else 'read'} as .gz; leave out .gz")
    return form


def _harmless():
    from astropy.io.votable.exceptions import VOWarning

    # Archives use unit strings outside the standard (kept as they are) and slightly irregular VOTables; long
    # keys of meta become HIERARCH cards. Undefined logicals are masked once the table is read.
    return quiet(UnitsWarning, VOWarning, VerifyWarning, ".*contains NULL")


def read_table(path: str | Path, hdu: str | int | None = None, *, text: Sequence[str] = ()) -> Table:
    """
    Read a table; the suffix tells the format.

    Parameters
    ----------
    path : str or `~pathlib.Path`
        A FITS, VOTable, ECSV, CSV, TSV or Parquet file, or a folder in the HATS format. ``FILE[NAME]`` names
        one of several tables in a file.
    hdu : str or int, optional
        Name or number of the HDU in FITS (default the first table); name, ID or number from 0 in VOTable.
    text : sequence of str, optional
        Columns of a CSV or TSV file that are text whatever they hold.

    Returns
    -------
    table : `~astropy.table.Table`
        Text columns hold str. Empty text is masked but for Parquet, NaN in FITS and VOTable; digits with
        leading zeros in CSV stay text. Foreign Parquet's structures and lists of varying length are left out.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the suffix says no table format.
    `~astro_xlatent.core.errors.TableError`
        If the file is missing, cannot be read as that format, or would take far more memory than it has bytes
        (see ``conf.table_max_mb``).
    """
    path, hdu, form = find_table(path, hdu)
    path = path if find_catalog(path) else check_input(path, error=TableError)
    if hdu is not None and form not in ("fits", "votable"):
        msg = f"{path}: only FITS and VOTable files hold several tables; leave out the name {hdu!r}"
        raise ParameterError(msg)
    with _told(path, f"cannot be read as a {form} table"), _harmless():
        if path.is_file():
            check_amount(path, form)
        table = _read(path, form, hdu, text)
        mend_columns(table, path, form, hdu, text)
    return table


@contextmanager
def _told(path, what):
    try:
        yield
    except TableError:
        raise
    except ImportError as error:
        raise TableError(f'{path}: {error}; install it with: pip install "astro_xlatent[parquet]"') from error
    except Exception as error:
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TableError(f"{path}: {what}: {text}") from error


def find_table(path: str | Path, hdu: str | int | None) -> tuple[Path, str | int | None, str]:
    """Path, name and format of a table that may be given as ``FILE[NAME]``; a number becomes an int."""
    found = re.fullmatch(r"(.+)\[([^\[\]]+)\]", str(path))
    if found and hdu is None and not Path(path).exists():
        path, hdu = found.groups()
    catalog = find_catalog(Path(path))
    return (catalog or Path(path), int(hdu) if isinstance(hdu, str) and hdu.isdigit() else hdu,
            "parquet" if catalog else table_format(path))


def find_catalog(path: Path) -> Path | None:
    """The folder of the rows of a HATS catalog, or of the main one of a collection; None if it is none."""
    if (path / "collection.properties").is_file():
        lines = (path / "collection.properties").read_text(encoding="utf-8").splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        path = path / told.get("hats_primary_table_url", "").strip()
    return path if any((path / name).is_file() for name in ("hats.properties", "properties")) else None


def is_catalog(path: str | Path, out: Path) -> bool:
    """Whether a HATS catalog is to become another one, and not a file."""
    return find_catalog(Path(path)) is not None and Path(out.name.removesuffix(".gz")).suffix not in SUFFIXES


def _read(path, form, hdu, text):
    if form == "votable":
        return _read_votable(path, hdu)
    if form == "parquet":
        return _read_parquet(path)
    if form == "ascii.ecsv" and (source := fill_empty(path)) is not None:
        return Table.read(source, format=form)[:0]
    options = {} if hdu is None else {"hdu": hdu}
    if text:
        options["converters"] = {name: [convert_numpy(str)] for name in text}
    return Table.read(path, format=form, **options)


def _read_parquet(path):
    """By astropy what it wrote, for it has masks and times in columns of their own."""
    from astro_xlatent.table.arrow import ArrowRows, table_from_arrow

    rows = ArrowRows(path)
    if path.is_file() and not rows.native:
        return Table.read(path, format="parquet")
    found = [read_table(file) for file in rows.files.values()] if not rows.native else [
        table_from_arrow(block.replace_schema_metadata(rows.schema.metadata))
        for _, block in rows.blocks(None)]
    if rows.broken:
        raise rows.broken[0][1]
    return vstack(found, metadata_conflicts="silent")


def _read_votable(path, name):
    """One of the tables in a VOTable; the IDs of CSCview's fields are col0, col1, ...: their names tell."""
    from astropy.io.votable import parse

    votable = parse(str(path))
    tables = [t for t in votable.iter_tables() if t.fields]
    chosen = [t for k, t in enumerate(tables) if name is None or name in (k, t.name, t.ID)]
    if len(chosen) != 1:
        listed = ", ".join(f"{k}: {t.name or t.ID}" for k, t in enumerate(tables))
        msg = f"{path}: give FILE[NAME] or hdu= with the name or number of one table; there are {listed}"
        raise TableError(msg)
    table = chosen[0].to_table(use_names_over_ids=True)
    infos = (info for place in (votable, *votable.resources) for info in place.infos)
    table.meta.update({info.name: info.value for info in infos if info.name in PROVENANCE_KEYS})
    return table


def flatten_vectors(table: Table) -> Table:
    """
    Split vector columns into one column for each element, as CSV needs it.

    ``xl_latent`` becomes ``xl_latent_0`` to ``xl_latent_7``, ``xl_class_prob`` becomes
    ``xl_class_prob_AGN`` and so on (a hyphen of a class name becomes an underscore). The columns of the
    new table have full precision and their masks. A `~astro_xlatent.core.errors.TableError` is raised
    if an element's name is already that of another column.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.table.files import flatten_vectors
    >>> flatten_vectors(Table({"v": [[1, 2], [3, 4]]})).colnames
    ['v_0', 'v_1']
    """
    flat = Table()
    for name in table.colnames:
        column = table[name]
        shape = column.shape[1:]
        for index, element in zip(np.ndindex(*shape), element_names(name, shape), strict=True):
            if element in flat.colnames or (shape and element in table.colnames):
                msg = f"column {element!r} exists already; rename it, or write ECSV, which holds vectors"
                raise TableError(msg)
            flat[element] = column[(slice(None), *index)] if shape else column
            # The format is for the screen; CSV would write no more digits than it shows.
            flat[element].info.format = None
    return flat


def with_columns(table: Table, columns: Mapping[str, Column], meta: Mapping) -> Table:
    """A copy of a table with columns in the place of those of an earlier run, and metadata."""
    enriched = table.copy()
    enriched.remove_columns(own_columns(enriched.colnames))
    for name, column in columns.items():
        enriched[name] = column
    enriched.meta.update(meta)
    return enriched


def _without_formulas(flat):
    """Quote reasons that a spreadsheet would run: they may begin with a stranger's file name."""
    if "xl_reason" in flat.colnames:
        reasons = map(str, flat["xl_reason"])
        flat["xl_reason"] = [f"'{text}" if text.startswith(tuple("=+-@")) else text for text in reasons]
    return flat


def _write_votable(table, path):
    """Write VOTable with the metadata, which ``Table.write`` drops, as INFO elements."""
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    votable = from_table(table)
    votable.resources[0].infos.extend(Info(name=str(key), value=str(value)) for key, value in
                                      table.meta.items() if isinstance(value, str | int | float))
    # astropy's writer in C ends a row of just 256, 512, ... bytes one byte behind its memory.
    votable.to_xml(str(path), _debug_python_based_parser=True)


def write_table(table: Table, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write a table; the suffix tells the format, and no reader ever meets half a file.

    Parameters
    ----------
    table : `~astropy.table.Table`
        In CSV, vector columns are split (see `flatten_vectors`) and units and descriptions are lost; VOTable
        keeps scalar metadata as INFO. Read again, values, types and masks are as before (see
        `~astro_xlatent.table.storage` for what formats cannot tell apart).
    path : str or `~pathlib.Path`
    overwrite : bool, optional

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the suffix says no table format.
    `~astro_xlatent.core.errors.TableError`
        If the file exists, or the table cannot be written in that format.
    """
    form = table_format(path, writing=True)
    path = check_output(path, overwrite, error=TableError)
    with (_told(path, f"the table cannot be written as {form}"), replacing(path) as temporary, _harmless()):
        table = storable_columns(table, form)
        if form == "votable":
            _write_votable(table, temporary)
        elif form in ("ascii.csv", "ascii.tab"):
            _without_formulas(flatten_vectors(table)).write(temporary, format=form)
        else:
            table.write(temporary, format=form)
