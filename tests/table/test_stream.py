# Licensed under a 3-clause BSD style license - see LICENSE
"""Tables taken in pieces: as the whole table, resumed, refused."""

import numpy as np
import pytest
from band_rows import csc_table

from astro_xlatent import add_latents
from astro_xlatent.cli import main as cli
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.provenance import PROVENANCE_KEYS
from astro_xlatent.table import stream
from astro_xlatent.table.files import read_table, write_table

ROWS = 25
FORMS = ("fits", "fits.gz", "csv", "tsv", "ecsv", "vot", "parquet")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces of ten rows."""
    monkeypatch.setattr(stream, "PIECE", 10)


def source(tmp_path, form):
    """A file of rows with text, masks, a comment, a unit and a row without data."""
    table = csc_table(ROWS)
    table["name"] = [*table["name"][:3], 'a "quoted", name', *table["name"][4:]]
    table["n"] = np.ma.masked_equal(np.arange(ROWS), 5)
    table["ok"] = np.arange(ROWS) % 2 == 0
    for name in table.colnames:
        if name.startswith("flux"):
            table[name].unit = "erg / (s cm2)"
            table[name][14] = np.nan
    table["name"].description = "of the source"
    table.meta["ORIGIN"] = "somewhere"
    path = tmp_path / f"in.{form}"
    write_table(table, path)
    return path


def run(path, out):
    """Exit code of the command."""
    return cli.main(["enrich", str(path), "-o", str(out), "--no-progress"])


def stopped_after(monkeypatch, path, out, pieces, error):
    """Run until some pieces are done."""
    from astro_xlatent.table import add_latents as module

    done, real = [], module.add_latents

    def add(*args, **options):
        if len(done) == pieces:
            raise error
        done.append(1)
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "add_latents", add)
        return run(path, out)


@pytest.mark.parametrize("form", FORMS)
def test_as_the_whole_table(tmp_path, form):
    """Values, masks, types, units and metadata are those of a table that is read at once."""
    path, out, whole = source(tmp_path, form), tmp_path / f"out.{form}", tmp_path / f"whole.{form}"
    assert run(path, out) == 0
    write_table(add_latents(read_table(path)), whole)
    found, wanted = read_table(out), read_table(whole)
    assert found.colnames == wanted.colnames
    assert not list(tmp_path.glob("*.parts"))
    for name in wanted.colnames:
        a, b = found[name], wanted[name]
        assert (a.unit, a.description, a.info.meta) == (b.unit, b.description, b.info.meta), name
        assert a.dtype.kind == b.dtype.kind
        masks = [np.ma.getmaskarray(np.ma.asarray(c)) for c in (a, b)]
        np.testing.assert_array_equal(*masks)
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a.filled(0) if hasattr(a, "filled") else a,
                                       b.filled(0) if hasattr(b, "filled") else b, rtol=1e-3, atol=2e-3)
        else:
            assert a.tolist() == b.tolist()
    kept = set(wanted.meta) - {"comments", "XLDATE"}
    assert {k: found.meta[k] for k in kept} == {k: wanted.meta[k] for k in kept}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_goes_on_where_it_was(tmp_path, monkeypatch, capsys, form, error):
    """The bytes after an interruption are those of a run without one."""
    monkeypatch.setitem(PROVENANCE_KEYS, "XLDATE", "")
    path, out, straight = source(tmp_path, form), tmp_path / f"out.{form}", tmp_path / f"straight.{form}"
    monkeypatch.setattr("astro_xlatent.table.add_latents.provenance_meta", lambda *a, **k: {"XLMODEL": "m-1"})
    assert run(path, straight) == 0
    assert stopped_after(monkeypatch, path, out, 1, error) in (1, 130)
    assert "the same command goes on" in capsys.readouterr().err
    assert not out.exists()
    assert stopped_after(monkeypatch, path, out, 2, None) == 0
    assert out.read_bytes() == straight.read_bytes()


def test_other_settings_are_refused(tmp_path, monkeypatch, capsys):
    """What another version began is not mixed with what this one makes."""
    path, out = source(tmp_path, "fits"), tmp_path / "out.fits"
    assert stopped_after(monkeypatch, path, out, 1, KeyboardInterrupt()) == 130
    monkeypatch.setattr(stream, "package_version", lambda: "9.9")
    assert run(path, out) == 1
    said = capsys.readouterr().err
    assert "is now '9.9'" in said
    assert "remove the folder" in said


def test_two_processes_on_one_output(tmp_path):
    """The second one is refused while the first works."""
    out = tmp_path / "out.fits"
    with stream._parts_folder(out, {}), pytest.raises(TableError, match="another process"):
        with stream._parts_folder(out, {}):
            pass


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    """The output place is tried before the first row."""
    path = source(tmp_path, "fits")
    (tmp_path / "out.fits.parts").write_text("in the way")
    assert stopped_after(monkeypatch, path, tmp_path / "out.fits", 0, AssertionError) == 1
    assert "choose another place" in capsys.readouterr().err
