# Licensed under a 3-clause BSD style license - see LICENSE
"""``simulate`` killed anywhere: no former catalog beside new spectra, no leftovers of the run."""

import pytest
from astropy.io import fits
from kills import needs_fork, run_killed, visible

from astro_xlatent.core.errors import TableError
from astro_xlatent.simulate.products import CATALOG_NAME, TRUTH_NAME, write_catalog

pytestmark = needs_fork
N = 6


def seeds(folder):
    """Seeds of the tables that are there; every one must be whole."""
    return {name: fits.getheader(folder / name, 1)["SIMSEED"] for name in (TRUTH_NAME, CATALOG_NAME)
            if (folder / name).exists()}


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """How many changes of files a run takes: found by dying later and later."""
    folder, at = tmp_path_factory.mktemp("count") / "sim", 16
    write_catalog(folder, N, "csc", seed=1)
    while run_killed(lambda: write_catalog(folder, N, "csc", seed=1, overwrite=True), at):
        at = int(at * 1.3)
    return at


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9])
def test_killed_while_overwriting(tmp_path, steps, share):
    """A catalog that is there belongs to the truth and the spectra beside it; the next run mends all."""
    folder = tmp_path / "sim"
    write_catalog(folder, N, "csc", seed=1)
    (folder / "notes.txt").write_text("mine")
    before = visible(folder)
    run_killed(lambda: write_catalog(folder, N, "csc", seed=2, overwrite=True), max(1, int(share * steps)))
    found = seeds(folder)
    if CATALOG_NAME in found:
        assert found[CATALOG_NAME] == found[TRUTH_NAME]
    else:
        with pytest.raises(TableError, match=r"holds no catalog\.fits: a run may have been cut"):
            write_catalog(folder, N, "csc", seed=2)
    write_catalog(folder, N, "csc", seed=2, overwrite=True)
    assert seeds(folder) == {TRUTH_NAME: 2, CATALOG_NAME: 2}
    assert before <= visible(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["sim"]
    assert (folder / "notes.txt").read_text() == "mine"


def test_killed_in_an_empty_place(tmp_path, steps):
    """Nothing is visible of a run that never came to its end, and the next one needs no permission."""
    run_killed(lambda: write_catalog(tmp_path / "sim", N, "csc"), steps // 3)
    assert not (tmp_path / "sim").exists()
    write_catalog(tmp_path / "sim", N, "csc")
    assert [path.name for path in tmp_path.iterdir()] == ["sim"]
