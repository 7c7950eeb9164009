# Licensed under a 3-clause BSD style license - see LICENSE
"""A few rows like those of the labeled sample at VizieR."""

import numpy as np
from astropy.table import MaskedColumn, Table

NAMES = ["2CXO J000009.3+135618", "2CXO J000230.7+004959", "2CXO J000622.6-000424", "2CXO J000703.6+155423"]
CLASSES = ["AGN", "NS_BIN", "LM-STAR", "CV"]


def vizier(**spellings):
    """A table like VizieR's td, with columns respelled."""
    table = Table(
        {
            "recno": np.arange(4),
            "CSCv2_name": NAMES,
            "CSCv2_RA": [0.039125, 0.6279583, 1.5943333, 1.765],
            "CSCv2_DEC": [13.9384944, 0.8330722, -0.0735722, 15.906575],
            "CSCv2_S/N": [1.95, 11.07, 25.42, 8.63],
            **{f"F{b}": [k * 1e-14, 2e-14, 3e-14, 4e-14] for k, b in enumerate("smhb", start=1)},
            **{f"e_F{b}": [1e-15] * 4 for b in "smhb"},
            "P_intra": [0.923, 0.318, 0.076, 0.135],
            "P_inter": MaskedColumn([0.0, 0.0, 0.6, 0.0], mask=[1, 1, 0, 1]),
            "P_AGN": [0.9] * 4,
            "Class": ["YSO"] * 4,
            "CSCv2_flags": MaskedColumn(["", "conf|extent", "extent", "pileup"], mask=[1, 0, 0, 0]),
            "Catalog_name": ["SDSS", "PB 5698", "3C 2.0", "x"],
            "True_Class": CLASSES,
            "Class_ref": ["2010A&A...518A..10V"] * 4,
        }
    )
    for name in ("Fs", "Fm", "Fh", "Fb", "e_Fs", "e_Fm", "e_Fh", "e_Fb"):
        table[name].unit = "mW/m2"
    for old, new in spellings.items():
        table.rename_column(old, new)
    return table
