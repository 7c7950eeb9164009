# Licensed under a 3-clause BSD style license - see LICENSE
"""The same source twice in a catalog: the best pairs are still one to one."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_xlatent.compare.match import match_catalogs


@pytest.mark.parametrize(("copies_a", "copies_b"), [(2, 1), (1, 2), (3, 2)])
def test_no_row_is_twice_the_best(copies_a, copies_b):
    """Equal weights do not make two rows the best of one."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 1, 40), rng.uniform(0, 1, 40)
    a, b = (Table({"ra": np.tile(ra, n), "dec": np.tile(dec, n)}) for n in (copies_a, copies_b))
    pairs = match_catalogs(a, b, a_error=0.5 * u.arcsec, b_error=0.5 * u.arcsec, spectral=False, share=0.5)
    best = pairs[pairs["xm_best"]]
    assert len(pairs) == 40 * copies_a * copies_b
    assert len(best) == 40
    assert len(set(best["xm_row_a"])) == len(set(best["xm_row_b"])) == len(best)
    assert (best["xm_rank"] == 1).all()
