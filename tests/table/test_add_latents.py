# Licensed under a 3-clause BSD style license - see LICENSE
"""add_latents: rows in, rows out, whatever the table looks like."""

import pickle
from datetime import date

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from band_rows import csc_table

from astro_xlatent import decode_flags
from astro_xlatent.core.columns import CLASSES, COLUMNS
from astro_xlatent.core.errors import MissionError, ParameterError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import get_mission
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.add_latents import add_latents, predict_spectra

DEFAULT_COLUMNS = [name for name, spec in COLUMNS.items() if not spec.optional]


@pytest.fixture(scope="module")
def spectrum():
    """A made-up ACIS spectrum with the mission's default response and a background."""
    response = get_mission("csc").default_response("ACIS-S", 2010)
    rng = np.random.default_rng(6)
    on_grid = response.on_grid()
    from astro_xlatent.physics.emission import powerlaw

    rate = on_grid.fold(powerlaw(1.8))
    counts = rng.poisson(500 * rate / rate.sum())
    off = XraySpectrum(counts=rng.poisson(0.02, counts.size), exposure=1e4, backscale=10.0)
    return XraySpectrum(counts=counts, exposure=1e4, response=response, background=off,
                        telescope="CHANDRA", instrument="ACIS")


def test_columns_units_and_meta(random_model):
    """Every column of the registry, with its unit and UCD; the input stays as it was."""
    table = csc_table()
    before = table.copy()
    result = add_latents(table, model=random_model)
    assert result.colnames[: len(table.colnames)] == table.colnames
    assert result.colnames[len(table.colnames):] == DEFAULT_COLUMNS
    for name in DEFAULT_COLUMNS:
        spec = COLUMNS[name]
        assert result[name].shape == (5, *spec.shape), name
        assert result[name].unit == spec.unit, name
        assert result[name].info.meta["ucd"] == spec.ucd, name
    assert table.colnames == before.colnames and not table.meta
    assert all(np.array_equal(table[c], before[c]) for c in table.colnames)
    assert result.meta["XLMODEL"] == "random-0"
    assert all(len(key) <= 8 for key in result.meta)
    np.testing.assert_allclose(result["xl_class_prob"].sum(axis=1), 1, rtol=1e-5)
    assert np.all(result["xl_flag"] & Flag.BANDS_ONLY)
    assert np.all(result["xl_nh_lolim"] <= result["xl_nh"])
    assert np.all(result["xl_nh"] <= result["xl_nh_ul90"])


def test_empty_table(random_model):
    """No rows in, no rows out, all columns there: the schema LSDB asks for."""
    result = add_latents(csc_table()[:0], model=random_model)
    assert len(result) == 0
    full = add_latents(csc_table(1), model=random_model)
    assert [(c, result[c].dtype.kind) for c in result.colnames] == [
        (c, full[c].dtype.kind) for c in full.colnames]


def test_table_without_columns(random_model):
    """An empty Table() of no columns gains the columns, too."""
    assert add_latents(Table(), model=random_model).colnames == DEFAULT_COLUMNS


def test_qtable(random_model):
    """Quantities in, quantities out."""
    table = QTable(csc_table())
    for name in table.colnames[1:]:
        table[name] = u.Quantity(table[name], u.erg / u.s / u.cm**2)
    result = add_latents(table, model=random_model)
    assert isinstance(result, QTable)
    assert result["xl_nh"].unit == u.cm**-2
    plain = add_latents(csc_table(), model=random_model)
    np.testing.assert_allclose(result["xl_latent"], plain["xl_latent"], atol=1e-6)


def test_rows_do_not_influence_one_another(random_model):
    """Order and company change nothing; a bad row stays its own problem."""
    table = csc_table(7)
    result = add_latents(table, model=random_model)
    turned = add_latents(table[::-1], model=random_model)
    np.testing.assert_allclose(turned["xl_latent"][::-1], result["xl_latent"], atol=1e-5)
    for band in "smh":
        for suffix in ("", "_lolim", "_hilim"):
            name = f"flux_aper{suffix}_{band}"
            table[name] = MaskedColumn(table[name], mask=np.arange(7) == 3)
    table["flux_aper_s"][5] = np.nan
    broken = add_latents(table, model=random_model)
    good = [0, 1, 2, 4, 6]
    np.testing.assert_allclose(broken["xl_latent"][good], result["xl_latent"][good], atol=1e-5)
    assert "NO_DATA" in decode_flags(broken["xl_flag"][3])
    assert broken["xl_latent"].mask[3].all() and broken["xl_nh"].mask[3]
    assert "no usable band" in broken["xl_reason"][3]
    assert "PARTIAL_BANDS" in decode_flags(broken["xl_flag"][5])


