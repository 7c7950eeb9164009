# Licensed under a 3-clause BSD style license - see LICENSE
"""
Changes that say nothing new about a source change no result.

Every output of `add_latents` stays within 0.05 of its error, or a flag that was not there
says what changed.
"""

import numpy as np
import pytest
from astropy.table import MaskedColumn

from astro_xlatent.core.flags import Flag
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.add_latents import add_latents, predict_spectra
from astro_xlatent.table.files import read_table, write_table

#: Share of its error by which an output may move.
SHARE = 0.05
#: Real spectra: a CSC product, one with files beside it, XMM-Newton, eROSITA.
SPECTRA = ("chandra/acisf04938_000N002_r0043_pha3/acisf04938_000N002_r0043_pha3.fits",
           "chandra/3c273/3c273.pi", "xmm_newton/PN/PN.pha",
           "erosita/020_SourceSpec_00001/020_SourceSpec_00001.fits")
ROWS = 40


def numbers(column):
    """Values with NaN where masked."""
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)


def assert_same(before, after, flux_factor=1.0, telling=0):
    """Compare all outputs row by row, but for rows with a new flag out of ``telling``."""
    new = np.asarray(after["xl_flag"]) & ~np.asarray(before["xl_flag"])
    said = (new & int(telling)) != 0
    assert not np.any(new & ~int(telling)), "a flag came without being expected"
    errors = dict.fromkeys(("xl_latent", "xl_latent_err"), numbers(before["xl_latent_err"]))
    for name in before.colnames:
        if name.startswith(("xl_nh", "xl_flux")):
            stem = name.removesuffix("_lolim").removesuffix("_hilim").removesuffix("_ul90")
            width = 0.5 * (numbers(before[f"{stem}_hilim"]) - numbers(before[f"{stem}_lolim"]))
            errors[name] = np.where(np.isfinite(width), width, numbers(before[name]))
        elif name in ("xl_class_prob", "xl_class_other", "xl_outlier", "xl_gof"):
            errors[name] = 1.0
    for name, error in errors.items():
        factor = flux_factor if name.startswith("xl_flux") else 1.0
        one, other = numbers(before[name])[~said], numbers(after[name])[~said] / factor
        assert np.array_equal(np.isnan(one), np.isnan(other)), f"{name} is missing elsewhere"
        error = np.broadcast_to(error, np.shape(before[name]))[~said]
        moved = np.nan_to_num(np.abs(other - one) / np.maximum(error, 1e-300))
        assert moved.max(initial=0) < SHARE, f"{name} moved by {moved.max():.3g} of its error"


@pytest.fixture(scope="module", params=["csc", "erosita", "real"])
def rows(request):
    """Simulated rows of two missions and real ones, with what `add_latents` makes of them."""
    if request.param == "real":
        folder = request.getfixturevalue("shared_data")
        table = read_table(folder / "labels" / "csc2_labelled_detections.csv.gz")[:ROWS]
    else:
        table = simulate_catalog(11, ROWS, request.param)[0]
    return table, add_latents(table)


def of_band(table):
    """Columns of fluxes, counts and their limits and errors."""
    return [name for name in table.colnames if "flux" in name.lower() and table[name].dtype.kind == "f"]


def test_order_of_rows(rows):
    """Rows know nothing of one another."""
    table, before = rows
    order = np.random.default_rng(1).permutation(len(table))
    assert_same(before[order], add_latents(table[order]))


def test_names_in_capitals(rows):
    """Columns are found in any case."""
    table, before = rows
    upper = table.copy(copy_data=False)
    for name in table.colnames:
        upper.rename_column(name, name.swapcase())
    assert_same(before, add_latents(upper))


def test_foreign_columns(rows):
    """Columns that mean nothing to the reader do nothing."""
    table, before = rows
    more = table.copy(copy_data=False)
    for k in range(50):
        more[f"note_{k}"] = ["x"] * len(table)
    assert_same(before, add_latents(more))


def test_units(rows):
    """Energy fluxes in W/m2 are the same fluxes."""
    table, before = rows
    changed = table.copy()
    names = [name for name in of_band(table) if "photflux" not in name.lower()]
    for name in names:
        changed[name] = MaskedColumn(np.ma.asarray(table[name]) * 1e-3, unit="W / m2")
    assert_same(before, add_latents(changed))


