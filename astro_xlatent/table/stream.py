# Licensed under a 3-clause BSD style license - see LICENSE
"""
`enrich_file`: a table file that may be larger than memory, piece by piece.

The new columns of every finished piece lie in a file of their own beside the output, so
that the same command goes on where a run was stopped. At the end each row of the input,
as it stands there, is put side by side with its new columns.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astro_xlatent.core.columns import own_columns
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.provenance import PROVENANCE_KEYS, package_version
from astro_xlatent.table.files import read_table, table_format, write_table

__all__ = ["enrich_file", "rows_in_pieces"]

#: Rows a piece: eight batches of the network.
PIECE = 16384
_BEGIN = "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--"
# Keywords of a FITS column that readers need; the rest is in astropy's comments.
_COLUMN_KEYS = ("TTYPE", "TFORM", "TUNIT", "TDIM", "TNULL")


class _FitsRows:
    """Rows of the first table of a FITS file, as bytes."""

    def __init__(self, path):
        self.path = path
        with fits.open(path) as hdus:
            hdu = next(h for h in hdus if isinstance(h, fits.BinTableHDU))
            self.header, self.offset = hdu.header.copy(), hdu.fileinfo()["datLoc"]
            self.names = hdu.columns.names
        self.width, self.n_rows = self.header["NAXIS1"], self.header["NAXIS2"]
        # Rows with arrays of variable length point into a heap behind the table.
        self.whole = self.header.get("PCOUNT", 0) > 0

    def blocks(self, size):
        """Bytes of every ``size`` rows."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            for start in range(0, self.n_rows, size):
                yield file.read(self.width * min(size, self.n_rows - start))

    def pieces(self, size):
        """For every piece its number of rows and a function that writes it as a file."""
        for block in self.blocks(size):
            rows = len(block) // self.width
            yield rows, partial(_write_fits, self.header.copy(), [block], rows)

    def join(self, parts, target):
        """Write the input's rows with the columns of the parts."""
        files = [_FitsRows(part) for part in parts]
        names = files[0].names
        layouts = [fits.ColDefs(_columns(file.header)).dtype for file in files]
        # Texts are as wide as the widest part.
        dtype = np.dtype([(name, max((layout[name] for layout in layouts), key=lambda d: d.itemsize))
                          for name in names])
        header = _joined_header(self.header.copy(), files[0].header, dtype)
        rows = (np.concatenate([np.frombuffer(old, np.uint8).reshape(-1, self.width),
                                np.frombuffer(next(file.blocks(PIECE)), layout).astype(dtype)
                                .view(np.uint8).reshape(-1, dtype.itemsize)], axis=1).tobytes()
                for old, file, layout in zip(self.blocks(PIECE), files, layouts, strict=True))
        _write_fits(header, rows, self.n_rows, target)


def _columns(header):
    """Columns of a FITS table's header."""
    return [fits.Column(name=header[f"TTYPE{k}"], format=header[f"TFORM{k}"], dim=header.get(f"TDIM{k}"))
            for k in range(1, header["TFIELDS"] + 1)]


def _write_fits(header, blocks, n_rows, target):
    """Write a file of one table from its header and the bytes of its rows."""
    header["NAXIS2"] = n_rows
    for key in ("CHECKSUM", "DATASUM", "THEAP"):
        header.remove(key, ignore_missing=True)
    with open(target, "wb") as file:
        for head in (fits.PrimaryHDU().header, header):
            file.write(head.tostring().encode("ascii"))
        for block in blocks:
            file.write(block)
        file.write(bytes(-file.tell() % 2880))


def _joined_header(header, new, dtype):
    """The input's header with the columns, comments and provenance of a part's."""
    before = header["TFIELDS"]
    header["NAXIS1"] += dtype.itemsize
    header["TFIELDS"] += new["TFIELDS"]
    for k, name in enumerate(dtype.names, 1):
        for key in _COLUMN_KEYS:
            if f"{key}{k}" in new:
                header[f"{key}{before + k}"] = new[f"{key}{k}"]
        if dtype[name].kind == "S":
            header[f"TFORM{before + k}"] = f"{dtype[name].itemsize}A"
    for key in PROVENANCE_KEYS:
        if key in new:
            header[key] = new[key]
    lines, added = ([str(line) for line in h.get("COMMENT", [])] for h in (header, new))
    if _BEGIN in lines:
        begin = added.index("datatype:", added.index(_BEGIN)) + 1
        added = added[begin:next(k for k, line in enumerate(added) if k > begin and line[:5] == "meta:")]
        place = lines.index("datatype:", lines.index(_BEGIN)) + 1
        lines[place:place] = added
        del header["COMMENT"]
    else:
        lines = added
    for line in lines:
        header.append(("COMMENT", line), end=True)
    return header


