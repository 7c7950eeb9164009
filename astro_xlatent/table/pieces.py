# Licensed under a 3-clause BSD style license - see LICENSE
"""
Table files as a head and rows, so that any number of rows can be read, and written, in pieces.

``blocks`` gives rows as they stand in a file, ``table`` reads a block, ``save`` writes blocks below the head.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.table.files import find_table, read_table, table_format
from astro_xlatent.table.limits import check_amount

__all__ = ["RowFile", "open_rows"]


def open_rows(path: str | Path, hdu: str | int | None = None) -> "RowFile":
    """Open a table to read it in pieces; VOTables, and FITS text or variable-length tables, as a whole."""
    path, hdu, form = find_table(path, hdu)
    kind = {"fits": FitsRows, "votable": WholeRows}.get(form, TextRows)
    try:
        if path.is_file():
            check_amount(path, form)
        if form == "parquet":
            from astro_xlatent.table.arrow import ArrowRows as kind
        if hdu is None or form == "fits":
            return kind(path, hdu)
    except TableError:
        raise
    except Exception:  # noqa: BLE001, S110
        pass  # whoever reads it as a whole can, or says what is wrong with it
    return WholeRows(path, hdu)


class RowFile:
    """What all of these files share."""

    #: Whether blocks may hold what no `~astropy.table.Table` does, so that they are better handed on.
    native = False
    n_rows = 0

    def __init__(self, path):
        self.path = path
        self.suffix = Path(path.name.removesuffix(".gz")).suffix
        self.broken = []
        self.text, self.booleans = (), ()

    def settle(self, size: int, folder: Path) -> None:
        """Find out types that single blocks of this size may not show."""

    def selected(self, block, keep):
        """Some rows of a block, where blocks are handed on."""
        return None

    def save(self, blocks, n_rows: int, target: Path) -> None:
        """Write a file of blocks with the head of this one."""
        raise NotImplementedError

    def _blocks(self, size, skip):
        raise NotImplementedError

    def blocks(self, size: int | None, skip: int = 0) -> Iterator[tuple[str, Any]]:
        """For every ``size`` rows, once if there are none, a name, and they as they stand."""
        key = content_key(self.path)
        for number, block in enumerate(self._blocks(size or max(self.n_rows, 1), skip)):
            yield f"{key}-{number:06d}", block

    def table(self, block, folder: Path) -> Table:
        """A block as a table, by way of a file in a folder."""
        piece = folder / f"piece{self.suffix}"
        self.save([block], len(block), piece)
        table = read_table(piece)
        # Reading as text is slow, and rarely needed.
        text = [name for name in self.text if table[name].dtype.kind != "U"]
        table = read_table(piece, text=text) if text else table
        piece.unlink()
        if len(table) != len(block):
            msg = f"{self.path}: read {len(table)} of {len(block)} rows; convert the table to FITS, try again"
            raise TableError(msg)
        for name in self.booleans:
            if table[name].dtype.kind != "b":  # nothing but empty fields
                table[name] = MaskedColumn(np.zeros(len(table), bool), mask=True)
        return table


def content_key(path: Path) -> str:
    stat = path.stat()
    return f"{zlib.crc32(f'{path} {stat.st_size} {stat.st_mtime_ns}'.encode()):08x}"


class WholeRows(RowFile):
    """A table that is read at once; blocks are tables."""

    def __init__(self, path, hdu=None):
        super().__init__(path)
        self.whole = read_table(path, hdu)
        self.n_rows = len(self.whole)

    def _blocks(self, size, skip):
        return (self.whole[start:start + size] for start in range(skip, max(self.n_rows, 1), size))

    def table(self, block, folder):
        """The block."""
        return block


class FitsRows(RowFile):
    """Rows of a FITS table as bytes."""

    def __init__(self, path, hdu=None):
        super().__init__(path)
        with fits.open(path) as hdus:
            found = next(h for h in hdus if isinstance(h, fits.BinTableHDU)) if hdu is None else hdus[hdu]
            self.header, self.offset = found.header.copy(), found.fileinfo()["datLoc"]
        self.width, self.n_rows = self.header["NAXIS1"], self.header["NAXIS2"]
        if self.header["XTENSION"] != "BINTABLE" or self.header["PCOUNT"] > 0 or not self.width:
            raise ValueError("holds text, nothing, or a heap of arrays behind the rows")

    def _blocks(self, size, skip):
        with _open(self.path, "rb") as file:
            file.seek(self.offset + skip * self.width)
            for start in range(skip, max(self.n_rows, 1), size):
                needed = self.width * min(size, self.n_rows - start)
                data = file.read(needed)
                if len(data) < needed:
                    msg = f"{self.path}: ends before its {self.n_rows} rows do; fetch or copy it again"
                    raise TableError(msg)
                yield np.frombuffer(data, f"V{self.width}")

    def save(self, blocks, n_rows, target):
        """Write blocks with the header's keywords."""
        header, size = self.header.copy(), 0
        header["NAXIS2"] = n_rows
        for key in ("CHECKSUM", "DATASUM", "THEAP"):
            header.remove(key, ignore_missing=True)
        heads = (head.tostring().encode("ascii") for head in (fits.PrimaryHDU().header, header))
        with _open(target, "wb") as file:
            for block in chain(heads, blocks):
                size += file.write(block)
            file.write(bytes(-size % 2880))


