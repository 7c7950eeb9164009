# Licensed under a 3-clause BSD style license - see LICENSE
"""
A million rows with LSDB
========================

Whole catalogs lie in HATS, cut into pieces of the sky, and LSDB works on the pieces in
parallel, on a laptop or a cluster, without ever holding all rows.
"""

# %%
# A catalog
# ---------
# Yours would be ``lsdb.open_catalog("csc_hats")``. Here 4,000 simulated rows are cut into pieces
# of a thousand; a million are the same lines.

import lsdb
import matplotlib.pyplot as plt
from astropy.table import Table

from astro_xlatent import plotting
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.table.scale import add_latents

table, truth = simulate_catalog(seed=14, n=4000, mission="csc")
catalog = lsdb.from_dataframe(table.to_pandas(), partition_rows=1000,
                              ra_column="ra", dec_column="dec")
print(len(catalog), "rows in", catalog.npartitions, "pieces")

# %%
# Nothing is computed yet
# -----------------------
# Only the columns are known. Cuts that follow are made before: of the cone below
# nothing but the pieces that it touches is read and enriched.

enriched = add_latents(catalog)
cone = enriched.cone_search(ra=180, dec=0, radius_arcsec=40 * 3600)
rows = cone.compute(progress_bar=False)
print(len(rows), "rows in the cone")
rows[["name", "xl_class", "xl_nh", "xl_nh_ul90"]].head()

# %%
# Everything, written piece by piece
# ----------------------------------
# ``enriched.write_catalog(path, resume=True, addl_hats_properties=hats_properties())`` writes each
# piece when it is done and goes on with those that are missing; with a ``dask.distributed.Client``
# the pieces are shared out. Here all of it fits into memory.

everything = enriched.compute(progress_bar=False)
print(everything["xl_class"].value_counts().to_string())

# %%
# Vectors have become columns, as everywhere in HATS; a table for the plots is soon made.

shown = Table.from_pandas(everything[["xl_class", "ra", "dec"]])
figure = plt.figure(figsize=(8, 4.2), layout="constrained")
plotting.plot_sky(shown, ax=figure.add_subplot(projection="aitoff"))
plt.show()