def test_chunks_change_nothing(random_model):
    """The configured batch size is a matter of memory only."""
    from astro_xlatent import conf

    table = csc_table(9)
    whole = add_latents(table, model=random_model)
    with conf.set_temp("batch_size", 2):
        pieces = add_latents(table, model=random_model)
    np.testing.assert_allclose(pieces["xl_latent"], whole["xl_latent"], atol=1e-5)


def test_spectra_of_all_forms(random_model, spectrum, tmp_path):
    """A column, a list and a mapping of the same files give the same; None falls back on bands."""
    path = tmp_path / "source.pha"
    spectrum.write(path)
    table = csc_table(3)
    table["file"] = [str(path), "", str(path)]
    column = add_latents(table, "file", model=random_model)
    listed = add_latents(table, [path, None, spectrum], model=random_model)
    mapped = add_latents(table, {0: path, "2CXO 2": spectrum}, model=random_model)
    for other in (listed, mapped):
        np.testing.assert_allclose(other["xl_latent"], column["xl_latent"], atol=1e-5)
    assert (column["xl_flag"] & Flag.BANDS_ONLY).astype(bool).tolist() == [False, True, False]
    assert column["xl_gof"].mask.tolist() == [False, True, False]


def test_missing_file_falls_back_on_bands(random_model, tmp_path):
    """A path that is not there is flagged with a reason; the row's bands are used."""
    table = csc_table(2)
    result = add_latents(table, [tmp_path / "absent.pha", None], model=random_model)
    assert {"SPECTRUM_UNREADABLE", "BANDS_ONLY"} <= set(decode_flags(result["xl_flag"][0]))
    assert "absent.pha" in result["xl_reason"][0]
    np.testing.assert_allclose(result["xl_latent"],
                               add_latents(table, model=random_model)["xl_latent"], atol=1e-5)


def test_ids_alone_with_some_spectra(random_model, spectrum):
    """A table without band columns, recognized by its ids: rows without spectrum are masked and told why."""
    table = Table({"obsid": [1, 2], "obi": [0, 0], "region_id": [3, 4]})
    result = add_latents(table, {0: spectrum}, model=random_model)
    assert list(result["xl_latent"].mask[:, 0]) == [False, True]
    assert result["xl_reason"][1] == "no spectrum, and no band columns in the table"
    with pytest.raises(TableError, match="flux_aper_s"):
        add_latents(table, model=random_model)


def test_missing_response_is_replaced_and_flagged(random_model, spectrum, tmp_path):
    """A PHA alone gets the mission's default response."""
    alone = XraySpectrum(**{**vars(spectrum), "response": None, "meta": {"date_obs": "2010-07-01"}})
    result = add_latents(Table({"i": [0]}), [alone], model=random_model)
    assert "DEFAULT_RESPONSE" in decode_flags(result["xl_flag"][0])
    assert "default response" in result["xl_reason"][0]
    assert "RESPONSE_EXTRAPOLATED" not in decode_flags(result["xl_flag"][0])
    unknown = XraySpectrum(**{**vars(alone), "telescope": "HITOMI"})
    result = add_latents(Table({"i": [0]}), [unknown], model=random_model)
    assert "HITOMI" in result["xl_reason"][0]
    assert result["xl_nh"].mask[0]


def test_spectrum_ten_years_ahead(random_model, spectrum):
    """A date past the measured contamination is answered and flagged."""
    year = date.today().year + 10
    alone = XraySpectrum(**{**vars(spectrum), "response": None, "meta": {"date_obs": f"{year}-07-01"}})
    result = add_latents(Table({"i": [0]}), [alone], model=random_model)
    assert {"DEFAULT_RESPONSE", "RESPONSE_EXTRAPOLATED"} <= set(decode_flags(result["xl_flag"][0]))
    assert np.isfinite(result["xl_latent"]).all()


def test_other_mission_is_flagged(random_model, spectrum):
    """The model says so when it was not trained on the telescope."""
    swift = XraySpectrum(**{**vars(spectrum), "telescope": "SWIFT"})
    result = predict_spectra([swift, spectrum], model=random_model)
    assert (result["xl_flag"] & Flag.OUTSIDE_MISSION).astype(bool).tolist() == [True, False]


