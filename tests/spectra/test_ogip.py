# Licensed under a 3-clause BSD style license - see LICENSE
"""Reading OGIP spectra: habits of missions, refusals, registration."""

import gzip
import threading

import numpy as np
import pytest
from astropy.io import fits, registry
from astropy.table import Table
from real_spectra import assert_as_sherpa

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.flags import decode_flags
from astro_xlatent.spectra._companions import is_absent
from astro_xlatent.spectra.spectrum import XraySpectrum


def test_plain(ogip):
    """Counts, exposure, scales and channel energies are those of the file."""
    spectrum = XraySpectrum.read(ogip.source(), format="ogip")
    np.testing.assert_array_equal(spectrum.counts, np.arange(32))
    assert (spectrum.exposure, spectrum.backscale, spectrum.areascale) == (1000.0, 0.01, 1.0)
    np.testing.assert_allclose(spectrum.e_lo, ogip.c_edges[:-1], rtol=1e-6)
    assert (spectrum.telescope, spectrum.instrument) == ("CHANDRA", "ACIS")
    assert decode_flags(spectrum.flags) == ["NO_BACKGROUND"]


def test_not_registered_on_table():
    """The format stands on our class alone: Table.read is left in peace."""
    assert "ogip" in registry.get_formats(XraySpectrum)["Format"]
    assert "ogip" not in registry.get_formats(Table)["Format"]


def test_identified_by_header(ogip):
    """A spectrum is known by its header whatever its name; other tables are not."""
    assert XraySpectrum.read(ogip.source("picture.jpg")).counts.sum() == 496
    with pytest.raises(SpectrumError, match="no SPECTRUM extension; its table extensions: SPECRESP"):
        XraySpectrum.read(ogip.folder / "s.arf")


def test_unknown_format(ogip):
    """Another format name is refused by astropy's registry."""
    with pytest.raises(registry.IORegistryError, match="No reader defined"):
        XraySpectrum.read(ogip.source(), format="jpeg")


def test_not_a_path():
    """Something that is no path is named by its type."""
    with pytest.raises(SpectrumError, match="path-like, got int"):
        XraySpectrum.read(5)


@pytest.mark.parametrize("header, reason", [
    ({"HDUCLAS2": "NET"}, "NET spectrum.*give the TOTAL spectrum"),
    ({"HDUCLAS4": "TYPE:II"}, "type II.*dmtype2split"),
    ({"INSTRUME": "HRC-I"}, "HRC spectrum.*ACIS"),
    ({"EXPOSURE": 0.0}, "EXPOSURE is 0.0; a positive"),
    ({"EXPOSURE": -5.0}, "EXPOSURE is -5.0; a positive"),
    ({"EXPOSURE": None}, "EXPOSURE is None; a positive"),
    ({"EXPOSURE": "NaN"}, "EXPOSURE is 'NaN'; a positive"),
    ({"AREASCAL": -1.0}, "areascale is -1.0"),
])
def test_refused_by_header(ogip, header, reason):
    """Spectra of other kinds, or without a usable exposure, are refused with a remedy."""
    with pytest.raises(SpectrumError, match=reason) as caught:
        XraySpectrum.read(ogip.source(header=header))
    assert "s.pha" in str(caught.value)


def test_nan_exposure_card(ogip):
    """A bare NaN in the header is no exposure."""
    path = ogip.source()
    data = path.read_bytes()
    where = data.index(b"EXPOSURE= ")
    path.write_bytes(data[:where] + b"EXPOSURE=                  NAN".ljust(80) + data[where + 80:])
    with pytest.raises(SpectrumError, match="EXPOSURE is nan"):
        XraySpectrum.read(path)


def test_rate_and_missing_columns(ogip):
    """RATE spectra that are no counts, and tables without counts, are told apart."""
    rate = fits.Column("RATE", "E", unit="count/s", array=np.full(32, 1.2345e-3))
    with pytest.raises(SpectrumError, match="RATE spectrum .* 0.23 off a whole.*give the file in counts"):
        XraySpectrum.read(ogip.source(columns=[rate], drop=("COUNTS",)))
    with pytest.raises(SpectrumError, match="CHANNEL and COUNTS are needed, it has CHANNEL"):
        XraySpectrum.read(ogip.source(drop=("COUNTS",)))


