# Licensed under a 3-clause BSD style license - see LICENSE
"""What a table would take, told from its file before memory is taken: small files can make gigabytes."""

import gzip
import math
import re
from pathlib import Path

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import TableError

__all__ = ["check_amount"]

#: Bytes of memory for each byte of a file that are taken without a question.
_GROWTH = 50
#: Entries of a header's YAML with all aliases written out.
_MAX_NODES = 100_000
_MAX_HDUS = 5000
_PIECE = 1 << 20
_WORD, _CHARACTER = 8, 4
_BEGIN, _END = (f"--{word}-ASTROPY-SERIALIZED-COLUMNS--" for word in ("BEGIN", "END"))
_SHAPE = re.compile(rb"subtype:[^\[\n]*\[([\d, ]+)\]")
# Bytes by VOTable's datatype; of any other as of the largest.
_BYTES = {"char": 1, "boolean": 1, "unsignedByte": 1, "bit": 1, "short": 2, "unicodeChar": 4, "int": 4,
          "float": 4}


def check_amount(path: Path, form: str) -> None:
    """Refuse a table file that grows more than fiftyfold, and beyond ``conf.table_max_mb``, in memory."""
    size = path.stat().st_size
    limit = max(conf.table_max_mb * 1e6, _GROWTH * size)
    measure = {"fits": _of_fits, "votable": _of_votable, "parquet": _of_parquet}.get(form, _of_text)
    with open(path, "rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as stream:
        # What is packed is taken out piece by piece, up to the limit, before it is looked at.
        taken = 0
        while packed and taken <= limit and (data := stream.read(_PIECE)):
            taken += len(data)
        stream.seek(0)
        if taken <= limit and measure(stream, path) <= limit:
            return
    raise TableError(f"{path}: takes more than {limit / 1e6:.6g} MB of memory, from a file of "
                     f"{size / 1e6:.3g} MB; if that is meant, raise conf.table_max_mb of astro_xlatent")


def _of_text(stream, path):
    """Rows times the longest, for a column is as wide as its longest cell."""
    rows = longest = columns = length = quotes = 0
    header = b""
    while line := stream.readline(_PIECE):
        if line.startswith(b"#") and not rows:
            header += line[2:]
            continue
        length += len(line)
        quotes += line.count(b'"')
        if line.endswith(b"\n") and quotes % 2 == 0:
            rows, longest, length = rows + 1, max(longest, length), 0
        columns = max(columns, line.count(b",") + 1, line.count(b" ") + 1)
    _check_yaml(header, path)
    cells = max((math.prod(map(int, shape.split(b","))) for shape in _SHAPE.findall(header)), default=0)
    return (rows + 1) * (_CHARACTER * max(longest, length) + _WORD * (columns + cells))


def _of_fits(stream, path):
    """Rows times the width of the first table; bits become bytes."""
    from astropy.io import fits

    needed = 0
    with fits.open(path) as hdus:
        for number, hdu in enumerate(hdus):
            # One that ends before it begins leads astropy in circles.
            if hdu.fileinfo()["datSpan"] < 0 or number > _MAX_HDUS:
                raise TableError(f"{path}: extension {number} has a negative size, or they have no end")
            if not needed and isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                lines = "\n".join(map(str, hdu.header.get("COMMENT", []))).replace("\\\n", "")
                _check_yaml(lines.partition(_BEGIN)[2].partition(_END)[0].encode(), path)
                bits = sum(int(c.format.partition("X")[0] or 1) for c in hdu.columns if "X" in c.format)
                needed = hdu.header["NAXIS2"] * (max(hdu.header["NAXIS1"], _WORD) + bits)
    return needed


def _of_votable(stream, path):
    from xml.parsers import expat

    found = {"rows": 0, "width": 0}

    def start(tag, attributes):
        tag = tag.rpartition(":")[2]
        if tag == "TR":
            found["rows"] += 1
        elif tag == "TABLE":
            found["rows"] += int(attributes.get("nrows", 0))
        elif tag == "FIELD":
            shape = [int(n) for n in re.findall(r"\d+(?!\d*\*)", attributes.get("arraysize", "1"))]
            found["width"] += math.prod(shape) * _BYTES.get(attributes.get("datatype"), _WORD)
        elif tag == "STREAM" and "href" in attributes:
            msg = f"{path}: its data lie elsewhere ({attributes['href']}); save it with the data inside"
            raise TableError(msg)

    def entity(name, *_):
        raise TableError(f"{path}: declares the XML entity {name}, which no table needs; remove it")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = start, entity
    while data := stream.read(_PIECE):
        parser.Parse(data)
    return found["rows"] * found["width"]


def _of_parquet(stream, path):
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    _check_yaml((metadata.metadata or {}).get(b"table_meta_yaml", b""), path)
    groups = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    return max(groups, metadata.num_rows * metadata.num_columns * _WORD)


def _check_yaml(text, path):
    import yaml

    sizes = {}

    def size(node):
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # an alias of what holds it never ends
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
            sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    if b"&" in text and size(yaml.compose(text.decode("utf-8", "replace"), yaml.SafeLoader)) > _MAX_NODES:
        raise TableError(f"{path}: aliases in its header stand for more than {_MAX_NODES} entries; write "
                         "them out or remove them")