def test_no_background_is_flagged(random_model, spectrum):
    """Without an off-source spectrum the background is zero, and it is said."""
    bare = XraySpectrum(**{**vars(spectrum), "background": None})
    result = predict_spectra([bare], model=random_model)
    assert "NO_BACKGROUND" in decode_flags(result["xl_flag"][0])


@pytest.mark.parametrize(("kwargs", "error", "match"), [
    ({"spectra": "nowhere"}, TableError, "neither a column"),
    ({"spectra": [None]}, TableError, "1 entries, the table 5 rows"),
    ({"spectra": [1, 2, 3, 4, 5]}, TableError, "allowed: paths"),
    ({"spectra": {"2CXO 99": "x.pha"}}, TableError, "none of its 1 keys"),
    ({"mission": "hubble"}, MissionError, "hubble"),
    ({"prior": {"QUASAR": 1.0}}, ParameterError, "QUASAR"),
    ({"prior": np.ones((5, 4))}, ParameterError, "shape"),
    ({"prior": {"AGN": -1.0}}, ParameterError, "negative"),
    ({"include": ["xl_everything"]}, TableError, "xl_everything"),
])
def test_bad_arguments(random_model, kwargs, error, match):
    """Each names the argument, what arrived and what is allowed."""
    with pytest.raises(error, match=match):
        add_latents(csc_table(), model=random_model, **kwargs)


def test_table_without_usable_columns(random_model):
    """The message says which columns would do."""
    with pytest.raises(MissionError, match="mission="):
        add_latents(Table({"a": [1.0]}), model=random_model)


def test_own_columns_are_not_overwritten(random_model):
    """Enriching twice needs a word from the user."""
    once = add_latents(csc_table(), model=random_model)
    with pytest.raises(TableError, match="replace=True"):
        add_latents(once, model=random_model)
    twice = add_latents(once, model=random_model, replace=True)
    np.testing.assert_allclose(twice["xl_latent"], once["xl_latent"], atol=1e-6)


def test_prior_changes_classes_only(random_model):
    """A prior multiplies class probabilities and leaves everything else alone."""
    table = csc_table()
    flat = add_latents(table, model=random_model)
    certain = add_latents(table, model=random_model, prior={"NS": 1.0})
    assert set(certain["xl_class"]) == {"NS"}
    np.testing.assert_allclose(certain["xl_class_prob"][:, CLASSES.index("NS")], 1)
    np.testing.assert_array_equal(certain["xl_nh"], flat["xl_nh"])
    alike = add_latents(table, model=random_model, prior=np.ones((5, 8)))
    np.testing.assert_allclose(alike["xl_class_prob"], flat["xl_class_prob"], rtol=1e-5)


def test_optional_columns(random_model):
    """The covariance is there on request, and agrees with the errors."""
    result = add_latents(csc_table(), model=random_model, include=["xl_latent_cov", "xl_nh_hilim90"])
    variance = np.diagonal(result["xl_latent_cov"], axis1=1, axis2=2)
    np.testing.assert_allclose(np.sqrt(variance), result["xl_latent_err"], rtol=1e-5)
    assert np.all(result["xl_nh_hilim90"] >= result["xl_nh_hilim"])


def test_class_sets(random_model):
    """The set begins with the most probable class and ends before the level is exceeded."""
    result = add_latents(csc_table(), model=random_model, include=["xl_class_set", "xl_kt"])
    names = [*CLASSES, "other"]
    other = np.array(result["xl_class_other"])[:, None]
    probability = np.concatenate([result["xl_class_prob"] * (1 - other), other], axis=1)
    for row, text in zip(probability, result["xl_class_set"], strict=True):
        order = [names[k] for k in np.argsort(-row)]
        chosen = text.split(",")
        assert chosen == order[: len(chosen)]
        total = np.sort(row)[::-1].cumsum()
        assert len(chosen) == 1 or total[len(chosen) - 1] <= 0.9 + 1e-6
        assert total[len(chosen)] > 0.9 - 1e-6
    assert np.all(result["xl_kt"] > 0) and result["xl_kt"].unit == u.keV


def test_picklable():
    """Dask sends the function to its workers by pickle."""
    assert pickle.loads(pickle.dumps(add_latents)) is add_latents


def test_progress_bar(random_model, capfd):
    """A bar on request, none otherwise."""
    add_latents(csc_table(), model=random_model, progress=True)
    assert "add_latents" in capfd.readouterr().err
    add_latents(csc_table(), model=random_model)
    assert capfd.readouterr().err == ""