def test_type_two_by_shape(ogip):
    """Vector-valued COUNTS mean type II even if the header is silent."""
    hdu = fits.BinTableHDU.from_columns([fits.Column("CHANNEL", "8J", array=np.ones((3, 8))),
                                         fits.Column("COUNTS", "8J", array=np.ones((3, 8)))], name="SPECTRUM")
    with pytest.raises(SpectrumError, match="type II"):
        XraySpectrum.read(ogip.save("two.pha", hdu))


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_bad_counts(ogip, bad):
    """NaN, infinite or negative counts are refused with the row."""
    counts = np.ones(32)
    counts[4] = bad
    with pytest.raises(SpectrumError, match=r"COUNTS has 1 values .* in row 5"):
        XraySpectrum.read(ogip.source(counts=counts))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("style", ["fixed", "variable", "scalar"])
@pytest.mark.parametrize("extname", ["MATRIX", "SPECRESP MATRIX", "RSP_MATRIX"])
def test_rmf_styles(ogip, load_sherpa, first, style, extname):
    """Channels from 0 or 1 and all kinds of group columns give Sherpa's fold."""
    ogip.arf()
    ogip.rmf(first=first, style=style, extname=extname)
    path = ogip.save("s.pha", ogip.spectrum_hdu(first=first, header={"TLMIN1": first}))
    spectrum = XraySpectrum.read(path)
    assert spectrum.response.first_channel == first
    assert_as_sherpa(spectrum, load_sherpa(path))


@pytest.mark.parametrize("word", ["", " ", "NONE", "none", None])
def test_absent_words(ogip, word):
    """All ways to say "none" mean the same, and the response is never guessed."""
    assert word is None or is_absent(word)
    path = ogip.save("alone.pha", ogip.spectrum_hdu(
        header={"RESPFILE": word, "ANCRFILE": word, "BACKFILE": word}))
    with pytest.raises(ResponseError, match="no RMF found .*missing_response='ignore'"):
        XraySpectrum.read(path)
    spectrum = XraySpectrum.read(path, missing_response="ignore")
    assert spectrum.response is None
    assert spectrum.background is None
    with pytest.raises(SpectrumError, match="has no response"):
        spectrum.e_lo  # noqa: B018


def test_missing_arf(ogip):
    """A pure RMF without an ARF is an error, not an area of one."""
    path = ogip.source()
    (ogip.folder / "s.arf").unlink()
    with pytest.raises(ResponseError, match="no ARF found.*pass arf="):
        XraySpectrum.read(path)
    assert XraySpectrum.read(path, missing_response="ignore").response is None


def test_bad_missing_response(ogip):
    """The argument is a closed set."""
    with pytest.raises(SpectrumError, match="must be 'raise' or 'ignore'"):
        XraySpectrum.read(ogip.source(), missing_response="guess")


def test_given_files_win(ogip):
    """Files given as arguments are used instead of those in the header."""
    path = ogip.source()
    other = ogip.arf("twice.arf", area=2 * ogip.area())
    ratio = XraySpectrum.read(path, arf=other).response.area / XraySpectrum.read(path).response.area
    np.testing.assert_allclose(ratio, 2.0)
    background = ogip.save("b.pha", ogip.spectrum_hdu(counts=np.full(32, 7)))
    assert XraySpectrum.read(path, background=background).background.counts.sum() == 7 * 32
    response = XraySpectrum.read(path).response
    assert XraySpectrum.read(path, rmf=response).response is response


