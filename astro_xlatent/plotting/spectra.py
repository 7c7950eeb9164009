# Licensed under a 3-clause BSD style license - see LICENSE
"""A spectrum with the decoded and folded model."""

import numpy as np

from astro_xlatent.core.errors import SpectrumError

__all__ = ["plot_spectrum"]


def _grouped(counts, model, minimum):
    """Starts of groups of neighbouring bins that hold at least a minimum of counts or of model."""
    starts, total = [0], 0.0
    for i, size in enumerate(np.maximum(counts, model)):
        if total >= minimum:
            starts.append(i)
            total = 0.0
        total += size
    return np.array(starts)


def plot_spectrum(spectrum, model=None, *, min_counts=10, axes=None):
    """
    Draw counts with the reconstruction from the latents, and the residuals.

    The decoded incident spectrum is folded with the spectrum's own response
    and scaled to fit the counts; the background is added.

    Parameters
    ----------
    spectrum : `~astro_xlatent.spectra.spectrum.XraySpectrum`
        With a response.
    model : str or `~astro_xlatent.model.posterior.Model`, optional
        Model or its name; the default model if not given.
    min_counts : int, optional
        Neighbouring bins are drawn together until they hold so many counts.
    axes : tuple of two `~matplotlib.axes.Axes`, optional
        For counts and residuals; a new figure if not given.

    Returns
    -------
    axes : tuple of two `~matplotlib.axes.Axes`

    Raises
    ------
    `~astro_xlatent.core.errors.SpectrumError`
        If the spectrum has no response.
    """
    bins, source = _reconstruct(spectrum, model)
    expected = source + bins.background[0]
    valid = bins.valid[0]
    counts, expected = bins.counts[0][valid], expected[valid]
    e_lo, e_hi = bins.e_lo[0][valid], bins.e_hi[0][valid]
    starts = _grouped(counts, expected, min_counts)
    ends = np.append(starts[1:], counts.size) - 1
    low, high = e_lo[starts], e_hi[ends]
    n, m = np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)
    top, bottom = _new_axes(axes)
    middle, half, width = (low + high) / 2, (high - low) / 2, high - low
    top.errorbar(middle, n / width, np.sqrt(n) / width, half, fmt=".", color="0.3", label="counts")
    top.stairs(m / width, np.append(low, high[-1]), color="#0072B2", label="from the latents")
    bottom.errorbar(middle, (n - m) / np.sqrt(np.maximum(m, 1e-9)), 1.0, half, fmt=".", color="0.3")
    bottom.axhline(0, color="#0072B2")
    _label(top, bottom)
    return top, bottom


def _reconstruct(spectrum, model):
    """Bins of a spectrum, and the source counts in them that its latents mean."""
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.spectra.binning import bins_from_spectra

    if spectrum.response is None:
        msg = f"spectrum {spectrum.path or 'in memory'} has no response; read it with arf=..., rmf=..."
        raise SpectrumError(msg)
    model = load_model(model) if model is None or isinstance(model, str) else model
    bins, matrices = bins_from_spectra([spectrum])
    incident = model.decode(model.infer(bins, matrices).latent)[0]
    folded = matrices[0] @ incident
    net = max(float(bins.net_counts[0]), 0.0)
    return bins, folded * net / max(float(folded[bins.valid[0]].sum()), 1e-300)


def _new_axes(axes):
    """Give the axes, or two of a new figure outside pyplot's global state."""
    if axes is not None:
        return axes
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 5), layout="constrained")
    return figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))


def _label(top, bottom):
    """Scales, labels and legend."""
    top.set_xscale("log")
    top.set_yscale("log")
    top.set_ylabel("counts / keV")
    top.legend()
    bottom.set_xlabel("energy [keV]")
    bottom.set_ylabel(r"$(n - m)/\sqrt{m}$")
    ticks = [0.3, 0.5, 1, 2, 5, 10]
    bottom.set_xticks(ticks, [f"{t:g}" for t in ticks])
    bottom.minorticks_off()
