# Licensed under a 3-clause BSD style license - see LICENSE
"""A folder without any matching spectrum was passed over in silence; a number was taken for the wrong row."""

import pytest
from astropy.table import Table
from band_rows import csc_table

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.table.add_latents import add_latents
from astro_xlatent.table.sources import resolve_spectra


def detections():
    """Rows of which the file names are known."""
    table = csc_table(3)
    table["obsid"], table["obi"], table["region_id"] = [100, 200, 300], 0, [1, 2, 3]
    return table


def test_folder_without_a_match(tmp_path, random_model):
    """What was looked for is said."""
    with pytest.raises(TableError, match=r"no spectrum of any of the 3 rows.*acisf00100_000N\*_r0001_pha3"):
        add_latents(detections(), tmp_path, model=random_model)
    with pytest.raises(TableError, match="do not tell the file names of mission csc"):
        add_latents(csc_table(3), tmp_path, model=random_model)


def test_folder_with_some_matches(tmp_path, random_model):
    """Rows that fall back on bands say why."""
    (tmp_path / "acisf00200_000N001_r0002_pha3.fits").write_bytes(b"damaged")
    found = add_latents(detections(), tmp_path, model=random_model)
    assert [bool(f & Flag.SPECTRUM_UNREADABLE) for f in found["xl_flag"]] == [False, True, False]
    assert all(f & Flag.BANDS_ONLY for f in found["xl_flag"])
    assert ["no spectrum of this row in" in r for r in found["xl_reason"]] == [True, False, True]


def test_number_that_is_a_name():
    """A value of the name column goes before a row number."""
    table = Table({"name": [3, 1, 2]})
    assert resolve_spectra(table, {1: "one.pha"}, None) == [None, "one.pha", None]
    assert resolve_spectra(table, {"1": "one.pha"}, None) == [None, "one.pha", None]
    letters = Table({"name": [b"x", b"y"]})
    assert resolve_spectra(letters, {"y": "y.pha", 0: "x.pha"}, None) == ["x.pha", "y.pha"]
    assert resolve_spectra(Table({"NAME": [10, 20]}), {0: "a", 1: "b"}, None) == ["a", "b"]


@pytest.mark.parametrize(("spectra", "match"), [
    ({0: "a", 1: "b"}, "key 1 is a value of the column 'name', 0 is not"),
    ({1: "a", "1": "b"}, "both mean row 1"),
    ({7: "a"}, "none of its 1 keys"),
])
def test_ambiguous_keys(spectra, match):
    """What can mean two things is refused."""
    with pytest.raises(TableError, match=match):
        resolve_spectra(Table({"name": [3, 1, 2]}), spectra, None)
