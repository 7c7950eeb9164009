# Licensed under a 3-clause BSD style license - see LICENSE
"""What astronomers hand over as a table: frames, rows, positions, odd types; and what is none."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Row, Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.missions.csc import CSC
from astro_xlatent.missions.base import get_mission
from astro_xlatent.table.add_latents import add_latents

from band_rows import csc_table


@pytest.mark.parametrize("table", [None, "csc.fits", 3, [1, 2]])
def test_no_table(table, tmp_path):
    """A TypeError says what is needed, and of a path how to read it."""
    match = r"Table\.read\('csc\.fits'\)" if isinstance(table, str) else "an astropy Table"
    with pytest.raises(TypeError, match=match):
        add_latents(table)
    with pytest.raises(TypeError, match="read it first"):
        add_latents(tmp_path)


def with_missing():
    """Five rows, the fluxes of the third masked."""
    table = csc_table()
    for name in table.colnames[1:]:
        table[name] = MaskedColumn(table[name], mask=np.arange(5) == 2)
    return table


@pytest.mark.parametrize("kind", ["pandas", "nullable", "polars", "pyarrow"])
def test_data_frames(kind, random_model):
    """The same kind comes back, with the user's columns as they were and the values of a table."""
    pytest.importorskip("narwhals")
    library = pytest.importorskip("pandas" if kind == "nullable" else kind)
    table = with_missing()
    data = {name: table[name].tolist() for name in table.colnames}
    frame = library.table(data) if kind == "pyarrow" else library.DataFrame(data)
    if kind == "nullable":
        frame = frame.convert_dtypes().set_index(np.arange(5) * 2 + 1)
    found = add_latents(frame, model=random_model, group_by="name")
    expected = add_latents(table, model=random_model, group_by="name")
    assert type(found) is type(frame)
    names = found.column_names if kind == "pyarrow" else list(found.columns)
    assert names[:10] == list(data) and "xl_latent_7" in names and "xl_class_prob_HM_STAR" in names
    if kind == "nullable":
        assert list(found.index) == [1, 3, 5, 7, 9] and found["flux_aper_s"].equals(frame["flux_aper_s"])
    for name in ("xl_nh", "xl_flag"):
        wanted = np.ma.filled(expected[name].astype(float), np.nan)
        np.testing.assert_allclose(np.asarray(found[name], float), wanted)
    classes = found["xl_class"].to_pylist() if kind == "pyarrow" else list(found["xl_class"])
    assert classes[:2] == list(expected["xl_class"][:2])
    assert classes[2] is None or classes[2] != classes[2]
    with pytest.raises(TableError, match="replace=True"):
        add_latents(found, model=random_model)
    again = add_latents(found, model=random_model, replace=True)
    assert type(again) is type(frame)


def test_row_and_qtable(random_model):
    """A row comes back as a row."""
    table = csc_table()
    row, whole = add_latents(table[3], model=random_model), add_latents(table, model=random_model)
    assert isinstance(row, Row)
    np.testing.assert_allclose(row["xl_latent"], whole["xl_latent"][3], atol=1e-5)
    assert isinstance(add_latents(QTable(table)[3], model=random_model)["xl_nh"], u.Quantity)


def test_odd_types(random_model):
    """Big-endian numbers, bytes, and columns of None alone are read like others."""
    plain = csc_table()
    odd = Table({name: plain[name].astype("S9" if name == "name" else ">f4") for name in plain.colnames})
    odd["empty"] = Column(np.full(5, None, object))
    odd["pileup_flag"] = Column(np.full(5, None, object))
    found = add_latents(odd, model=random_model, group_by="name")
    expected = add_latents(plain, model=random_model)
    np.testing.assert_allclose(found["xl_latent"], expected["xl_latent"], atol=1e-4)
    assert found["empty"].tolist() == [None] * 5


def test_arguments_as_meant(random_model):
    """One optional column as a string, and a mission as its class."""
    found = add_latents(csc_table(), mission=CSC, model=random_model, include="xl_latent_cov")
    assert found["xl_latent_cov"].shape == (5, 8, 8)
    assert get_mission(CSC).name == "csc"
    with pytest.raises(TableError, match="xl_everything"):
        add_latents(csc_table(), model=random_model, include="xl_everything")


def test_position_column():
    """A SkyCoord column does for the prior what ra and dec do."""
    table = csc_table()
    ra, dec = np.linspace(0, 300, 5), np.linspace(-60, 60, 5)
    coords = table.copy()
    table["ra"], table["dec"] = ra, dec
    coords["position"] = SkyCoord(ra * u.deg, dec * u.deg).galactic
    one, other = (add_latents(t, prior="survey") for t in (table, coords))
    np.testing.assert_allclose(one["xl_class_prob"], other["xl_class_prob"], rtol=1e-4)


@pytest.mark.parametrize("call", ["prior", "bands"])
def test_columns_that_differ_by_case(call, random_model):
    """Refused wherever they are needed, and nowhere else."""
    table = csc_table()
    table["ra"], table["dec"] = 10.0, 20.0
    table["RA" if call == "prior" else "FLUX_APER_S"] = 11.0
    if call == "prior":
        add_latents(table, model=random_model)
    else:
        table.rename_column("flux_aper_s", "Flux_aper_s")
    with pytest.raises(TableError, match="differ only by case"):
        add_latents(table, prior="survey" if call == "prior" else None)
