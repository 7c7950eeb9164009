# Licensed under a 3-clause BSD style license - see LICENSE
"""`XraySpectrum` as an object: checks, scales, writing, pickling, Sherpa."""

import pickle

import numpy as np
import pytest
from real_spectra import assert_as_sherpa

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.bins import FINE_EDGES
from astro_xlatent.spectra.spectrum import XraySpectrum


@pytest.mark.parametrize("kwargs, reason", [
    ({"counts": [1, np.nan], "exposure": 1}, "counts must be one-dimensional, finite"),
    ({"counts": [1, -1], "exposure": 1}, "counts must be one-dimensional, finite"),
    ({"counts": [[1], [1]], "exposure": 1}, "counts must be one-dimensional"),
    ({"counts": [1, 1], "exposure": 0}, "exposure is 0"),
    ({"counts": [1, 1], "exposure": np.nan}, "exposure is nan"),
    ({"counts": [1, 1], "exposure": 1, "quality": [0]}, r"quality has shape \(1,\)"),
])
def test_checks(kwargs, reason):
    """Arrays and exposure are checked on construction."""
    with pytest.raises(SpectrumError, match=reason):
        XraySpectrum(**kwargs)


def test_background_scale():
    """The scale is the ratio of backscale x areascale x exposure."""
    off = XraySpectrum([4.0, 4.0], exposure=200.0, backscale=8.0, areascale=2.0)
    on = XraySpectrum([1.0, 2.0], exposure=100.0, backscale=2.0, areascale=0.5, background=off)
    assert on.background_scale == pytest.approx(2.0 / 8.0 * 0.5 / 2.0 * 100.0 / 200.0)
    off.flags = Flag.NO_BACKSCALE
    assert on.background_scale == pytest.approx(0.5 / 2.0 * 100.0 / 200.0)
    assert off.background_scale == 0.0


def test_fine_groups(ogip):
    """Each channel joins the fine bin that holds its center, those outside none."""
    spectrum = XraySpectrum.read(ogip.source())
    groups = spectrum.fine_groups()
    center = 0.5 * (spectrum.e_lo + spectrum.e_hi)
    assert groups[0] == -1
    inside = groups >= 0
    assert np.all(FINE_EDGES[groups[inside]] <= center[inside])
    assert np.all(center[inside] < FINE_EDGES[groups[inside] + 1])


def test_pickle(ogip):
    """A pickled spectrum is the same, response and background included."""
    path = ogip.source(header={"BACKFILE": "b.pha"})
    ogip.save("b.pha", ogip.spectrum_hdu())
    spectrum = XraySpectrum.read(path)
    copy = pickle.loads(pickle.dumps(spectrum))
    np.testing.assert_array_equal(copy.counts, spectrum.counts)
    np.testing.assert_array_equal(copy.response.area, spectrum.response.area)
    assert repr(copy) == repr(spectrum)


def test_write_read(ogip, load_sherpa):
    """A written spectrum reads back the same, here and in Sherpa."""
    path = ogip.source(header={"BACKFILE": "b.pha", "OBJECT": "A star"}, first=0)
    ogip.save("b.pha", ogip.spectrum_hdu(counts=np.full(32, 9), first=0))
    spectrum = XraySpectrum.read(path)
    spectrum.quality[3] = 5
    out = ogip.folder / "new" / "out.pha"
    out.parent.mkdir()
    spectrum.write(out)
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.arf", "out.pha", "out.rmf", "out_bkg.pha"]
    again = XraySpectrum.read(out)
    for name in ("counts", "channel", "quality", "grouping"):
        np.testing.assert_array_equal(getattr(again, name), getattr(spectrum, name))
    assert again.background.counts.sum() == 9 * 32
    assert again.background_scale == spectrum.background_scale
    assert again.meta["object"] == "A star"
    data = load_sherpa(out)
    assert_as_sherpa(again, data)
    np.testing.assert_array_equal(data.get_background().counts, np.full(32, 9))


def test_write_whole_or_not(ogip):
    """Nothing is replaced unasked, and no temporary file stays behind."""
    spectrum = XraySpectrum.read(ogip.source())
    out = ogip.folder / "out.pha"
    spectrum.write(out)
    before = out.read_bytes()
    with pytest.raises(SpectrumError, match="exists; pass overwrite=True"):
        spectrum.write(out)
    (ogip.folder / "out2.arf").write_text("precious")
    with pytest.raises(SpectrumError, match=r"out2\.arf: the file exists"):
        spectrum.write(ogip.folder / "out2.pha")
    assert not (ogip.folder / "out2.pha").exists()
    with pytest.raises(SpectrumError, match="no such folder; make it first"):
        spectrum.write(ogip.folder / "nowhere" / "out.pha")
    spectrum.write(out, overwrite=True)
    assert out.read_bytes() == before
    assert not [p for p in ogip.folder.iterdir() if p.name.startswith(".")]


def test_write_fractional_and_bare(tmp_path):
    """Counts that are no whole numbers survive, also without a response."""
    path = tmp_path / "bare.pha"
    XraySpectrum([0.5, 2.25], exposure=10.0, backscale=np.array([1.0, 2.0])).write(path)
    again = XraySpectrum.read(path, missing_response="ignore")
    assert again.counts.tolist() == [0.5, 2.25]
    assert again.backscale.tolist() == [1.0, 2.0]


def test_written_gz(ogip):
    """A name in .gz gives compressed files that read back."""
    spectrum = XraySpectrum.read(ogip.source())
    out = ogip.folder / "z.pha.gz"
    spectrum.write(out)
    assert out.read_bytes()[:2] == b"\x1f\x8b"
    np.testing.assert_array_equal(XraySpectrum.read(out).counts, spectrum.counts)