class TextRows(RowFile):
    """Rows of a CSV, TSV or ECSV file as text."""

    def __init__(self, path, hdu=None):
        super().__init__(path)
        self.comments = table_format(path) != "ascii.csv"
        with _open(path, "rt") as file:
            records = _records(file)
            self.head = [next(records)]
            while self.comments and self.head[-1].startswith("#"):
                self.head.append(next(records))
        self.n_rows = sum(map(len, self._blocks(4096, 0)))

    def _blocks(self, size, skip):
        with _open(self.path, "rt") as file:
            records = islice(_records(file), len(self.head), None)
            rows = (record for record in records if not (self.comments and record.lstrip().startswith("#")))
            rows = islice(rows, skip, None)
            yield list(islice(rows, size))
            yield from iter(lambda: list(islice(rows, size)), [])

    def settle(self, size, folder):
        """Text is what is text, or looks like different things, anywhere; ECSV tells."""
        kinds = {}
        for _, block in self.blocks(size) if self.suffix != ".ecsv" else ():
            for column in self.table(block, folder).itercols():
                if not np.all(getattr(column, "mask", False)):
                    kinds.setdefault(column.name, set()).add(column.dtype.kind.replace("f", "i"))
        self.text = tuple(name for name, found in kinds.items() if "U" in found or len(found) > 1)
        self.booleans = tuple(name for name, found in kinds.items() if found == {"b"})

    def save(self, blocks, n_rows, target):
        """Write blocks below the header."""
        with _open(target, "wt") as file:
            for block in chain([self.head], blocks):
                file.writelines(block)


def _records(file):
    """Rows of text; a line break within quotes does not end one, empty lines are none."""
    record = ""
    for line in chain(file, [None]):
        record += line or ""
        if line is None or record.count('"') % 2 == 0:
            if record.strip():
                yield record
            record = ""


@contextmanager
def _open(path, mode):
    """Open a file, packed or not; what is packed holds no time and name, so that equal files are equal."""
    with ExitStack() as stack:
        file = stack.enter_context(open(path, mode[0] + "b"))
        if path.suffix == ".gz" if mode[0] == "w" else file.peek(2)[:2] == b"\x1f\x8b":
            file = stack.enter_context(gzip.GzipFile("", mode[0] + "b", fileobj=file, mtime=0))
        if "t" in mode:
            file = stack.enter_context(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        yield file
