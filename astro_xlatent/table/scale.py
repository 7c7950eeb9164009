# Licensed under a 3-clause BSD style license - see LICENSE
"""`add_latents` for catalogs that LSDB holds, on one core or a cluster; needs the extra ``scale``."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import COLUMNS, element_names, make_column, own_columns
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.provenance import provenance_meta
from astro_xlatent.model.pretrained import load_model as _load_model
from astro_xlatent.table.arrow import describe_catalog
from astro_xlatent.table.files import find_catalog, flatten_vectors

if TYPE_CHECKING:
    import pandas
    from lsdb.catalog import Catalog

__all__ = ["add_latents", "write_catalog"]

# One of each model a worker process, however many partitions it works on.
load_model = lru_cache(maxsize=2)(_load_model)


def add_latents(catalog: "Catalog", *, mission: str | None = None, model: str | None = None,
                prior: str | None = None, include: str | Sequence[str] = ()) -> "Catalog":
    """
    Add latents, class, N_H, fluxes and quality to every row of an LSDB catalog.

    Parameters
    ----------
    catalog : `lsdb.catalog.Catalog`
        With band columns; nothing is computed yet.
    mission, model, prior, include
        As for `astro_xlatent.add_latents`, whose errors are raised; names only, for they are sent to workers.

    Returns
    -------
    enriched : `lsdb.catalog.Catalog`
        With the columns of `astro_xlatent.core.columns.COLUMNS` as float32, int32 and
        text, vectors split, null where masked; `write_catalog` writes it.
    """
    if present := own_columns(list(catalog.columns)):
        raise TableError(f"the catalog already has {', '.join(present[:4])}; leave them out or rename them")
    options = {"mission": mission, "prior": prior,
               "include": (include,) if isinstance(include, str) else tuple(include)}
    # LSDB asks for the types with an empty partition.
    return catalog.map_partitions(_enriched_partition, model, options)


def write_catalog(catalog: "Catalog", path: str | Path, *, model: str | None = None, **options) -> None:
    """
    Write an enriched catalog as HATS, or go on where a run was stopped.

    HATS columns have no units and UCDs: they stand in the metadata of ``dataset/_common_metadata`` as
    VOParquet has it, those of the catalog that was read included; ``hats.properties`` has ``xl_model``
    and ``xl_sha256``.

    Parameters
    ----------
    catalog : `lsdb.catalog.Catalog`
        Of `add_latents`, with or without further steps behind it.
    path : str or `~pathlib.Path`
        Folder. Partitions that a stopped run has finished there are not made again.
    model : str, optional
        That of `add_latents`, whose name and sha256 are written down.
    **options
        Of `lsdb.catalog.Catalog.write_catalog`.
    """
    loaded, present = load_model(model), own_columns(list(catalog.columns))
    columns = Table([make_column(name, np.zeros((0, *spec.shape))) for name, spec in COLUMNS.items()])
    columns = flatten_vectors(columns)[present]
    columns.meta = provenance_meta(f"{loaded.name}-{loaded.version}", loaded.sha256,
                                   latent_space=loaded.latent_space)
    properties = {"xl_model": columns.meta["XLMODEL"], "xl_sha256": loaded.sha256}
    properties |= options.pop("addl_hats_properties", {})
    known = getattr(catalog.hc_structure, "original_schema", None)
    catalog.write_catalog(path, resume=True, addl_hats_properties=properties, **options)
    describe_catalog(find_catalog(Path(path)) or Path(path), columns, known)


def _enriched_partition(frame: "pandas.DataFrame", model, options) -> "pandas.DataFrame":
    """The rows of a partition, none included, with columns whose types do not depend on them."""
    import pandas as pd
    import pyarrow as pa

    from astro_xlatent.table.add_latents import add_latents as add_latents_to_table

    # The workers of a cluster share the cores already.
    with conf.set_temp("threads", 1):
        found = add_latents_to_table(pd.DataFrame(frame), model=load_model(model), **options)
    types = {name: spec.dtype for spec in COLUMNS.values() for name in element_names(spec.name, spec.shape)}
    new = {}
    for name in own_columns(list(found.columns)):
        if types[name] is str:
            text = [value if isinstance(value, str) else None for value in found[name]]
            new[name] = pd.array(text, dtype=pd.ArrowDtype(pa.string()))
        else:
            new[name] = found[name].to_numpy(np.dtype(types[name]))
    return frame.assign(**new)
