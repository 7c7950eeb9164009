# Licensed under a 3-clause BSD style license - see LICENSE
"""
`add_latents` for catalogs that LSDB holds, on one core or on a Dask cluster.

Needs the extra ``scale``: ``pip install "astro_xlatent[scale]"``.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from astropy.units import Unit

from astro_xlatent.core.columns import COLUMNS, element_names, own_columns
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import TableError
from astro_xlatent.model.pretrained import load_model as _load_model

if TYPE_CHECKING:
    import pandas
    from lsdb.catalog import Catalog

__all__ = ["add_latents", "hats_properties"]

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
        As for `astro_xlatent.add_latents`; names only, for they are sent to workers.

    Returns
    -------
    enriched : `lsdb.catalog.Catalog`
        With the columns of `astro_xlatent.core.columns.COLUMNS` as float32, int32 and
        text, vectors split, null where masked. Write it with
        ``enriched.write_catalog(path, resume=True, addl_hats_properties=hats_properties())``:
        a run that was stopped then goes on with the partitions that are missing.

    Raises
    ------
    TableError
        If the catalog has xl_ columns already.
    MissionError
        If the mission is unknown or cannot be told from the columns.
    """
    present = own_columns(list(catalog.columns))
    if present:
        msg = f"the catalog already has {', '.join(present[:4])}; leave them out or rename them"
        raise TableError(msg)
    options = {"mission": mission, "prior": prior,
               "include": (include,) if isinstance(include, str) else tuple(include)}
    # LSDB asks for the types with an empty partition.
    return catalog.map_partitions(_enriched_partition, model, options)


def hats_properties(model: str | None = None) -> dict[str, str]:
    """
    What HATS has no place for in a column: units, UCDs and the model, as properties of the catalog.

    Parameters
    ----------
    model : str, optional
        As for `add_latents`.

    Returns
    -------
    properties : dict of str to str
        ``xl_units`` and ``xl_ucds``, JSON of column names (vectors are split) and strings
        of the VOUnit and UCD standards; ``xl_model`` and ``xl_sha256``.
    """
    loaded = load_model(model)
    split = [(name, spec) for spec in COLUMNS.values() for name in element_names(spec.name, spec.shape)]
    units = {name: Unit(spec.unit).to_string("vounit") for name, spec in split if spec.unit is not None}
    return {"xl_units": json.dumps(units), "xl_ucds": json.dumps({name: spec.ucd for name, spec in split}),
            "xl_model": f"{loaded.name}-{loaded.version}", "xl_sha256": loaded.sha256}


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