def test_gz_left_out_in_header(ogip):
    """Companions are found as .gz though the header leaves that out."""
    path = ogip.source(header={"BACKFILE": "b.pha"})
    ogip.save("b.pha", ogip.spectrum_hdu(counts=np.full(32, 3)))
    for name in ("s.arf", "s.rmf", "b.pha"):
        plain = ogip.folder / name
        plain.with_name(name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    spectrum = XraySpectrum.read(path)
    assert spectrum.background.counts.sum() == 96
    assert spectrum.meta["rmf_rule"] == "named by RESPFILE"


def test_csc_background_and_versions(ogip):
    """CSC: background in a later SPECTRUM extension, responses of an older version."""
    stem = "acisf04487_001N023_r0009"
    old = "acisf04487_001N022_r0009"
    gti = fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[1.0])], name="GTI")
    mask = fits.ImageHDU(np.zeros((5, 5), np.int16), name="MASK")
    header = {"RESPFILE": f"{stem}_rmf3.fits", "ANCRFILE": f"{stem}_arf3.fits",
              "BACKFILE": f"{stem}_pha3.fits"}
    path = ogip.save(f"{stem}_pha3.fits", ogip.spectrum_hdu(header=header), gti, mask,
                     ogip.spectrum_hdu(np.full(32, 2), header={"HDUCLAS2": "BKG", "BACKSCAL": 0.1}))
    ogip.arf(f"{old}_arf3.fits")
    ogip.rmf(f"{old}_rmf3.fits")
    ogip.arf("acisf04487_001N022_r0010_arf3.fits", area=0 * ogip.area())
    spectrum = XraySpectrum.read(path)
    assert spectrum.background.counts.sum() == 64
    assert spectrum.background_scale == pytest.approx(0.1)
    assert spectrum.meta["arf_rule"].startswith("CSC file name, other version (the header names")
    assert "RESPONSE_GUESSED" in decode_flags(spectrum.flags)
    assert spectrum.response.meta["arf"] == f"{old}_arf3.fits"


@pytest.mark.parametrize("version", ["", "_c010"])
def test_erosita_names(ogip, version):
    """eROSITA: tile and version left out in the header, BACKFILE none though one lies beside."""
    pre = "em01_123045_020_"
    header = {"RESPFILE": "020_RMF_00001.fits", "ANCRFILE": "020_ARF_00001.fits", "BACKFILE": "NONE",
              "TELESCOP": "eROSITA", "INSTRUME": "MERGED", "AREASCAL": None}
    path = ogip.save(f"{pre}SourceSpec_00001{version}.fits", ogip.spectrum_hdu(header=header))
    ogip.save(f"{pre}BackgrSpec_00001{version}.fits", ogip.spectrum_hdu(header=header))
    ogip.arf(f"{pre}ARF_00001{version}.fits")
    ogip.rmf(f"{pre}RMF_00001{version}.fits")
    ogip.rmf(f"{pre}RMF_00002.fits")
    spectrum = XraySpectrum.read(path)
    assert spectrum.meta["background_rule"] == "eROSITA file name"
    assert spectrum.meta["rmf_rule"] == "named by RESPFILE, with tile and version of the spectrum's name"
    expected = f"background {pre}BackgrSpec_00001{version}.fits: eROSITA file name"
    assert spectrum.meta["assumptions"] == (expected,)
    assert spectrum.areascale == 1.0
    assert spectrum.telescope == "EROSITA"


def test_two_candidates_are_no_rule(ogip):
    """With two RMFs of other names in the folder none is taken; one is a guess."""
    path = ogip.source(header={"RESPFILE": "none"})
    (ogip.folder / "s.rmf").rename(ogip.folder / "one.rmf")
    spectrum = XraySpectrum.read(path)
    assert spectrum.meta["assumptions"] == ("RMF one.rmf: only one in the folder",)
    assert "RESPONSE_GUESSED" in decode_flags(spectrum.flags)
    ogip.rmf("two.rmf")
    with pytest.raises(ResponseError, match="no RMF found"):
        XraySpectrum.read(path)


def test_named_background_missing(ogip):
    """A background that is named but absent is flagged and noted."""
    spectrum = XraySpectrum.read(ogip.source(header={"BACKFILE": "gone.pha"}))
    assert decode_flags(spectrum.flags) == ["NO_BACKGROUND"]
    assert "gone.pha" in spectrum.meta["background_note"]


def test_background_of_other_length(ogip):
    """A background with other channels is refused with a remedy."""
    path = ogip.source(header={"BACKFILE": "b.pha"})
    ogip.save("b.pha", ogip.spectrum_hdu(np.ones(16, int)))
    with pytest.raises(SpectrumError, match="16 channels.*background=False"):
        XraySpectrum.read(path)
    assert XraySpectrum.read(path, background=False).background is None