class _TextRows:
    """Rows of a CSV or ECSV file, as text."""

    def __init__(self, path):
        self.path = path
        self.head, self.first = self._head()
        self.delimiter = "," if table_format(path) == "ascii.csv" else " "
        self.whole = any(line.startswith("# delimiter:") for line in self.head)
        self.n_rows = sum(1 for _ in self.records())

    def _head(self):
        head = []
        with open(self.path, encoding="utf-8", newline="") as file:
            for record in _records(file):
                if not record.startswith("#") or table_format(self.path) == "ascii.csv":
                    return head, record
                head.append(record)
        return head, ""

    def records(self):
        """Every row's text."""
        with open(self.path, encoding="utf-8", newline="") as file:
            yield from islice(_records(file), len(self.head) + 1, None)

    def pieces(self, size):
        """For every piece its number of rows and a function that writes it as a file."""
        records = self.records()
        while piece := list(islice(records, size)):
            yield len(piece), partial(_write_text, [*self.head, self.first, *piece])

    def join(self, parts, target):
        """Write the input's rows with the columns of the parts."""
        files = [_TextRows(part) for part in parts]

        def line(old, new):
            return old.rstrip("\r\n") + self.delimiter + new

        new = (record for file in files for record in file.records())
        head = [*_joined_head(self.head, files[0].head), line(self.first, files[0].first)]
        _write_text(chain(head, (line(*pair) for pair in zip(self.records(), new, strict=True))), target)


def _records(file):
    """Rows of text; a line break within quotes does not end one, empty lines are none."""
    record = ""
    for line in file:
        record += line
        if record.count('"') % 2 == 0:
            if record.strip():
                yield record
            record = ""
    if record.strip():
        yield record


def _write_text(lines, target):
    with open(target, "w", encoding="utf-8", newline="") as file:
        file.writelines(lines)


def _joined_head(lines, new):
    """The input's ECSV header with the columns and the provenance of a part's; none for CSV."""
    if not lines:
        return []
    blocks = {}
    for name, head in (("old", lines), ("new", new)):
        begin = next(k for k, line in enumerate(head) if line.strip() == "# datatype:") + 1
        later = (k for k in range(begin, len(head)) if head[k][2:3] not in "- ")
        blocks[name] = begin, next(later, len(head))
    begin, end = blocks["new"]
    place = blocks["old"][1]
    lines = [*lines[:place], *new[begin:end], *lines[place:]]
    meta = [line for line in new[end:] if line.startswith("# - {XL")]
    has = next((k for k, line in enumerate(lines) if line.startswith("# meta:")), None)
    if has is None:
        place += end - begin
        return [*lines[:place], "# meta: !!omap\n", *meta, *lines[place:]]
    kept = [line for line in lines if line[5:].partition(":")[0] not in PROVENANCE_KEYS]
    has = next(k for k, line in enumerate(kept) if line.startswith("# meta:"))
    return [*kept[:has + 1], *meta, *kept[has + 1:]]


def rows_in_pieces(path: str | Path, out: str | Path) -> "_FitsRows | _TextRows | None":
    """
    The rows of a table that is better enriched in pieces.

    Parameters
    ----------
    path, out : str or `~pathlib.Path`
        Tables to read and to write.

    Returns
    -------
    rows : object or None
        For `enrich_file`. None where the table is small, is no FITS, ECSV or CSV file
        without packing, has arrays of variable length or xl_ columns already, or is to
        be written in another format: read it as a whole.
    """
    form = table_format(path)
    if Path(path).suffix == ".gz" or Path(out).suffix == ".gz" or form != table_format(out) or (
            form not in ("fits", "ascii.ecsv", "ascii.csv")):
        return None
    try:
        rows = _FitsRows(path) if form == "fits" else _TextRows(path)
    except (OSError, StopIteration, UnicodeDecodeError, KeyError):
        return None  # whoever reads it as a whole says what is wrong with it
    if rows.whole or rows.n_rows <= PIECE:
        return None
    return rows


