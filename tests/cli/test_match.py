# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent match`` and the joined table, on files."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from enriched import make_enriched

import astro_xlatent
from astro_xlatent.cli import main as cli
from astro_xlatent.core.errors import TableError
from astro_xlatent.compare.match import join_pairs, match_catalogs
from astro_xlatent.table.files import read_table, write_table


@pytest.fixture
def sky():
    """Two enriched tables of eight sources; the second in another order, its names in capitals."""
    tables = []
    for order, names in ((np.arange(8), ("ra", "dec", "pos_err")),
                         (np.arange(8)[::-1], ("RA", "DEC", "POS_ERR"))):
        table = make_enriched(9)[:8]
        table["ra"] = np.arange(8) * 45.0
        table["dec"] = np.linspace(-90, 90, 8)
        table["pos_err"] = 1.5 * u.arcsec
        table["xl_latent_err"] = np.full((8, 8), 0.4, np.float32)
        table = table[order]
        for old, new in zip(("ra", "dec", "pos_err"), names):
            table.rename_column(old, new)
        tables.append(table)
    tables[1]["only_b"] = np.arange(8)
    return tables


@pytest.fixture
def files(sky, tmp_path):
    """The tables as a FITS file and a VOTable."""
    paths = tmp_path / "a.fits", tmp_path / "b.vot"
    for table, path in zip(sky, paths):
        write_table(table, path)
    return paths


def run(*args):
    """Exit code of a command line."""
    try:
        return cli.main([str(a) for a in args])
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize("suffix", ["fits", "vot", "ecsv"])
def test_best_pairs_with_all_columns(files, tmp_path, capsys, suffix):
    """Every source finds itself; columns of both tables stand beside the pair, units and UCDs kept."""
    out = tmp_path / f"pairs.{suffix}"
    assert run("match", *files, "-o", out) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 8 of 8 candidate pairs" in printed and "changed" in printed
    pairs = read_table(out)
    assert list(pairs["xm_row_b"]) == list(7 - np.asarray(pairs["xm_row_a"]))
    assert list(pairs["name_a"]) == list(pairs["name_b"]) and "only_b" in pairs.colnames
    assert pairs["xm_sep"].unit == u.arcsec and pairs["xl_nh_a"].unit == 1 / u.cm**2
    assert pairs["xl_latent_a"].shape == (8, 8)
    if suffix != "fits":
        assert pairs["xm_prob"].meta["ucd"] == "stat.probability;meta.id.cross"


def test_options(files, tmp_path, capsys):
    """Columns, errors as angles and columns, position only, and every pair."""
    out = tmp_path / "o.ecsv"
    base = ["match", *files, "-o", out, "--overwrite"]
    assert run(*base, "--columns", "none", "--position-only") == 0
    assert "xm_spec_logb" not in read_table(out).colnames and "ra" not in read_table(out).colnames
    assert run(*base, "--columns", "name,only_b", "--a-error", "2arcsec", "--b-error", "POS_ERR") == 0
    assert read_table(out).colnames[-3:] == ["name_a", "name_b", "only_b"]
    assert run(*base, "--all", "--flux", "none", "--min-prob", "1.1", "--columns", "name") == 0
    assert len(read_table(out)) == 0 and "xm_flux_ratio" not in read_table(out).colnames
    capsys.readouterr()
    assert run(*base, "--a-error", "2 apples") == 1
    assert "neither a column nor an angle" in capsys.readouterr().err
    assert run(*base, "--columns", "nonsense") == 1
    assert "neither table has nonsense" in capsys.readouterr().err


def test_refusals(files, sky, tmp_path, capsys):
    """An existing output stops before work; a table without latents says what to do."""
    out = tmp_path / "o.fits"
    out.write_text("mine")
    assert run("match", *files, "-o", out) == 1
    assert out.read_text() == "mine" and "--overwrite" in capsys.readouterr().err
    bare = tmp_path / "bare.ecsv"
    sky[0]["ra", "dec", "pos_err"].write(bare)
    assert run("match", bare, files[1], "-o", tmp_path / "x.fits") == 1
    assert "enrich it" in capsys.readouterr().err
    assert run("match", files[0], tmp_path / "absent.fits", "-o", tmp_path / "x.fits") == 1
    assert run("match", *files, "-o", tmp_path / "x.txt") == 2


def test_latent_space_survives_votable(files, sky):
    """Tables read back from VOTable say their latent space, as matching needs it."""
    assert read_table(files[1]).meta["XLSPACE"] == sky[1].meta["XLSPACE"]


def test_join_names_and_meta(sky):
    """Names that differ only by case are told apart; metadata on which both agree is kept."""
    a, b = sky
    b.meta["XLMODEL"] = "other-2"
    pairs = match_catalogs(a, b)
    joined = join_pairs(a, b, pairs, suffixes=("_csc", "_ero"))
    assert {"ra_csc", "RA_ero", "only_b"} <= set(joined.colnames)
    assert len({name.lower() for name in joined.colnames}) == len(joined.colnames)
    assert joined.meta["XLSPACE"] == "test" and "XLMODEL" not in joined.meta
    assert joined.meta["XMSHARE"] == pairs.meta["XMSHARE"]
    assert join_pairs(a, b, pairs[:0]).colnames == join_pairs(a, b, pairs).colnames
    with pytest.raises(TableError, match="neither table has x"):
        join_pairs(a, b, pairs, columns=["x"])


def test_top_level_names(sky):
    """What is needed most is had from the package; ``combine`` is one of them."""
    a, b = sky
    assert len(astro_xlatent.match_catalogs(a, b)) == 8
    joint = astro_xlatent.combine([a, b[::-1]])
    np.testing.assert_array_equal(joint.n_obs, 2)
    assert astro_xlatent.combine([a]).n_obs.tolist() == [1] * 8
    assert len(astro_xlatent.group_latents(a)) == 8
    assert len(astro_xlatent.neighbors(Table(a), 0, k=3)) == 3
    assert len(astro_xlatent.outliers(a, n=2, k=2, exclude=())) == 2
