# Licensed under a 3-clause BSD style license - see LICENSE
"""
A table file, which may be larger than memory, enriched piece by piece. Finished pieces lie beside the output,
so that the same command goes on where a run was stopped; at the end input and new columns are joined.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table, vstack
from tqdm import tqdm

from astro_xlatent.core.columns import own_columns
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.files import building_folder, replacing
from astro_xlatent.core.provenance import PROVENANCE_KEYS, package_version
from astro_xlatent.table.files import is_catalog, read_table, table_format, with_columns, write_table
from astro_xlatent.table.pieces import open_rows

__all__ = ["enrich_file"]

#: Rows a piece: four batches of the network.
PIECE = 16384
_KEPT_META = (*PROVENANCE_KEYS, "XLRECIPE")


def enrich_file(path: str | Path, out: Path, enrich: Callable[[Table], Table],
                settings: Mapping[str, object], *, hdu: str | int | None = None, whole: bool = False,
                select: Callable[[Table], np.ndarray] | None = None, progress: bool = False) -> Table:
    """
    Enrich a table file piece by piece, or go on with what a stopped run with the same ``settings`` (JSON) has
    left in ``OUT.parts``. ``select`` tells which rows of a piece to keep; with ``whole`` all are one piece.
    Gives all rows' ``xl_flag``, the first ``xl_reason``, and the metadata. Raises a `TableError`.
    """
    settings = {"version": package_version(), "piece": PIECE, "table": str(Path(path).resolve()),
                "hdu": hdu, **settings}
    source = open_rows(path, hdu)
    with _parts_folder(out, settings) as folder:
        run = _Run(source, folder, None if whole else PIECE, select)
        with tqdm(total=source.n_rows, disable=not progress, unit="rows", desc="enrich") as bar:
            for name, rows, _, table in run.pieces():
                run.note(table, run.part(name, table, enrich))
                bar.update(rows)
        if is_catalog(source.path, out):
            with building_folder(out.parent) as made:
                run.write(made / "catalog", None)
                (made / "catalog").replace(out)
        else:
            with replacing(out) as made:
                run.write(made, table_format(out))
    flags = np.concatenate(run.flags)
    return Table({"xl_flag": flags, "xl_reason": np.full(len(flags), run.reason, object)}, meta=run.meta)


class _Run:
    """The pieces of a table, their new columns, and what is to be known of all to write one file."""

    def __init__(self, source, folder, size, select):
        self.source, self.folder, self.size, self.select = source, folder, size, select
        self.several = size is not None and source.n_rows > size
        self.flags, self.reason, self.meta, self.recipes = [], "", {}, Counter()
        self.witness = self.columns = None
        if self.several:
            source.settle(size, folder)

    def pieces(self):
        """Name, number of rows, and, of those to keep, block and table of every piece."""
        for name, block in self.source.blocks(self.size):
            table, rows = self.source.table(block, self.folder), len(block)
            if self.select is not None:
                keep = self.select(table)
                table, block = table[keep], self.source.selected(block, keep)
            yield name, rows, block, table
        if self.source.broken:
            broken = [f"{file}: {str(error).partition(chr(10))[0]}" for file, error in self.source.broken]
            raise TableError(f"{len(broken)} files cannot be read ({'; '.join(broken[:3])}); the rows of all "
                             "others are done and kept: mend or remove these files and repeat the command")

    def part(self, name, table, enrich=None):
        """The new columns of a piece, made where they do not lie in the folder."""
        path = self.folder / f"{name}.fits"
        try:
            new = read_table(path)
        except TableError:
            new = None
        if new is None or len(new) != len(table):
            enriched = enrich(table)
            new = enriched[own_columns(enriched.colnames)]
            new.meta = {key: enriched.meta[key] for key in _KEPT_META if key in enriched.meta}
            write_table(new, path, overwrite=True)
            new = read_table(path)
        if isinstance(new["xl_reason"], MaskedColumn):  # in FITS empty text is missing text
            new["xl_reason"] = new["xl_reason"].filled("")
        return new

    def note(self, table, new):
        self.flags.append(np.asarray(new["xl_flag"]))
        self.reason = self.reason or (str(new["xl_reason"][0]) if len(new) else "")
        self.meta = self.meta or {key: new.meta[key] for key in _KEPT_META if key in new.meta}
        if "XLRECIPE" in self.meta:
            for name, rows in re.findall(r"(?:^|, )(.+?) (\d+)(?=, |$)", new.meta.get("XLRECIPE", "")):
                self.recipes[name] += int(rows)
            recipes = ", ".join(f"{name} {rows}" for name, rows in self.recipes.most_common())
            self.meta["XLRECIPE"] = recipes or "none"
        self.columns = new[:0]
        self.columns.meta = self.meta
        if self.several:
            self.witness = _witness(with_columns(table, new.columns, self.meta), self.witness)

    def write(self, target, form):
        """Write all in a format, or a HATS catalog; VOTable goes through memory as a whole."""
        pieces = ((name, block, table, self.part(name, table)) for name, _, block, table in self.pieces())
        if self.source.native and form in (None, "parquet"):
            from astro_xlatent.table.arrow import write_native

            write_native(self.source, pieces, self.columns, target)
            return
        tables = (with_columns(table, new.columns, self.meta) for _, _, table, new in pieces)
        if self.several and form != "votable":
            self._write_long(tables, target)
        else:
            write_table(vstack(list(tables), metadata_conflicts="silent"), target)

    def _write_long(self, tables, target):
        """Every piece is written as a file of its own, whose rows are then put below the first head."""
        piece = self.folder / f"rows{Path(target.name.removesuffix('.gz')).suffix}"
        write_table(self.witness, piece, overwrite=True)
        head, skip = open_rows(piece), len(self.witness)

        def blocks():
            for table in tables:
                write_table(vstack([self.witness, table], metadata_conflicts="silent"), piece, overwrite=True)
                yield from (block for _, block in type(head)(piece).blocks(None, skip))

        head.save(blocks(), sum(map(len, self.flags)), target)


def _witness(table, before):
    """
    Some rows of all tables so far that give every column the type and mask that it has in all, in front of
    any of these tables, and hold its longest text and the extreme integers that are no null value then.
    """
    rows = table if before is None else vstack([before, table], metadata_conflicts="silent")
    if not len(rows):
        return rows
    keep = {0}
    for column in rows.itercols():
        if not isinstance(column, Column):
            continue
        values = np.ma.getdata(column).reshape(len(rows), -1)
        signs = [np.ma.getmaskarray(np.ma.asarray(column)).reshape(len(rows), -1)]
        if values.dtype.kind in "iu":
            ends = np.iinfo(values.dtype)
            signs += [values == extreme for extreme in (ends.min, ends.min + 1, ends.max - 1, ends.max)]
        elif values.dtype.kind == "U":
            encoded = np.strings.str_len(np.strings.encode(values, "utf-8"))
            signs += [encoded == encoded.max(), encoded > np.strings.str_len(values)]
        elif values.dtype.kind == "O":
            signs.append(np.array([[value is not None] for value in values[:, 0]]))
        for sign in signs:
            keep.update(np.flatnonzero(sign.any(axis=1))[:1])
    return rows[sorted(map(int, keep))]


@contextmanager
def _parts_folder(out: Path, settings) -> Iterator[Path]:
    """The folder of the pieces, for this process alone; it stays where a piece is done and the run is not."""
    folder = out.with_name(f"{out.name}.parts")
    try:
        folder.mkdir(exist_ok=True)
        lock = open(folder / "lock", "a", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); choose another place for the output"
        raise TableError(msg) from error
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows: nothing is locked
        except OSError as error:
            msg = f"{folder}: another process works on this output; wait for it, or choose another name"
            raise TableError(msg) from error
        try:
            _check_settings(folder / "settings.json", json.loads(json.dumps(settings)))
            yield folder
        except BaseException:
            if not any(folder.glob("*-*.fits")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
    with building_folder(out.parent) as rubbish:  # half removed it must not look like pieces
        folder.rename(rubbish / folder.name)


def _check_settings(note, settings):
    if not note.exists():
        with replacing(note) as temporary:
            temporary.write_text(json.dumps(settings, indent=1, sort_keys=True), encoding="utf-8")
    try:
        old = json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        old = {}
    if changed := ", ".join(f"{key} {old.get(key)!r} is now {settings.get(key)!r}"
                            for key in sorted({*old, *settings}) if old.get(key) != settings.get(key)):
        raise TableError(f"{note.parent}: holds the beginning of a run with other settings ({changed}); "
                         "repeat that run, or remove the folder to begin anew")
