# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated catalogs on disk: found, read by us and by Sherpa alike, written whole or not at all."""

import warnings

import numpy as np
import pytest
from astropy.table import Table
from real_spectra import assert_as_sherpa

from astro_xlatent.cli import main as cli
from astro_xlatent.core.errors import MissionError, ParameterError, TableError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.simulate import batch, products
from astro_xlatent.simulate.catalog import observed_chunks
from astro_xlatent.simulate.conditions import CONDITIONS
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.files import read_table
from astro_xlatent.table.sources import open_spectrum

MISSIONS = ("csc", "erosita", "xmm")
SEED, N = 7, 5


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folder, catalog and truth of each mission."""
    found = {}
    for mission in MISSIONS:
        folder = tmp_path_factory.mktemp("sky") / mission
        path = products.write_catalog(folder, N, mission, seed=SEED)
        found[mission] = folder, read_table(path), read_table(folder / products.TRUTH_NAME)
    return found


def _read(written, mission):
    folder, table, _ = written[mission]
    return get_mission(mission).find_spectra(table, folder)


@pytest.mark.parametrize("mission", MISSIONS)
def test_every_row_has_its_spectrum(written, mission):
    """The mission finds a file per row by name; it opens with response and background, nothing flagged."""
    paths = _read(written, mission)
    assert len({str(path) for path in paths}) == N
    for path in paths:
        spectrum, flags, reason = open_spectrum(path)
        assert spectrum.background is not None and spectrum.response is not None
        assert (flags, reason) == (0, "")


@pytest.mark.parametrize("mission", MISSIONS)
def test_spectra_on_disk_are_the_batch(written, mission):
    """Fine bins of the files equal those of `batch` with the same numbers."""
    found, _ = bins_from_spectra([XraySpectrum.read(path) for path in _read(written, mission)])
    expected, truth = batch(SEED, N, mission=mission)
    for name in ("counts", "background", "background_error", "area", "e_lo", "e_hi", "resolution"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-4, atol=1e-9,
                                   err_msg=name)
    np.testing.assert_array_equal(found.valid, expected.valid)
    np.testing.assert_allclose(written[mission][2]["nh"], truth["nh"])


@pytest.mark.parametrize("mission", MISSIONS)
def test_files_fold_the_truth_into_its_counts(written, mission):
    """The true incident spectrum through the files' response gives the expected counts."""
    parts = next(observed_chunks(SEED, N, missions={mission: 1.0}))
    low, high = CONDITIONS[mission].band
    incident = {row: spectrum for part in parts
                for row, spectrum in zip(part.row.tolist(), part.sources.spectrum, strict=True)}
    for row, path in enumerate(_read(written, mission)):
        spectrum = XraySpectrum.read(path)
        center = 0.5 * (spectrum.e_lo + spectrum.e_hi)
        folded = spectrum.response.fold(incident[row]) * spectrum.exposure
        counts = folded[(center > low) & (center < high)].sum()
        assert counts == pytest.approx(written[mission][2]["counts"][row], rel=2e-3)


@pytest.mark.parametrize("mission", MISSIONS)
def test_sherpa_reads_the_same(written, mission):
    """Counts, scales, energies and a folded power law agree with Sherpa; so does the background."""
    io = pytest.importorskip("sherpa.astro.io", reason="Sherpa is not installed")
    from sherpa.utils.logging import SherpaVerbosity

    path = _read(written, mission)[0]
    with SherpaVerbosity("CRITICAL"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = io.read_pha(str(path), use_errors=False)
    spectrum = XraySpectrum.read(path)
    assert_as_sherpa(spectrum, data)
    off = data.get_background()
    np.testing.assert_array_equal(spectrum.background.counts, off.counts)
    assert spectrum.background_scale == pytest.approx(data.get_background_scale(units="counts"), rel=1e-9)


def test_responses_are_shared(written):
    """One matrix per camera serves all rows; the whole stays small."""
    for folder, _, _ in written.values():
        assert 1 <= len(list(folder.rglob("*.rmf.gz"))) <= 2
        assert len(list(folder.rglob("*.arf.gz"))) <= N
        assert sum(p.stat().st_size for p in folder.rglob("*")) < 12e6


def test_the_same_seed_writes_the_same(written, tmp_path):
    """Another run writes the same spectra byte for byte, and the same tables."""
    first, table, _ = written["csc"]
    products.write_catalog(tmp_path / "again", N, "csc", seed=SEED)
    for path in first.rglob("*pha3.fits.gz"):
        assert (tmp_path / "again" / path.relative_to(first)).read_bytes() == path.read_bytes()
    again = read_table(tmp_path / "again" / products.CATALOG_NAME)
    assert all(np.array_equal(table[name], again[name], equal_nan=table[name].dtype.kind == "f")
               for name in table.colnames)


def test_tables_keep_units_and_say_that_they_are_simulated(written):
    """FITS keeps the units and the seed; names cannot be mistaken for real ones."""
    for _, table, truth in written.values():
        assert truth["flux_05_2"].unit == "erg / (s cm2)"
        assert table.meta["SIMSEED"] == SEED and table.meta["SIMULATE"]
        name = "name" if "name" in table.colnames else "IAUNAME"
        assert all(str(value).startswith("SIM J") for value in table[name])


def test_a_full_folder_is_left_alone(tmp_path):
    """Without overwrite a folder with files is refused; with it other files stay."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TableError, match="not empty"):
        products.write_catalog(tmp_path, 2, "csc", spectra=False)
    products.write_catalog(tmp_path, 2, "csc", spectra=False, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert len(Table.read(tmp_path / products.CATALOG_NAME)) == 2


def test_a_broken_run_leaves_nothing(tmp_path, monkeypatch):
    """If writing fails, neither the folder nor pieces of it are there."""
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(products, "_write_spectra", fail)
    with pytest.raises(OSError, match="disk full"):
        products.write_catalog(tmp_path / "sky", 2, "csc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("n", "mission", "error"), [(-1, "csc", ParameterError), (1, "rosat", MissionError)])
def test_bad_arguments_are_refused(tmp_path, n, mission, error):
    """Nothing is made for arguments outside the allowed values."""
    with pytest.raises(error):
        products.write_catalog(tmp_path / "sky", n, mission)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_needs_a_place(tmp_path):
    """A missing parent, or a file in the way, is named."""
    with pytest.raises(TableError, match="no such folder"):
        products.write_catalog(tmp_path / "no" / "sky", 1, "csc")
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="is a file"):
        products.write_catalog(tmp_path / "file", 1, "csc")


def test_command_line(tmp_path, capsys):
    """The subcommand writes, says where, and refuses with exit codes 1 and 2."""
    out = tmp_path / "sky"
    options = ["simulate", "--n", "3", "--mission", "erosita", "-o", str(out), "--no-spectra",
               "--no-progress"]
    assert cli.main([*options, "--classes", "AGN=2,LMXB"]) == 0
    assert "3 rows" in capsys.readouterr().out
    assert set(read_table(out / "truth.fits")["class"]) <= {"AGN", "LMXB"}
    assert not list(out.rglob("*.arf.gz"))
    assert cli.main(options) == 1
    assert "not empty" in capsys.readouterr().err
    assert cli.main([*options, "--overwrite", "--classes", "QSO"]) == 2
    assert "allowed: AGN" in capsys.readouterr().err
    assert cli.main([*options, "--overwrite", "--classes", "AGN=x"]) == 2