def test_channel_mismatch(ogip):
    """A response with another number of channels is refused."""
    path = ogip.source(counts=np.ones(29, int))
    with pytest.raises(SpectrumError, match=r"29 channels, its response \(s\.rmf\) 32"):
        XraySpectrum.read(path)


def test_channels_with_gaps(ogip):
    """Channels that are left out are not silently moved."""
    hdu = ogip.spectrum_hdu()
    hdu.data["CHANNEL"][5:] += 1
    ogip.arf(), ogip.rmf()
    with pytest.raises(SpectrumError, match="CHANNEL must go up by one"):
        XraySpectrum.read(ogip.save("s.pha", hdu))


@pytest.mark.parametrize("value", [None, 0.0, -3.0, "none"])
def test_unusable_backscal(ogip, value):
    """Absent, zero, negative or textual BACKSCAL is flagged and left out."""
    path = ogip.source(header={"BACKSCAL": value, "BACKFILE": "b.pha"})
    ogip.save("b.pha", ogip.spectrum_hdu(header={"EXPOSURE": 4000.0}))
    spectrum = XraySpectrum.read(path)
    assert "NO_BACKSCALE" in decode_flags(spectrum.flags)
    assert spectrum.background_scale == 0.25


def test_vector_backscal(ogip, load_sherpa):
    """BACKSCAL as a column gives a scale per channel; zeros mark channels as bad."""
    values = np.linspace(0.0, 3.1, 32)
    column = fits.Column("BACKSCAL", "D", array=values)
    path = ogip.source(header={"BACKSCAL": None, "BACKFILE": "b.pha"}, columns=[column])
    ogip.save("b.pha", ogip.spectrum_hdu(header={"AREASCAL": 0.5}))
    spectrum = XraySpectrum.read(path)
    expected = load_sherpa(path).get_background_scale(units="counts")
    np.testing.assert_allclose(spectrum.background_scale[1:], expected[1:])
    assert spectrum.background_scale[0] == 0.0
    assert spectrum.fine_groups()[0] == -1


def test_quality_and_grouping(ogip):
    """QUALITY and GROUPING are read; bad channels leave the fine grid."""
    quality, grouping = np.zeros(32), np.ones(32)
    quality[20] = 5
    columns = [fits.Column("QUALITY", "I", array=quality), fits.Column("GROUPING", "I", array=grouping)]
    spectrum = XraySpectrum.read(ogip.source(columns=columns))
    np.testing.assert_array_equal(spectrum.quality, quality)
    np.testing.assert_array_equal(spectrum.grouping, grouping)
    groups = spectrum.fine_groups()
    assert groups[20] == -1
    assert groups[21] > groups[19] > 0


def test_two_sources_in_one_file(ogip):
    """Two source spectra in one file are ambiguous."""
    with pytest.raises(SpectrumError, match=r"2 source spectra in one file.*Choose one .* s\.pha\[1\]"):
        XraySpectrum.read(ogip.save("s.pha", ogip.spectrum_hdu(), ogip.spectrum_hdu()))


def test_long_names(ogip):
    """File names continued over several cards are put together."""
    long_name = "a_very_long_name_" * 6 + ".arf"
    ogip.arf(long_name), ogip.rmf()
    spectrum = XraySpectrum.read(ogip.save("s.pha", ogip.spectrum_hdu(header={"ANCRFILE": long_name})))
    assert spectrum.response.meta["arf"] == long_name


def test_unsigned_counts(ogip):
    """Unsigned integers (TZERO) come out right."""
    counts = np.arange(32, dtype=np.uint16) + 40000
    hdu = fits.BinTableHDU(Table({"CHANNEL": np.arange(1, 33), "COUNTS": counts}), name="SPECTRUM")
    hdu.header["EXPOSURE"] = 10.0
    spectrum = XraySpectrum.read(ogip.save("s.pha", hdu), missing_response="ignore")
    np.testing.assert_array_equal(spectrum.counts, counts)


def test_threads(ogip):
    """Many threads may read at once."""
    path, results = ogip.source(), []
    workers = [threading.Thread(target=lambda: results.append(XraySpectrum.read(path).counts.sum()))
               for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [496.0] * 16
