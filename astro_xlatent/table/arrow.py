# Licensed under a 3-clause BSD style license - see LICENSE
"""
Parquet files and HATS catalogs, read into tables, or handed on as they stand with more columns.

Units and UCDs stand in the metadata as astropy or VOParquet, a VOTable without rows, have them.
"""

import shutil
from collections.abc import Iterable
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io.votable import from_table, parse
from astropy.table import Column, MaskedColumn, Table
from pyarrow import parquet

from astro_xlatent.core.columns import own_columns
from astro_xlatent.core.errors import TableError
from astro_xlatent.table.files import flatten_vectors
from astro_xlatent.table.pieces import RowFile, content_key

__all__ = ["ArrowRows", "describe_catalog", "table_from_arrow", "write_native"]

#: Keys of metadata in a schema.
_ASTROPY = b"table_meta_yaml"
_VOPARQUET, _VERSION = b"IVOA.VOTable-Parquet.content", b"IVOA.VOTable-Parquet.version"
#: What a HATS catalog holds beside its rows that a catalog with more columns needs anew, or not.
_MADE_ANEW = ("_metadata", "_common_metadata", "data_thumbnail.parquet", "per_partition_statistics.parquet",
              "hats.properties", "properties")


class ArrowRows(RowFile):
    """Rows of a Parquet file, or of all of a HATS catalog, as tables of pyarrow."""

    def __init__(self, path, hdu=None):
        super().__init__(path)
        self.suffix, self.n_rows, self.schema = ".parquet", 0, None
        found = sorted((path / "dataset").rglob("*.parquet")) if path.is_dir() else [path]
        self.files = {content_key(file): file for file in found if file.name not in _MADE_ANEW}
        for file in self.files.values():
            try:
                found = parquet.ParquetFile(file)
            except (pa.ArrowException, OSError) as error:
                self.broken.append((file, error))
                continue
            self.n_rows += found.metadata.num_rows
            self.schema = found.schema_arrow if self.schema is None else self.schema
        if self.schema is None:
            raise TableError(f"{path}: no Parquet file in it can be read")
        # What astropy wrote holds masks and times as columns of their own: only astropy reads it.
        self.native = _ASTROPY not in (self.schema.metadata or {})
        common = path / "dataset" / "_common_metadata"
        if self.native and common.is_file():
            self.schema = _with_units(self.schema, parquet.read_schema(common))

    def blocks(self, size, skip=0):
        """As of any file; what cannot be read is left out and noted as broken."""
        self.broken = []
        for key, file in self.files.items():
            try:
                opened = parquet.ParquetFile(file)
                schema, rows = opened.schema_arrow, opened.metadata.num_rows
                batches = opened.iter_batches(batch_size=size or rows) if rows else [schema.empty_table()]
                for number, batch in enumerate(batches):
                    block = pa.Table.from_batches([batch], schema) if rows else batch
                    yield f"{key}-{number:06d}", block.slice(skip)
                    skip = 0
            except (pa.ArrowException, OSError) as error:
                self.broken.append((file, error))

    def selected(self, block, keep):
        """Some rows of a block."""
        return block.filter(pa.array(keep))

    def save(self, blocks, n_rows, target):
        """Write blocks, a row group each."""
        with parquet.ParquetWriter(target, self.schema) as writer:
            for block in blocks:
                writer.write_table(block)


def table_from_arrow(arrow: pa.Table) -> Table:
    """The columns but for structures, lists of varying length, binary data and times; masked where null."""
    columns = []
    content = (arrow.schema.metadata or {}).get(_VOPARQUET)
    fields = parse(BytesIO(content)).get_first_table().fields if content else []
    known = {field.name: field for field in fields}
    for field in arrow.schema:
        values = _values(arrow[field.name].combine_chunks(), field.type)
        if values is None:
            continue
        missing = arrow[field.name].is_null().to_numpy().reshape(-1, *[1] * (values.ndim - 1))
        info = {"name": field.name}
        if (told := known.get(field.name)) is not None:
            info |= {"unit": told.unit, "description": told.description, "meta": {"ucd": told.ucd}}
        columns.append(MaskedColumn(values, mask=np.broadcast_to(missing, values.shape), **info)
                       if missing.any() else Column(values, **info))
    return Table(columns)


