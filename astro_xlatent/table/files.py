# Licensed under a 3-clause BSD style license - see LICENSE
"""
Tables from and to files, by suffix.

The suffix decides and is never guessed: FITS, VOTable, ECSV, CSV and Parquet.
A file appears under its name only when it is complete.
"""

from pathlib import Path

import numpy as np
from astropy.io.fits.verify import VerifyWarning
from astropy.table import Table
from astropy.units import UnitsWarning

from astro_xlatent.core.columns import element_names
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.files import check_input, check_output, replacing
from astro_xlatent.core.provenance import PROVENANCE_KEYS
from astro_xlatent.core.silence import quiet
from astro_xlatent.table.limits import check_amount
from astro_xlatent.table.storage import fill_empty, mend_columns, storable_columns

__all__ = ["SUFFIXES", "flatten_vectors", "read_table", "table_format", "write_table"]

#: Suffix of a file and the astropy format it stands for.
SUFFIXES = {
    ".fits": "fits", ".fit": "fits", ".fts": "fits",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".parquet": "parquet", ".pq": "parquet",
}


def table_format(path: str | Path, *, writing: bool = False) -> str:
    """
    Tell the format of a table file from its suffix.

    Parameters
    ----------
    path : str or `~pathlib.Path`
        File name. A further ``.gz`` is allowed, except for Parquet; when
        writing, for FITS only.
    writing : bool, optional
        Whether the file is to be written.

    Returns
    -------
    format : str
        Name of the format in astropy's unified I/O.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the suffix is none of `SUFFIXES`.

    Examples
    --------
    >>> from astro_xlatent.table.files import table_format
    >>> table_format("sources.vot")
    'votable'
    """
    name = Path(path).name.lower()
    packed = name.endswith(".gz")
    form = SUFFIXES.get(Path(name.removesuffix(".gz")).suffix)
    if form is None:
        msg = f"{path}: the suffix says no table format; allowed: {', '.join(SUFFIXES)}"
        raise ParameterError(msg)
    if packed and (form == "parquet" or (writing and form != "fits")):
        what = "written" if writing else "read"
        msg = f"{path}: a {form.removeprefix('ascii.')} table cannot be {what} as .gz; leave out .gz"
        raise ParameterError(msg)
    return form


def _harmless():
    """Silence what a user of these files can do nothing about."""
    from astropy.io.votable.exceptions import VOWarning

    # Archives use unit strings outside the standard (kept as they are) and
    # slightly irregular VOTables; long keys of meta become HIERARCH cards.
    # Undefined logicals are masked once the table is read.
    return quiet(UnitsWarning, VOWarning, VerifyWarning, ".*contains NULL")


def read_table(path: str | Path) -> Table:
    """
    Read a table; the suffix tells the format.

    Parameters
    ----------
    path : str or `~pathlib.Path`
        A FITS (first table in the file), VOTable, ECSV, CSV or Parquet file.

    Returns
    -------
    table : `~astropy.table.Table`
        Text columns hold str, also from FITS. Empty text is masked but for Parquet, NaN
        in FITS and VOTable; digits with leading zeros in CSV stay text.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the suffix says no table format.
    `~astro_xlatent.core.errors.TableError`
        If the file is missing, cannot be read as that format, or would take far more memory
        than it has bytes (see ``conf.table_max_mb``).
    """
    form = table_format(path)
    path = check_input(path, error=TableError)
    try:
        with _harmless():
            check_amount(path, form)
            # The IDs of CSCview's fields are col0, col1, ...; their names tell.
            names = {"use_names_over_ids": True} if form == "votable" else {}
            source = fill_empty(path) if form == "ascii.ecsv" else None
            table = Table.read(path if source is None else source, format=form, **names)
            table = table if source is None else table[:0]
            if form == "votable":
                table.meta.update(_votable_infos(path))
            mend_columns(table, path, form)
    except TableError:
        raise
    except ImportError as error:
        msg = f'{path}: {error}; install it with: pip install "astro_xlatent[parquet]"'
        raise TableError(msg) from error
    except Exception as error:
        # The readers raise whatever their parsers meet in a damaged file.
        msg = f"{path}: cannot be read as a {form} table: {_first_line(error)}"
        raise TableError(msg) from error
    return table


def _votable_infos(path):
    """Provenance from the INFO elements in front of the table, which ``Table.read`` drops."""
    from xml.etree import ElementTree

    from astropy.utils.data import get_readable_fileobj

    found = {}
    with get_readable_fileobj(str(path), encoding="binary") as file:
        for _, element in ElementTree.iterparse(file, events=("start",)):
            kind = element.tag.rpartition("}")[2]
            if kind == "TABLE":
                break
            if kind == "INFO" and element.get("name") in PROVENANCE_KEYS:
                found[element.get("name")] = element.get("value", "")
    return found


def _first_line(error):
    """First line of an error's text, or its class name."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def flatten_vectors(table: Table) -> Table:
    """
    Split vector columns into one column for each element.

    CSV holds no vectors. ``xl_latent`` becomes ``xl_latent_0`` to
    ``xl_latent_7``, ``xl_class_prob`` becomes ``xl_class_prob_AGN`` and so on
    (a hyphen of a class name becomes an underscore).

    Parameters
    ----------
    table : `~astropy.table.Table`
        Left untouched.

    Returns
    -------
    flat : `~astropy.table.Table`
        Scalar columns only, in full precision; masks are kept.

    Raises
    ------
    `~astro_xlatent.core.errors.TableError`
        If an element's name is already that of another column.

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


def _without_formulas(flat):
    """Quote reasons that a spreadsheet would run: they may begin with a stranger's file name."""
    if "xl_reason" in flat.colnames:
        flat["xl_reason"] = [f"'{text}" if str(text)[:1] in "=+-@" and str(text) else str(text)
                             for text in flat["xl_reason"]]
    return flat


def _write_votable(table, path):
    """Write VOTable with the metadata, which ``Table.write`` drops, as INFO elements."""
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    votable = from_table(table)
    for key, value in table.meta.items():
        if isinstance(value, str | int | float):
            votable.resources[0].infos.append(Info(name=str(key), value=str(value)))
    votable.to_xml(str(path))


def write_table(table: Table, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write a table; the suffix tells the format.

    The file is written under a temporary name beside its place and then
    renamed, so that no reader ever meets half a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any table; it is not changed. In CSV, vector columns are split (see
        `flatten_vectors`) and units and descriptions are lost; VOTable keeps
        scalar metadata as INFO. Read again, values, types and masks are as before
        (see `~astro_xlatent.table.storage` for what formats cannot tell apart).
    path : str or `~pathlib.Path`
        File to write.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the suffix says no table format.
    `~astro_xlatent.core.errors.TableError`
        If the file exists, or the table cannot be written in that format.
    """
    form = table_format(path, writing=True)
    path = check_output(path, overwrite, error=TableError)
    try:
        with replacing(path) as temporary, _harmless():
            table = storable_columns(table, form)
            if form == "votable":
                _write_votable(table, temporary)
            elif form == "ascii.csv":
                _without_formulas(flatten_vectors(table)).write(temporary, format=form)
            else:
                table.write(temporary, format=form)
    except TableError:
        raise
    except ImportError as error:
        msg = f'{path}: {error}; install it with: pip install "astro_xlatent[parquet]"'
        raise TableError(msg) from error
    except Exception as error:
        msg = f"{path}: the table cannot be written as {form}: {_first_line(error)}"
        raise TableError(msg) from error
