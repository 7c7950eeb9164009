# Licensed under a 3-clause BSD style license - see LICENSE
"""A spectrum with what its latents mean: decoded, folded, with uncertainty and residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.errors import ParameterError, SpectrumError
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH, KEV_TO_ERG, band_weights
from astro_xlatent.plotting.axes import COUNTS_COLOR, MODEL_COLOR, energy_axis, new_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from astro_xlatent.model.posterior import Model
    from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["plot_spectrum"]

# Draws of the latents for the band of uncertainty, and the part of them that it holds.
_N_DRAWS, _BAND = 200, (0.16, 0.84)


def plot_spectrum(spectrum: XraySpectrum, model: str | Model | None = None, *, quantity: str = "counts",
                  min_counts: float = 10, axes: tuple[Axes, Axes] | None = None) -> tuple[Axes, Axes]:
    """
    Draw a spectrum with the reconstruction from its latents, and the residuals.

    The decoded incident spectrum is folded with the spectrum's own response
    and scaled to the net counts; the band holds 68 % of draws from the latents' posterior.

    Parameters
    ----------
    spectrum : `~astro_xlatent.spectra.spectrum.XraySpectrum`
        With a response; else a `~astro_xlatent.core.errors.SpectrumError` is raised.
    model : str or `~astro_xlatent.model.posterior.Model`, optional
        Model or its name; the default model if not given.
    quantity : {'counts', 'flux'}, optional
        Counts per keV with background, or the incident spectrum E F(E) in erg/cm2/s. Points of the latter are
        net counts, unfolded with the decoded spectrum: they lean on it.
    min_counts : int, optional
        Neighboring bins are drawn together until they hold so many counts.
    axes : tuple of two `~matplotlib.axes.Axes`, optional
        For spectrum and residuals.
    """
    if quantity not in ("counts", "flux"):
        raise ParameterError(f"quantity must be 'counts' or 'flux', got {quantity!r}")
    e_lo, e_hi, n, b, source, flux = _reconstruct(spectrum, model)
    starts = _grouped(n, source[0] + b, min_counts)
    low, high = e_lo[starts], e_hi[np.append(starts[1:], n.size) - 1]
    n, b, source = (np.add.reduceat(x, starts, axis=-1) for x in (n, b, source))
    top, bottom = (new_grid(2, 1, 6.5, 5.0, sharex=True, height_ratios=(3, 1)).ravel() if axes is None
                   else axes)
    if quantity == "counts":
        _draw_counts(top, low, high, n, b, source)
    else:
        _draw_flux(top, low, high, n - b, np.sqrt(n), source[0], flux)
    expected = source[0] + b
    middle, half = (low + high) / 2, (high - low) / 2
    bottom.errorbar(middle, (n - expected) / np.sqrt(np.maximum(expected, 1e-9)), 1.0, half, fmt=".",
                    color=COUNTS_COLOR)
    bottom.axhline(0, color=MODEL_COLOR)
    bottom.set_ylabel(r"$(n - m)/\sqrt{m}$")
    top.set(xscale="log", yscale="log")
    energy_axis(bottom, low[0], high[-1])
    top.legend(fontsize="small")
    return top, bottom


def _draw_counts(top, low, high, n, b, source):
    width, edges = high - low, np.append(low, high[-1])
    floor, ceiling = np.quantile((source + b) / width, _BAND, axis=0)
    top.errorbar((low + high) / 2, n / width, np.sqrt(n) / width, width / 2, fmt=".", color=COUNTS_COLOR,
                 label="counts", zorder=3)
    top.stairs((source[0] + b) / width, edges, color=MODEL_COLOR, label="from the latents")
    top.stairs(ceiling, edges, baseline=floor, fill=True, color=MODEL_COLOR, alpha=0.25, label="68 %")
    if b.any():
        top.stairs(b / width, edges, color="#888888", ls=":", label="background")
    top.set_ylabel("counts / keV")


def _draw_flux(top, low, high, net, error, source, flux):
    """E F(E) that arrives: the decoded spectrum, and net counts unfolded with it."""
    shown = (ENERGY_MID >= low[0]) & (ENERGY_MID <= high[-1])
    energy, limits = ENERGY_MID[shown], np.quantile(flux[:, shown], _BAND, axis=0)
    top.plot(energy, flux[0][shown], color=MODEL_COLOR, label="from the latents")
    top.fill_between(energy, *limits, color=MODEL_COLOR, alpha=0.25, lw=0, label="68 %")
    weights = band_weights(low, high) * ENERGY_WIDTH
    scale = (weights @ flux[0]) / weights.sum(axis=1) / np.maximum(source, 1e-30)
    # Groups in which little is expected unfold to anything.
    good = source > 0.01 * source.max()
    points = ((low + high) / 2, net * scale, error * scale, (high - low) / 2)
    top.errorbar(*(values[good] for values in points), fmt=".", color=COUNTS_COLOR,
                 label="net counts, unfolded", zorder=3)
    peak = flux[0][shown].max()
    top.set_ylim(3e-3 * peak, 3 * peak)
    top.set_ylabel(r"$E\,F(E)$ [erg cm$^{-2}$ s$^{-1}$]")


def _grouped(counts, model, minimum):
    """Starts of groups of neighboring bins that hold at least a minimum of counts or of model."""
    starts, total = [0], 0.0
    for i, size in enumerate(np.maximum(counts, model)):
        if total >= minimum:
            starts.append(i)
            total = 0.0
        total += size
    return np.array(starts)


def _reconstruct(spectrum, model):
    """
    Edges, counts, background; by mean and draws, source counts in bins and E F(E) on the grid, erg/cm2/s.
    """
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.spectra.binning import bins_from_spectra

    if spectrum.response is None:
        msg = f"spectrum {spectrum.path or 'in memory'} has no response; read it with arf=..., rmf=..."
        raise SpectrumError(msg)
    model = load_model(model) if model is None or isinstance(model, str) else model
    bins, matrices = bins_from_spectra([spectrum])
    posterior = model.infer(bins, matrices)
    draws = np.random.default_rng(0).multivariate_normal(posterior.latent[0], posterior.latent_cov[0],
                                                         _N_DRAWS)
    incident = model.decode(np.vstack([posterior.latent[:1], draws])).astype(float)
    valid = bins.valid[0]
    folded = incident @ np.asarray(matrices[0], float).T[:, valid]
    norm = max(float(bins.net_counts[0]), 0.0) / np.maximum(folded.sum(axis=1, keepdims=True), 1e-300)
    flux = norm * incident * ENERGY_MID**2 / ENERGY_WIDTH * KEV_TO_ERG
    bins_of = (values[0][valid] for values in (bins.e_lo, bins.e_hi, bins.counts, bins.background))
    return *bins_of, folded * norm, flux
