# Licensed under a 3-clause BSD style license - see LICENSE
"""`Response` against closed forms, dense matrices and Sherpa."""

import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.core.flags import Flag
from astro_xlatent.physics.grid import ENERGY_EDGES
from astro_xlatent.spectra import _cache
from astro_xlatent.spectra import response as response_module
from astro_xlatent.spectra._cache import CACHE
from astro_xlatent.spectra._fits import read_regular
from astro_xlatent.spectra.response import Response


@pytest.fixture
def pair(ogip):
    """A response read from files, and its dense matrix (channels, energies) in cm2."""
    response = Response.read(ogip.arf(), ogip.rmf())
    return response, (ogip.redistribution() * ogip.area()[:, None]).T


def test_matrix(pair):
    """The matrix is redistribution times area."""
    response, dense = pair
    np.testing.assert_allclose(response.matrix.toarray(), dense, rtol=1e-6)
    assert response.matrix.format == "csr"
    assert "32 channels" in repr(response)


def test_fold(pair):
    """Folding is the matrix product, for one spectrum and for stacks of them."""
    response, dense = pair
    spectra = np.random.default_rng(1).random((2, 3, 40))
    np.testing.assert_allclose(response.fold(spectra), spectra @ dense.T, rtol=1e-6)
    np.testing.assert_allclose(response.fold(spectra[0, 0]), dense @ spectra[0, 0], rtol=1e-6)
    with pytest.raises(ResponseError, match=r"spectrum has shape \(39,\), the response has 40"):
        response.fold(np.ones(39))


def test_effective_area(pair, ogip):
    """A normalized matrix leaves the ARF, inside its range."""
    response, _ = pair
    np.testing.assert_allclose(response.effective_area(), ogip.area(), rtol=1e-5)
    middle = 0.5 * (ogip.e_edges[3] + ogip.e_edges[4])
    assert response.effective_area(middle) == pytest.approx(ogip.area()[3], rel=1e-5)
    assert response.effective_area([0.01, 50.0]).tolist() == [0.0, 0.0]


def test_rebin(pair):
    """Groups add up rows; negative groups are dropped."""
    response, dense = pair
    groups = np.arange(32) // 8 - 1
    expected = dense.reshape(4, 8, 40).sum(axis=1)[1:]
    area = response.rebin(groups, 3)
    assert area.dtype == np.float32
    np.testing.assert_allclose(area, expected, rtol=1e-5)
    with pytest.raises(ResponseError, match=r"values below 2, got shape \(32,\) and maximum 2"):
        response.rebin(groups, 2)


def test_on_grid_conserves(pair):
    """A spectrum flat within grid bins folds alike before and after a change of grid."""
    response, dense = pair
    edges = np.array([0.2, 1.0, 1.1, 3.0, 8.2])
    photons = np.array([1.0, 2.0, 3.0, 4.0])
    own = np.concatenate([response.e_lo, response.e_hi[-1:]])
    cumulative = np.interp(own, edges, np.concatenate([[0], np.cumsum(photons)]))
    moved = response.on_grid(edges)
    np.testing.assert_allclose(moved.fold(photons), dense @ np.diff(cumulative), rtol=1e-5)
    assert moved.n_energy == 4
    assert response.on_grid(edges).redistribution is moved.redistribution


def test_on_package_grid(pair):
    """The default grid is the package's; photons outside the old grid are lost."""
    response, _ = pair
    moved = response.on_grid()
    np.testing.assert_array_equal(moved.e_lo, ENERGY_EDGES[:-1])
    area = moved.effective_area()
    assert area[0] == 0.0
    assert area[-1] == 0.0
    assert area[300] == pytest.approx(response.effective_area(moved.e_lo[300]), rel=0.05)


def test_fwhm_gaussian():
    """A well sampled Gaussian has a FWHM of 2.3548 sigma."""
    from scipy.sparse import csr_array

    edges = np.linspace(0, 4, 2001)
    center = 0.5 * (edges[1:] + edges[:-1])
    line = np.exp(-0.5 * ((center - 2.0) / 0.1) ** 2)
    response = Response(csr_array(np.stack([line, 0 * line], axis=1)), np.ones(2), [1.0, 2.5], [2.5, 3.0],
                        edges[:-1], edges[1:])
    widths = response.fwhm([2.0, 2.9])
    assert widths[0] == pytest.approx(2.3548 * 0.1, rel=1e-3)
    assert np.isnan(widths[1])


def test_fwhm_real(sherpa_folder):
    """ACIS-S resolves about 0.1 keV at 1 keV and 0.15 keV at 6 keV (Chandra POG, section 6.9)."""
    name = sherpa_folder / "acisf07867_000N001_r0002"
    response = Response.read(f"{name}_arf3.fits", f"{name}_rmf3.fits")
    low, high = response.fwhm([1.5, 5.9])
    assert 0.07 < low < 0.15
    assert 0.1 < high < 0.25


