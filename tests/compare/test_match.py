# Licensed under a 3-clause BSD style license - see LICENSE
"""Matching against closed forms, numerical integration, and made-up twin catalogs."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io.votable import from_table
from astropy.table import Table, vstack
from scipy import integrate, stats

from astro_xlatent.compare.evidence import latent_population, spectral_evidence
from astro_xlatent.compare.match import match_catalogs
from astro_xlatent.core.columns import make_column
from astro_xlatent.core.errors import ModelError, ParameterError, TableError, XlatentWarning

D = 8


def diagonal(*entries):
    """A mean or covariance whose first directions are given and whose others hold the prior."""
    return np.diag(np.r_[entries, np.ones(D - len(entries))])[None]


def first(*entries):
    """A mean in the first directions."""
    return np.r_[entries, np.zeros(D - len(entries))][None]


def test_evidence_by_integration():
    """One direction: the log of the integral of q1 q2 / p."""
    m1, v1, m2, v2 = 0.7, 0.2, -0.3, 0.5
    integral = integrate.quad(lambda z: stats.norm.pdf(z, m1, v1**0.5) * stats.norm.pdf(z, m2, v2**0.5)
                              / stats.norm.pdf(z), -9, 9)[0]
    found, _ = spectral_evidence((first(m1), diagonal(v1)), (first(m2), diagonal(v2)), variability=0.0)
    assert found[0] == pytest.approx(np.log(integral), rel=1e-8)


def test_evidence_two_correlated_directions():
    """The same with correlations, on a grid."""
    c1, c2 = np.array([[0.3, 0.15], [0.15, 0.4]]), np.array([[0.5, -0.2], [-0.2, 0.35]])
    m1, m2 = np.array([0.4, -0.2]), np.array([-0.1, 0.6])
    axis = np.linspace(-7, 7, 701)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    normal = stats.multivariate_normal
    product = normal(m1, c1).pdf(grid) * normal(m2, c2).pdf(grid) / normal(np.zeros(2), np.eye(2)).pdf(grid)
    expected = np.log(product.sum() * (axis[1] - axis[0]) ** 2)
    full1, full2 = diagonal(), diagonal()
    full1[0, :2, :2], full2[0, :2, :2] = c1, c2
    found, _ = spectral_evidence((first(*m1), full1), (first(*m2), full2), variability=0.0)
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_evidence_with_variability_and_population():
    """Likelihoods widened by half the variability each, and a population other than the prior."""
    m, v, w = (0.7, -0.3), (0.2, 0.5), 0.3
    center, spread = 0.4, 0.6
    wide = [1 / (1 / x - 1) + w / 2 for x in v]
    mean = [a / x / (1 / x - 1) for a, x in zip(m, v)]

    def integral(which):
        return integrate.quad(lambda z: np.prod([stats.norm.pdf(z, mean[k], wide[k]**0.5) for k in which])
                              * stats.norm.pdf(z, center, spread**0.5), -12, 12)[0]

    expected = np.log(integral([0, 1]) / integral([0]) / integral([1]))
    found, _ = spectral_evidence((first(m[0]), diagonal(v[0])), (first(m[1]), diagonal(v[1])), variability=w,
                                 population=(first(center)[0], diagonal(spread)[0]))
    assert found[0] == pytest.approx(expected, rel=1e-7)


def test_no_information_no_evidence():
    """A row that is the prior says nothing about any pair."""
    rng = np.random.default_rng(1)
    mean, covariance = rng.standard_normal((5, D)), np.tile(0.3 * np.eye(D), (5, 1, 1))
    nothing = np.zeros((5, D)), np.tile(np.eye(D), (5, 1, 1))
    found, sigma = spectral_evidence((mean, covariance), nothing)
    np.testing.assert_allclose(found, 0.0, atol=1e-12)
    assert (sigma < 3).all()


def test_difference_is_calibrated(monkeypatch):
    """Significances of unchanged sources follow the half-normal distribution if posteriors are Gaussian."""
    monkeypatch.setattr("astro_xlatent.compare.evidence.REPEATED", 1.0)
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((4000, D))
    pairs = []
    for error in (0.4, 0.9):
        measured = truth + error * rng.standard_normal(truth.shape)
        variance = 1 / (1 + 1 / error**2)
        pairs.append((variance * measured / error**2, np.tile(variance * np.eye(D), (4000, 1, 1))))
    _, sigma = spectral_evidence(*pairs, variability=0.0)
    assert stats.kstest(sigma, stats.halfnorm.cdf).pvalue > 1e-3


def test_population():
    """Moments of the true latents come back through the errors; few rows give the prior."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0.5, 0.6, (20000, D))
    posterior = 1 / (1 / 0.6**2 + 1 / 0.5**2)
    mean = posterior * ((truth + rng.normal(0, 0.5, truth.shape)) / 0.5**2 + 0.5 / 0.6**2)
    table = Table({"xl_latent": mean, "xl_latent_err": np.full(mean.shape, posterior**0.5)})
    center, spread = latent_population(table, table)
    np.testing.assert_allclose(center, 0.5, atol=0.02)
    np.testing.assert_allclose(np.diag(spread), 0.36, rtol=0.03)
    np.testing.assert_array_equal(latent_population(table[:10])[1], np.eye(D))