def enrich_file(rows: "_FitsRows | _TextRows", out: Path, enrich: Callable[[Table], Table],
                settings: Mapping[str, object], progress: bool = False) -> Table:
    """
    Enrich a table file piece by piece, or go on with what a stopped run has left.

    Parameters
    ----------
    rows : object
        Of `rows_in_pieces`.
    out : `~pathlib.Path`
        File to write. Beside it the folder ``OUT.parts`` holds the pieces meanwhile.
    enrich : callable
        Takes the table of a piece and gives it with the new columns.
    settings : mapping
        What the new columns depend on, JSON. A run goes on only with the same ones.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    new : `~astropy.table.Table`
        ``xl_flag`` of all rows, the first row's ``xl_reason`` in all, and the metadata.

    Raises
    ------
    TableError
        If the pieces cannot be read or written, belong to a run with other settings, or
        another process works on them. Finished pieces are kept.
    """
    from tqdm import tqdm

    stat = rows.path.stat()
    settings = {"version": package_version(), "piece": PIECE, "table": str(rows.path.resolve()),
                "size": stat.st_size, "changed": stat.st_mtime_ns, **settings}
    flags, reason, meta = [], "", {}
    with _parts_folder(out, settings) as folder, tqdm(total=rows.n_rows, disable=not progress, unit="rows",
                                                      desc="enrich") as bar:
        parts = []
        for number, (n_rows, write) in enumerate(rows.pieces(PIECE)):
            part = folder / f"{number:06d}{out.suffix}"
            if not part.exists():
                _make_part(write, folder / f"piece{out.suffix}", part, enrich, n_rows)
            parts.append(part)
            done = read_table(part)
            flags.append(np.asarray(done["xl_flag"]))
            reason = done["xl_reason"][0] if number == 0 else reason
            meta = done.meta
            bar.update(n_rows)
        with replacing(out) as temporary:
            rows.join(parts, temporary)
        shutil.rmtree(folder)
    flags = np.concatenate(flags)
    return Table({"xl_flag": flags, "xl_reason": np.full(len(flags), str(reason), object)}, meta=meta)


def _make_part(write, piece, part, enrich, n_rows):
    """The file with the new columns of one piece."""
    write(piece)
    table = read_table(piece)
    if len(table) != n_rows:
        msg = f"{piece}: read {len(table)} rows of {n_rows}; convert the table to FITS and try again"
        raise TableError(msg)
    enriched = enrich(table)
    new = enriched[own_columns(enriched.colnames)]
    new.meta = {key: value for key, value in enriched.meta.items() if key in PROVENANCE_KEYS}
    write_table(new, part)
    piece.unlink()


@contextmanager
def _parts_folder(out: Path, settings) -> Iterator[Path]:
    """The folder of the pieces, for this process alone."""
    folder = out.with_name(f"{out.name}.parts")
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "a", encoding="utf-8") as lock:
        _lock(lock, folder)
        note = folder / "settings.json"
        text = json.dumps(settings, indent=1, sort_keys=True)
        if note.exists() and note.read_text(encoding="utf-8") != text:
            try:
                old = json.loads(note.read_text(encoding="utf-8"))
            except ValueError:
                old = {}
            changed = ", ".join(f"{key} {old.get(key)!r} is now {value!r}" for key, value in
                                json.loads(text).items() if old.get(key) != value)
            msg = (f"{folder}: holds the beginning of a run with other settings ({changed}); repeat that "
                   "run, or remove the folder to begin anew")
            raise TableError(msg)
        if not note.exists():
            with replacing(note) as temporary:
                temporary.write_text(text, encoding="utf-8")
        yield folder


def _lock(file, folder):
    """Claim a file until it is closed or the process ends, where the system can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        msg = f"{folder}: another process works on this output; wait for it, or choose another name"
        raise TableError(msg) from error