def _values(array, kind):
    """An arrow array as one of numpy, anything where null; None for what no table holds."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
        array = array.cast(kind)
    if types.is_fixed_size_list(kind):
        filled = _values(array.fill_null([0] * kind.list_size).flatten(), kind.value_type)
        return None if filled is None else filled.reshape(len(array), kind.list_size)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return np.array(["" if text is None else text for text in array.to_pylist()], str)
    if types.is_decimal(kind):
        array, kind = array.cast(pa.float64()), pa.float64()
    for is_kind, null in ((types.is_boolean, False), (types.is_integer, 0), (types.is_floating, np.nan)):
        if is_kind(kind):
            return array.fill_null(null).to_numpy(zero_copy_only=False)
    return None


def arrow_columns(table: Table) -> pa.Table:
    """Columns of numbers, text and vectors of numbers, null where masked."""
    arrays = {}
    for column in table.itercols():
        values, masked = np.ma.getdata(column), np.ma.getmaskarray(np.ma.asarray(column))
        values = values.astype(values.dtype.newbyteorder("="))
        if values.ndim > 1:
            array = pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel()), int(np.prod(values.shape[1:])),
                mask=pa.array(masked.all(axis=tuple(range(1, values.ndim)))))
        else:
            array = pa.array(values, mask=masked)
        arrays[column.name] = array
    return pa.table(arrays)


def write_native(source: ArrowRows, rows: Iterable[tuple[str, pa.Table, Table, Table]], head: Table,
                 target: Path) -> None:
    """
    Write rows as they stand (names of blocks, blocks, these as tables) with new columns (tables) behind them,
    of which ``head`` has no row but the metadata, into a file or, with vectors split, a catalog.
    """
    catalog, written = source.path.is_dir(), []
    for key, pieces in groupby(rows, lambda row: row[0][:8]):
        file = source.files[key]
        place = target / file.relative_to(source.path) if catalog else target
        place.parent.mkdir(parents=True, exist_ok=True)
        joined = (_joined(block, flatten_vectors(new) if catalog else new) for _, block, _, new in pieces)
        first = next(joined)
        metadata = first.schema.metadata if catalog else _metadata(first.schema, head)
        packing = parquet.ParquetFile(file).metadata
        packing = packing.row_group(0).column(0).compression if packing.num_row_groups else "NONE"
        schema = first.schema.with_metadata(metadata)
        with parquet.ParquetWriter(place, schema, compression=packing) as writer:
            for block in chain([first], joined):
                writer.write_table(block.replace_schema_metadata(metadata))
        written.append(place)
    if catalog:
        columns = flatten_vectors(head)
        columns.meta = head.meta
        _complete_catalog(source, target, written, columns)


def _joined(block, new):
    joined, added = block.drop_columns(own_columns(block.column_names)), arrow_columns(new)
    for field in added.schema:
        joined = joined.append_column(field, added[field.name])
    return joined


def _metadata(schema, new):
    """Metadata of a file with more columns: units and UCDs as of VOParquet, and what made them."""
    content = (schema.metadata or {}).get(_VOPARQUET)
    votable = parse(BytesIO(content)) if content else from_table(table_from_arrow(schema.empty_table()))
    fields = votable.get_first_table().fields
    replaced = own_columns([field.name for field in fields])
    fields[:] = [field for field in fields if field.name not in replaced]
    fields.extend(from_table(new[:0]).get_first_table().fields)
    text = BytesIO()
    votable.to_xml(text)
    return (schema.metadata or {}) | {_VERSION: b"1.0", _VOPARQUET: text.getvalue()} | {
        key.encode(): str(value).encode() for key, value in new.meta.items()}


def _with_units(schema, known):
    """A schema with the units of another one that is known, if any."""
    told = {key: value for key, value in ((known and known.metadata) or {}).items() if key == _VOPARQUET}
    return schema.with_metadata((schema.metadata or {}) | told)


def _complete_catalog(source, target, written, new):
    """What stands beside the rows of a HATS catalog: copied, or with the new columns."""
    for path in source.path.rglob("*"):
        place = target / path.relative_to(source.path)
        if path.is_file() and path.name not in _MADE_ANEW and path.suffix != ".parquet":
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    footers = []
    for file in written:
        footers.append(parquet.read_metadata(file))
        footers[-1].set_file_path(file.relative_to(target / "dataset").as_posix())
    schema = parquet.read_schema(written[0])
    parquet.write_metadata(schema, target / "dataset" / "_metadata", metadata_collector=footers)
    parquet.write_metadata(schema, target / "dataset" / "_common_metadata")
    describe_catalog(target, new, source.schema)
    added = {"xl_model": new.meta.get("XLMODEL", ""), "xl_sha256": new.meta.get("XLSHA256", "")}
    for name in ("hats.properties", "properties"):
        if (source.path / name).is_file():
            lines = []
            for line in (source.path / name).read_text(encoding="utf-8").splitlines():
                key, _, value = line.partition("=")
                if key == "hats_cols_default" and value.strip():
                    default = [word for word in value.split() if not own_columns([word])]
                    line = f"{key}={' '.join([*default, *new.colnames])}"
                lines += [line] if key not in added else []
            text = "\n".join([*lines, *(f"{key}={value}" for key, value in added.items()), ""])
            (target / name).write_text(text, encoding="utf-8")


def describe_catalog(folder: Path, new: Table, known: pa.Schema | None) -> None:
    """Put units and UCDs of ``new`` columns, no vectors, and of ``known`` into the metadata of a catalog."""
    common = folder / "dataset" / "_common_metadata"
    schema = _with_units(parquet.read_schema(common), known)
    parquet.write_metadata(schema.with_metadata(_metadata(schema, new)), common)