def enriched_sky(rng, n, side=0.5):
    """Twin catalogs: n sources in both, n more in each; the last tenth of the twins has changed."""
    truth = rng.standard_normal((n, D))
    later = truth.copy()
    later[-n // 10:] = rng.standard_normal((n // 10, D))
    ra, dec = rng.uniform(-side / 2, side / 2, n), rng.uniform(-side / 2, side / 2, n)
    flux = 1e-14 * rng.random(n) ** -1.0
    tables = []
    for latent, sigma in ((truth, 4.0), (later, 1.0)):
        measured = np.concatenate([latent, rng.standard_normal((n, D))])
        measured = measured + 0.5 * rng.standard_normal(measured.shape)
        place = np.stack([np.r_[ra, rng.uniform(-side / 2, side / 2, n)],
                          np.r_[dec, rng.uniform(-side / 2, side / 2, n)]])
        place += rng.normal(0, sigma / 3600, place.shape)
        table = Table({"ra": place[0] % 360, "dec": place[1], "pos_err": np.full(2 * n, sigma),
                       "source": np.r_[np.arange(n), np.full(n, -1)],
                       "xl_latent": make_column("xl_latent", 0.8 * measured),
                       "xl_latent_err": make_column("xl_latent_err", np.full((2 * n, D), 0.2**0.5))})
        fluxes = np.r_[flux, 1e-14 * rng.random(n) ** -1.0] * rng.lognormal(0, 0.1, 2 * n)
        for part, factor in (("", 1.0), ("_lolim", 0.9), ("_hilim", 1.1)):
            table[f"xl_flux_05_2{part}"] = make_column(f"xl_flux_05_2{part}", factor * fluxes)
        table.meta["XLSPACE"] = "a"
        tables.append(table)
    return tables


@pytest.fixture(scope="module")
def twins():
    """Made-up twin catalogs and their pairs."""
    a, b = enriched_sky(np.random.default_rng(4), 2000)
    pairs = match_catalogs(a, b)
    source = np.asarray(a["source"][pairs["xm_row_a"]])
    true = (source >= 0) & (source == b["source"][pairs["xm_row_b"]])
    return a, b, pairs, true, true & (source >= 1800)


def test_probabilities_are_frequencies(twins):
    """Among pairs with a probability of p, a share of p are true, with and without spectra."""
    _, _, pairs, true, _ = twins
    for name in ("xm_pos_prob", "xm_prob"):
        probability = np.asarray(pairs[name], float)
        for low, high in ((0, 0.2), (0.2, 0.6), (0.6, 0.9), (0.9, 1.01)):
            inside = (probability >= low) & (probability < high)
            error = np.sqrt(max(inside.sum(), 1)) * 0.5
            assert abs(true[inside].sum() - probability[inside].sum()) < 4 * error + 0.04 * inside.sum()
    assert pairs.meta["XMSHARE"] == pytest.approx(0.5, abs=0.05)


def test_spectra_reject_chance_pairs(twins):
    """At 95 % completeness fewer chance pairs remain than by position alone; changed sources are found."""
    _, _, pairs, true, changed = twins
    left = {}
    for name in ("xm_pos_prob", "xm_prob"):
        value = np.asarray(pairs[name])
        left[name] = np.mean(value[~true] > np.quantile(value[true & ~changed], 0.05))
    assert left["xm_prob"] < 0.5 * left["xm_pos_prob"]
    same = np.asarray(pairs["xm_prob_same"]) / np.asarray(pairs["xm_prob"])
    assert np.mean(same[changed] < 0.5) > 0.8 and np.mean(same[true & ~changed] < 0.5) < 0.05


def test_clumped_population_is_tempered():
    """In a population of a few narrow clumps probabilities are frequencies still."""
    rng = np.random.default_rng(6)
    a, b = enriched_sky(rng, 2000, side=0.25)
    clumps = 1.5 * rng.standard_normal((4, D))
    twin = rng.integers(0, 4, 2000)
    for table in (a, b):
        center = clumps[np.r_[twin, rng.integers(0, 4, 2000)]]
        measured = center + 0.5 * rng.standard_normal(center.shape)
        table["xl_latent"] = make_column("xl_latent", 0.8 * measured)
    pairs = match_catalogs(a, b, changed=0.0)
    source = np.asarray(a["source"][pairs["xm_row_a"]])
    true = (source >= 0) & (source == b["source"][pairs["xm_row_b"]])
    assert pairs.meta["XMTEMPER"] < 0.8
    sure = pairs["xm_prob"] > 0.5
    assert np.mean(true[sure]) == pytest.approx(np.mean(pairs["xm_prob"][sure]), abs=0.05)


def test_ranks(twins):
    """Ranks run from 1 in every row, by falling probability; best pairs are one to one."""
    _, _, pairs, _, _ = twins
    for row in np.unique(pairs["xm_row_a"])[:200]:
        mine = pairs[pairs["xm_row_a"] == row]
        assert list(mine["xm_rank"]) == list(range(1, len(mine) + 1))
        assert (np.diff(mine["xm_prob"]) <= 0).all() and mine["xm_prob"].sum() <= 1 + 1e-5
    best = pairs[pairs["xm_best"]]
    for name in ("xm_row_a", "xm_row_b"):
        assert len(np.unique(best[name])) == len(best)


def test_order_does_not_matter(twins):
    """Shuffled tables give the same pairs."""
    a, b, pairs, _, _ = twins
    shuffle = np.random.default_rng(5).permutation(len(b))
    again = match_catalogs(a, b[shuffle], share=pairs.meta["XMSHARE"])
    again["xm_row_b"], pairs = shuffle[again["xm_row_b"]], pairs.copy()
    for table in (again, pairs):
        table.sort(["xm_row_a", "xm_row_b"])
    np.testing.assert_array_equal(again["xm_row_b"], pairs["xm_row_b"])
    np.testing.assert_allclose(again["xm_pos_prob"], pairs["xm_pos_prob"], rtol=1e-4)
    np.testing.assert_allclose(again["xm_prob"], pairs["xm_prob"], atol=0.05)


def test_full_covariance_as_diagonal(twins):
    """A diagonal ``xl_latent_cov`` gives what errors alone give."""
    a, b, pairs, _, _ = twins
    full = [t.copy() for t in (a, b)]
    for t in full:
        t["xl_latent_cov"] = make_column("xl_latent_cov", np.tile(0.2 * np.eye(D), (len(t), 1, 1)))
    again, pairs = match_catalogs(*full), pairs.copy()
    for table in (again, pairs):
        table.sort(["xm_row_a", "xm_row_b"])
    np.testing.assert_allclose(again["xm_spec_logb"], pairs["xm_spec_logb"], rtol=1e-4, atol=1e-4)


def test_fluxes(twins):
    """The ratio is that of the columns, its error theirs in quadrature."""
    a, b, pairs, _, _ = twins
    i, j = pairs["xm_row_a"], pairs["xm_row_b"]
    np.testing.assert_allclose(pairs["xm_flux_ratio"], b["xl_flux_05_2"][j] / a["xl_flux_05_2"][i], rtol=1e-4)
    relative = pairs["xm_flux_ratio_err"] / pairs["xm_flux_ratio"]
    np.testing.assert_allclose(relative, 0.1 * np.sqrt(2), rtol=0.02)


def test_masked_latents_and_fluxes_leave_position(twins):
    """A row without latents and flux is matched by position alone."""
    a, b = (t[:50].copy() for t in twins[:2])
    a = Table(a, masked=True)
    for name in a.colnames:
        if name.startswith("xl_"):
            a[name].mask = True
    pairs = match_catalogs(a, b, share=0.5, changed=0.0)
    assert pairs["xm_spec_logb"].mask.all() and pairs["xm_flux_ratio"].mask.all()
    np.testing.assert_allclose(pairs["xm_prob"], pairs["xm_pos_prob"], rtol=1e-5)


def test_units_and_ucds_survive_votable(twins):
    """Every column has a UCD; the separation is in arcsec."""
    pairs = twins[2]
    assert all(pairs[name].meta["ucd"] for name in pairs.colnames)
    assert pairs["xm_sep"].unit == u.arcsec
    fields = from_table(pairs[:3]).get_first_table().fields
    assert [f.ucd for f in fields] == [pairs[f.name].meta["ucd"] for f in fields]


def test_left_out_rows_are_counted(twins):
    """Rows without usable error are named in a warning and in the metadata."""
    a, b = (t[:20].copy() for t in twins[:2])
    a["pos_err"][3], b["ra"][4] = np.inf, np.nan
    with pytest.warns(XlatentWarning, match="1 and 1 rows"):
        pairs = match_catalogs(a, b)
    assert (pairs.meta["XMLEFTA"], pairs.meta["XMLEFTB"]) == (1, 1)
    assert 3 not in pairs["xm_row_a"] and 4 not in pairs["xm_row_b"]


def test_empty_tables(twins):
    """No rows and no pairs give an empty table with all columns."""
    a, b, pairs, _, _ = twins
    far = b.copy()
    far["dec"] += 45
    for one, two in ((a[:0], b), (a, b[:0]), (a, far), (a[:0], b[:0])):
        found = match_catalogs(one, two)
        assert len(found) == 0 and found.colnames == pairs.colnames


def test_what_cannot_be_matched(twins):
    """Errors name table, column or argument."""
    a, b = (t[:20] for t in twins[:2])
    other = b.copy()
    other.meta["XLSPACE"] = "b"
    with pytest.raises(ModelError, match="latent spaces"):
        match_catalogs(a, other)
    with pytest.raises(TableError, match="second table has no latents"):
        match_catalogs(a, b["ra", "dec", "pos_err"])
    with pytest.raises(TableError, match="xl_flux_02_23"):
        match_catalogs(a, b, flux="xl_flux_02_23")
    with pytest.raises(TableError, match="xl_latent_err"):
        match_catalogs(a, b, a_error="xl_latent_err")
    with pytest.raises(TableError, match="the first table has no column ra"):
        match_catalogs(a["dec", "pos_err", "xl_latent"], b)
    for name, value in (("n_sigma", -1), ("share", 2.0), ("changed", -0.1), ("variability", np.inf),
                        ("flux_scatter", "x")):
        with pytest.raises(ParameterError, match=name):
            match_catalogs(a, b, **{name: value})


def test_positions_alone(twins):
    """Without spectra the probability is the positional one, and no latents are needed."""
    a, b = (t["ra", "dec", "pos_err"] for t in twins[:2])
    pairs = match_catalogs(a, b, spectral=False)
    np.testing.assert_array_equal(pairs["xm_prob"], pairs["xm_pos_prob"])
    assert "xm_spec_logb" not in pairs.colnames and len(vstack([pairs, pairs])) == 2 * len(pairs)