def test_finer_arf(ogip):
    """A finer ARF keeps its grid; each of its bins gets the RMF of the bin it lies in."""
    fine = np.linspace(0.2, 8.2, 81)
    area = np.linspace(100, 200, 80).astype(np.float32)
    response = Response.read(ogip.arf(edges=fine, area=area), ogip.rmf())
    assert response.flags == Flag.GRID_INTERPOLATED
    assert response.n_energy == 80
    expected = (np.repeat(ogip.redistribution(), 2, axis=0) * area[:, None]).T
    np.testing.assert_allclose(response.matrix.toarray(), expected, rtol=1e-5)


def test_coarser_arf(ogip):
    """A coarser ARF is interpolated, with zero area where it does not reach."""
    edges = np.linspace(1.0, 7.0, 13)
    response = Response.read(ogip.arf(edges=edges, area=np.full(12, 50.0)), ogip.rmf())
    middle = 0.5 * (ogip.e_edges[1:] + ogip.e_edges[:-1])
    np.testing.assert_allclose(response.area, np.where((middle > 1) & (middle < 7), 50.0, 0.0))
    assert response.flags == Flag.GRID_INTERPOLATED
    assert "no area outside 1-7 keV" in response.meta["grid_note"]


def test_no_overlap(ogip):
    """ARF and RMF that share no energy do not belong together."""
    arf = ogip.arf(edges=np.linspace(20, 30, 41))
    with pytest.raises(ResponseError, match="no overlap; they do not belong together"):
        Response.read(arf, ogip.rmf())


def test_area_in_square_metres(ogip):
    """An ARF in m**2 is converted, other units are refused."""
    response = Response.read(ogip.arf(unit="m**2"), ogip.rmf())
    np.testing.assert_allclose(response.area, 1e4 * ogip.area(), rtol=1e-6)
    with pytest.raises(ResponseError, match="unit 'erg'"):
        Response.read(ogip.arf("u.arf", unit="erg"), ogip.rmf())


def test_rsp_holds_area(ogip, pair):
    """An RSP file works alone and refuses an ARF, which would count the area twice."""
    _, dense = pair
    rsp = ogip.rmf("s.rsp", extname="SPECRESP MATRIX", factor=ogip.area())
    np.testing.assert_allclose(Response.read(None, rsp).matrix.toarray(), dense, rtol=1e-6)
    with pytest.raises(ResponseError, match="count it twice"):
        Response.read(ogip.arf(), rsp)
    with pytest.raises(ResponseError, match="pure redistribution"):
        Response.read(None, ogip.rmf())


def test_no_tlmin(ogip):
    """Without TLMIN of F_CHAN the first CHANNEL of EBOUNDS decides."""
    for first in (0, 1):
        response = Response.read(ogip.arf(), ogip.rmf(first=first, tlmin=False))
        np.testing.assert_allclose(response.redistribution.toarray().T, ogip.redistribution())


def test_wrong_offset(ogip):
    """Groups that leave the channels are refused, with the likely reason."""
    path = ogip.rmf()
    with fits.open(path, mode="update") as hdus:
        hdus["MATRIX"].header["TLMIN4"] = 5
    with pytest.raises(ResponseError, match="TLMIN of F_CHAN is wrong"):
        Response.read(ogip.arf(), path)


def test_huge_claims(ogip):
    """A matrix that claims more elements than it holds is refused."""
    path = ogip.rmf(style="scalar")
    with fits.open(path, mode="update") as hdus:
        hdus["MATRIX"].data["N_GRP"][7] = 30000
    with pytest.raises(ResponseError, match="values of F_CHAN, 30000 are needed"):
        Response.read(ogip.arf(), path)


@pytest.mark.parametrize("bad", [np.nan, -0.5, np.inf, 1e20])
def test_bad_values(ogip, bad):
    """NaN, negative and absurd areas and matrix elements are refused."""
    area = ogip.area()
    area[3] = bad
    with pytest.raises(ResponseError, match="SPECRESP has values"):
        Response.read(ogip.arf("bad.arf", area=area), ogip.rmf())
    factor = np.ones(40)
    factor[5] = bad
    with pytest.raises(ResponseError, match="MATRIX has values"):
        Response.read(ogip.arf(), ogip.rmf("bad.rmf", factor=factor))


def test_not_a_response(ogip):
    """Files of another kind are named as such."""
    with pytest.raises(ResponseError, match=r"s\.arf: no MATRIX .* found"):
        Response.read(ogip.arf(), ogip.arf())
    with pytest.raises(ResponseError, match=r"s\.rmf: no effective area found"):
        Response.read(ogip.rmf(), ogip.rmf())


def test_not_a_path(ogip):
    """Arguments that are no paths are named by their type."""
    with pytest.raises(ResponseError, match="path-like, got NoneType"):
        Response.read(ogip.arf(), None)


def test_zero_energy_bound(ogip):
    """A first bin from 0 keV begins just above, where power laws are finite."""
    ogip.e_edges[0] = 0.0
    assert Response.read(ogip.arf(), ogip.rmf()).e_lo[0] == 1e-10


