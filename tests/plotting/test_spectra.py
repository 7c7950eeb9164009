# Licensed under a 3-clause BSD style license - see LICENSE
"""Plot of a spectrum with its reconstruction."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.physics.grid import ENERGY_EDGES, N_ENERGY
from astro_xlatent.plotting.spectra import _grouped, plot_spectrum
from astro_xlatent.spectra.response import Response
from astro_xlatent.spectra.spectrum import XraySpectrum

pytest.importorskip("matplotlib")


class FlatModel:
    """A model whose decoded spectrum has one photon in every bin of the grid."""

    def infer(self, bins, matrices):
        """Latents of no importance."""
        return SimpleNamespace(latent=np.zeros((len(bins), 8)))

    def decode(self, latent):
        """The flat spectrum."""
        return np.full((len(latent), N_ENERGY), 1 / N_ENERGY, np.float32)


@pytest.fixture
def spectrum():
    """A flat spectrum of a detector with as many channels as energies and no redistribution."""
    low, high = ENERGY_EDGES[:-1], ENERGY_EDGES[1:]
    response = Response(redistribution=sparse.csr_array(np.eye(N_ENERGY, dtype=np.float32)),
                        area=np.full(N_ENERGY, 100.0), e_lo=low, e_hi=high, channel_e_lo=low,
                        channel_e_hi=high)
    return XraySpectrum(counts=np.full(N_ENERGY, 3.0), exposure=1000.0, response=response)


def test_flat_model_fits_flat_counts(spectrum, tmp_path):
    """A spectrum that the model describes exactly has no residuals."""
    top, bottom = plot_spectrum(spectrum, FlatModel())
    residuals = bottom.lines[0].get_ydata()
    assert residuals.size > 50
    np.testing.assert_allclose(residuals, 0, atol=1e-3)
    top.figure.savefig(tmp_path / "spectrum.png")


def test_excess_shows_as_residual(spectrum):
    """Three times the counts above 2 keV stand out there and only there."""
    spectrum.counts[ENERGY_EDGES[:-1] > 2] *= 3
    _, bottom = plot_spectrum(spectrum, FlatModel())
    energy, residual = bottom.lines[0].get_data()
    assert np.all(residual[energy > 2.2] > 0)
    assert np.all(residual[energy < 1.8] < 0)


def test_groups_hold_enough():
    """Every group but the last holds the minimum; no bin is lost."""
    counts = np.array([1.0, 0, 4, 9, 0, 0, 2, 5])
    starts = _grouped(counts, np.zeros(8), 5)
    sums = np.add.reduceat(counts, starts)
    assert starts[0] == 0
    assert sums.sum() == counts.sum()
    assert np.all(sums[:-1] >= 5)


def test_response_is_needed():
    """Without a response nothing can be folded."""
    with pytest.raises(SpectrumError, match="no response"):
        plot_spectrum(XraySpectrum(counts=[1, 2], exposure=1.0), FlatModel())
