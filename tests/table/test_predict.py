# Licensed under a 3-clause BSD style license - see LICENSE
"""Predicted counts against sums written out, and against published conversion factors."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent.core.errors import MissionError, ModelError, ParameterError
from astro_xlatent.missions.responses import default_response
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID
from astro_xlatent.table.predict import conversion_factor, predict_counts

CGS = u.erg / u.s / u.cm**2


class FixedModel:
    """Stands for a model that decodes everything to one known spectrum."""

    name, version, latent_space, sha256 = "fixed", "0", "test", ""
    classes, missions, device = (), (), "cpu"

    def __init__(self, spectrum):
        self.spectrum = (spectrum / spectrum.sum()).astype(np.float32)

    def infer(self, bins, matrices=None):
        """Nothing here asks for it."""
        raise NotImplementedError

    def decode(self, latent):
        """Give the spectrum once per row."""
        return np.tile(self.spectrum, (len(latent), 1))


@pytest.fixture
def quasar():
    """tbabs(3e20) x power law of index 2: the spectrum of eRASS1's conversion factors."""
    return FixedModel(np.ravel(transmission(3e20) * powerlaw(2.0)))


def test_erosita_conversion_factors(quasar):
    """The catalog's factors in its bands come out within 4 % (Merloni et al. 2024)."""
    for band, ecf in (((0.5, 1.0), 1.359e12), ((1.0, 2.0), 1.014e12), ((2.0, 5.0), 1.613e11)):
        low, factor, high = conversion_factor(np.zeros(8), "erosita", band, band, model=quasar)
        assert factor.to_value(u.ct * u.cm**2 / u.erg) == pytest.approx(ecf, rel=0.04)
        assert low == factor == high


def test_counts_by_hand(quasar):
    """Counts equal the matrix product with the spectrum scaled to the flux on the grid's bins."""
    response = default_response("csc", year=2010)
    seen = predict_counts(np.zeros(8), response, 2 * u.ks, flux=3e-13 * CGS, band=(2.0, 7.0),
                          model=quasar, n_draws=2)
    inside = (ENERGY_EDGES[:-1] >= 2 - 1e-9) & (ENERGY_EDGES[1:] <= 7 + 1e-9)
    flux = np.sum((quasar.spectrum * ENERGY_MID)[inside]) * 1.602176634e-9
    expected = response.matrix @ (quasar.spectrum * 3e-13 / flux) * 2000
    np.testing.assert_allclose(seen.counts[1], expected, rtol=1e-4)
    assert seen.in_band(0, 20)[1] == pytest.approx(expected.sum(), rel=1e-4)


def test_flux_error_carries_over(quasar):
    """The interval of the counts follows the flux limits."""
    seen = predict_counts(np.zeros(8), "csc", 1e4, flux=[0.8e-13, 1e-13, 1.4e-13] * CGS, model=quasar,
                          n_draws=20000)
    low, median, high = seen.in_band(0.5, 7)
    assert low / median == pytest.approx(0.8, abs=0.02)
    assert high / median == pytest.approx(1.4, abs=0.03)


def test_row_uses_its_best_flux(quasar):
    """The flux column with the smallest relative error scales the spectrum; draws repeat."""
    table = make_enriched(3)
    for name, width in (("05_2", 0.5), ("2_7", 0.1), ("02_23", 0.9)):
        table[f"xl_flux_{name}"] = 1e-13 * CGS
        table[f"xl_flux_{name}_lolim"] = (1 - width) * 1e-13 * CGS
        table[f"xl_flux_{name}_hilim"] = (1 + width) * 1e-13 * CGS
    seen = predict_counts(table[0], "csc", 1e4, model=quasar)
    again = predict_counts(np.zeros(8), "csc", 1e4, model=quasar, flux=1e-13 * CGS, band=(2, 7))
    assert seen.in_band(2, 7)[1] == pytest.approx(again.in_band(2, 7)[1], rel=0.03)
    np.testing.assert_array_equal(seen.counts, predict_counts(table[0], "csc", 1e4, model=quasar).counts)


def test_latent_errors_widen_the_factor(random_model):
    """A covariance gives an interval; exact latents give none."""
    exact = conversion_factor(np.zeros(8), "csc", (0.5, 7), (2, 7), model=random_model)
    wide = conversion_factor((np.zeros(8), np.eye(8)), "csc", (0.5, 7), (2, 7), model=random_model)
    assert exact[0] == exact[2] and wide[0] < wide[2]


def test_what_cannot_be_predicted(quasar):
    """Errors name the argument."""
    table = make_enriched(3)
    with pytest.raises(ParameterError, match="not finite"):
        predict_counts(table[2], "csc", 1e4, model=quasar)
    with pytest.raises(ParameterError, match="flux="):
        predict_counts(np.zeros(8), "csc", 1e4, model=quasar)
    with pytest.raises(ParameterError, match="with a unit"):
        predict_counts(np.zeros(8), "csc", 1e4, flux=1 * u.keV, model=quasar)
    with pytest.raises(ParameterError, match="lower limit"):
        predict_counts(np.zeros(8), "csc", 1e4, flux=[2, 1, 3] * CGS, model=quasar)
    with pytest.raises(ParameterError, match="exposure"):
        predict_counts(np.zeros(8), "csc", 1 * u.keV, flux=1 * CGS, model=quasar)
    with pytest.raises(ParameterError, match="exposure"):
        predict_counts(np.zeros(8), "csc", -1, flux=1 * CGS, model=quasar)
    with pytest.raises(ParameterError, match="band"):
        predict_counts(np.zeros(8), "csc", 1, flux=1 * CGS, band=(2, 1), model=quasar)
    with pytest.raises(ParameterError, match="0.1-12 keV"):
        predict_counts(np.zeros(8), "csc", 1, flux=1 * CGS, band=(20, 40), model=quasar)
    with pytest.raises(ParameterError, match="n_draws"):
        predict_counts(np.zeros(8), "csc", 1, flux=1 * CGS, n_draws=0, model=quasar)
    with pytest.raises(ParameterError, match="shape"):
        predict_counts(np.zeros(7), "csc", 1, flux=1 * CGS, model=quasar)
    with pytest.raises(MissionError, match="nustar"):
        predict_counts(np.zeros(8), "nustar", 1, flux=1 * CGS, model=quasar)
    table.meta["XLSPACE"] = "other"
    with pytest.raises(ModelError, match="enriched the table"):
        predict_counts(table[0], "csc", 1, flux=1 * CGS, model=quasar)
    with pytest.raises(ModelError, match="XLSPACE"):
        predict_counts(Table(table, meta={})[0], "csc", 1, flux=1 * CGS, model=quasar)