def test_cache_by_content(ogip):
    """The same content under other names shares its arrays; other content does not."""
    first = Response.read(ogip.arf(), ogip.rmf())
    again = Response.read(ogip.arf("copy.arf"), ogip.rmf("copy.rmf"))
    other = Response.read(ogip.arf("other.arf", area=2 * ogip.area()), ogip.rmf())
    assert again.redistribution is first.redistribution
    assert again.meta["arf"] == "copy.arf"
    np.testing.assert_array_equal(again.area, first.area)
    assert other.redistribution is first.redistribution
    CACHE.clear()
    assert Response.read(ogip.arf(), ogip.rmf()).redistribution is not first.redistribution


def test_settled_files_are_read_once(ogip, monkeypatch):
    """What has not changed is not read again; what has changed is, however old it is."""
    files, opened = (ogip.arf(), ogip.rmf()), []
    monkeypatch.setattr(response_module, "_SETTLED", -1)
    monkeypatch.setattr(response_module, "read_regular",
                        lambda path, error: opened.append(path) or read_regular(path, error))
    CACHE.clear()
    first, second = (Response.read(*files) for _ in range(2))
    assert len(opened) == 2
    np.testing.assert_array_equal(first.area, second.area)
    changed = replace(first, area=2 * first.area)
    changed.write(files[0], ogip.folder / "other.rmf", overwrite=True)
    np.testing.assert_allclose(Response.read(*files).area, 2 * first.area)
    assert len(opened) == 3


def test_new_files_are_read_each_time(ogip, monkeypatch):
    """Two versions within the clock's step would look alike."""
    files, opened = (ogip.arf(), ogip.rmf()), []
    monkeypatch.setattr(response_module, "read_regular",
                        lambda path, error: opened.append(path) or read_regular(path, error))
    CACHE.clear()
    for _ in range(2):
        Response.read(*files)
    assert len(opened) == 4


def test_cache_is_bounded():
    """The cache forgets the least recently used, and never holds what is too large."""
    cache, made = _cache._Cache(10), []

    def ask(key, size=4):
        assert cache.of((), key, lambda: made.append(key) or key.upper(), lambda value: size) == key.upper()

    for key, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("d", 11)):
        ask(key, size)
    made.clear()
    for key, size in (("a", 4), ("c", 4), ("b", 4), ("d", 11)):
        ask(key, size)
    assert made == ["b", "d"]


def test_cache_threads(ogip):
    """Threads that read, clear and read again get whole responses."""
    arf, rmf, sums = ogip.arf(), ogip.rmf(), []

    def work():
        for _ in range(20):
            sums.append(float(Response.read(arf, rmf).matrix.sum()))
            CACHE.clear()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sums) == 160
    assert len(set(sums)) == 1


def test_pickle(pair):
    """A pickled response is the same."""
    response, _ = pair
    response.on_grid()
    copy = pickle.loads(pickle.dumps(response))
    for one, other in zip(copy.arrays[1:], response.arrays[1:]):
        np.testing.assert_array_equal(one, other)
    assert (copy.redistribution != response.redistribution).nnz == 0


@pytest.mark.parametrize("first", [0, 1])
def test_write(ogip, first, load_sherpa):
    """What is written reads back the same, here and in Sherpa, and is not overwritten unasked."""
    from sherpa.astro import io

    response = Response.read(ogip.arf(), ogip.rmf(first=first))
    arf, rmf = ogip.folder / "out.arf", ogip.folder / "out.rmf"
    response.write(arf, rmf)
    again = Response.read(arf, rmf)
    np.testing.assert_allclose(again.matrix.toarray(), response.matrix.toarray(), rtol=1e-6)
    assert again.first_channel == first
    theirs = io.read_rmf(str(rmf)).apply_rmf(io.read_arf(str(arf)).specresp)
    np.testing.assert_allclose(theirs, response.fold(np.ones(response.n_energy)), rtol=1e-6)
    with pytest.raises(ResponseError, match="exists; pass overwrite=True"):
        response.write(arf, rmf)
    response.write(arf, rmf, overwrite=True)
    assert sorted(p.name for p in ogip.folder.iterdir()) == ["out.arf", "out.rmf", "s.arf", "s.rmf"]


def test_write_with_area_in_matrix(ogip, pair):
    """A response whose matrix holds the area is written as a pure RMF and an ARF."""
    response, dense = pair
    moved = response.on_grid(ogip.e_edges)
    moved.write(ogip.folder / "m.arf", ogip.folder / "m.rmf")
    again = Response.read(ogip.folder / "m.arf", ogip.folder / "m.rmf")
    np.testing.assert_allclose(again.matrix.toarray(), dense, rtol=1e-5, atol=1e-6)


def test_shapes_are_checked(pair):
    """Arrays that do not fit together are refused."""
    response, _ = pair
    with pytest.raises(ResponseError, match="redistribution has shape"):
        Response(response.redistribution, np.ones(3), response.e_lo, response.e_hi,
                 response.channel_e_lo, response.channel_e_hi)