def test_brighter_by_a_factor(rows):
    """All fluxes and limits twice as large: the same counts in half the exposure, the same shape."""
    table, before = rows
    if not {"flux_aper_s", "flux_aper_h"} <= set(table.colnames):
        pytest.skip("the rows are not read by their fluxes")
    keep = [n for n in table.colnames if n.startswith("flux_aper") or n in ("name", "theta", "instrument")]
    alone = table[keep]
    before, doubled = add_latents(alone), alone.copy()
    for name in of_band(alone):
        doubled[name] = MaskedColumn(np.ma.asarray(alone[name]) * 2.0, unit=alone[name].unit)
    assert_same(before, add_latents(doubled), flux_factor=2.0)


@pytest.mark.parametrize("suffix", ["fits", "vot", "ecsv", "csv", "parquet"])
def test_through_a_file(rows, suffix, tmp_path):
    """Written and read in any format."""
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    table, before = rows
    write_table(table, tmp_path / f"t.{suffix}")
    assert_same(before, add_latents(read_table(tmp_path / f"t.{suffix}")))


@pytest.fixture(scope="module")
def spectra(shared_data):
    """Real spectra, and what is made of them."""
    from real_spectra import BESIDE

    found = []
    for name in SPECTRA:
        path = shared_data / "spectra" / name
        beside = dict(zip(("arf", "rmf"), (path.parent / b for b in BESIDE.get(name, ())), strict=False))
        found.append(XraySpectrum.read(path, **beside))
    return found, predict_spectra(found)


def changed(spectrum, **fields):
    """A copy of a spectrum with other fields."""
    return XraySpectrum(**{**vars(spectrum), **fields})


def test_order_of_spectra(spectra):
    """Spectra know nothing of one another either."""
    found, before = spectra
    assert_same(before[::-1], predict_spectra(found[::-1]))


def test_longer_exposure(spectra):
    """The same counts in four times the exposure, the background's likewise: a quarter of the flux."""
    found, before = spectra
    longer = [changed(s, exposure=4 * s.exposure, background=None if s.background is None else
                      changed(s.background, exposure=4 * s.background.exposure)) for s in found]
    assert_same(before, predict_spectra(longer), flux_factor=0.25)


def test_other_background_file(spectra):
    """A background of the same counts from half the exposure on twice the area expects the same."""
    found, before = spectra
    off = [s.background and changed(s.background, exposure=s.background.exposure / 2,
                                    backscale=2 * s.background.backscale) for s in found]
    other = [changed(s, background=b) for s, b in zip(found, off, strict=True)]
    assert_same(before, predict_spectra(other))


def test_no_background_says_so(spectra):
    """Without the background another answer may come, and the flag tells."""
    found, before = spectra
    bare = predict_spectra([changed(s, background=None) for s in found])
    had = np.array([s.background is not None for s in found])
    assert had.any() and np.all(np.asarray(bare["xl_flag"])[had] & int(Flag.NO_BACKGROUND))


def test_no_response_says_so(spectra):
    """Without its response a spectrum has the mission's default and says so, or is refused with a reason."""
    found, _ = spectra
    bare = predict_spectra([changed(s, response=None) for s in found])
    said = np.asarray(bare["xl_flag"]) & int(Flag.DEFAULT_RESPONSE | Flag.SPECTRUM_UNREADABLE)
    assert np.all(said) and all(bare["xl_reason"])


def test_comparison_sees_a_change(rows):
    """The comparison itself can fail."""
    _, before = rows
    other = before.copy()
    other["xl_latent"] = before["xl_latent"] + 0.1 * np.ma.asarray(before["xl_latent_err"])
    with pytest.raises(AssertionError, match="xl_latent moved by 0.1"):
        assert_same(before, other)
    other = before.copy()
    other["xl_flag"] = np.asarray(before["xl_flag"]) | int(Flag.PILEUP)
    if not np.all(np.asarray(before["xl_flag"]) & int(Flag.PILEUP)):
        with pytest.raises(AssertionError, match="without being expected"):
            assert_same(before, other)
