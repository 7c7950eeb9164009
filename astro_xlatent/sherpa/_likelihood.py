# Licensed under a 3-clause BSD style license - see LICENSE
"""The C-statistic of a session's data set for many decoded spectra at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.sherpa._session import noticed_channels, pha_data, spectrum_of
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import floored_background

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session

__all__ = ["Likelihood", "likelihood_of"]


@dataclass
class Likelihood:
    """
    Counts, background and response in the session's own bins.

    Attributes
    ----------
    counts, background : ndarray, shape (n_bins,)
        Observed, and expected from background.
    matrix : ndarray of float32, shape (n_bins, n_energy)
        cm2 s.
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        The same data on the fine grid, for the encoder.
    fine_matrix : ndarray of float32, shape (1, n_fine, n_energy)
        Its folding matrix.
    """

    counts: np.ndarray
    background: np.ndarray
    matrix: np.ndarray
    bins: object
    fine_matrix: np.ndarray

    def statistic(self, spectrum: np.ndarray, norm: np.ndarray) -> np.ndarray:
        """
        C-statistic of incident spectra.

        Parameters
        ----------
        spectrum : ndarray, shape (n, n_energy)
            Photons per bin of the incident grid.
        norm : ndarray, shape (n,)
            Their normalisations.

        Returns
        -------
        statistic : ndarray, shape (n,)
            Sherpa's ``cstat``.
        """
        filled = self.counts > 0
        n = self.counts[filled]
        # Bins without counts matter by the sum of their model alone.
        total = norm * (spectrum @ self.matrix.sum(axis=0, dtype=float)) + self.background.sum()
        source = (spectrum.astype(np.float32) @ self.matrix[filled].T).astype(float)
        model = np.maximum(norm[:, None] * source + self.background[filled], 1e-25)
        return 2 * (total - n.sum() + (n * np.log(n / model)).sum(axis=1))

    def fine_fold(self, spectrum: np.ndarray) -> np.ndarray:
        """Source counts on the fine grid, shape (n, n_fine)."""
        return (spectrum.astype(np.float32) @ self.fine_matrix[0].T).astype(float)


def likelihood_of(id: int | str, session: Session) -> Likelihood:
    """
    The likelihood of a data set as the session sees it.

    Parameters
    ----------
    id : int or str
        A loaded data set; its filter and grouping are used.
    session : sherpa.astro.ui.utils.Session

    Returns
    -------
    likelihood : Likelihood
        Noticed channels within 0.3-10 keV. The background is the session's
        background model if there is one, else the off-source counts rebinned
        to half the energy resolution and spread evenly over the channels.
    """
    data = pha_data(id, session)
    spectrum = spectrum_of(id, session)
    bins, fine_matrix = bins_from_spectra([spectrum])
    fine = spectrum.fine_groups()
    group = np.where(fine >= 0, _session_groups(data, noticed_channels(id, data)), -1)
    used, index = np.unique(group[group >= 0], return_inverse=True)
    group[group >= 0] = index
    n_bins = used.size
    seconds = spectrum.exposure * np.broadcast_to(np.asarray(spectrum.areascale, float), group.shape)
    matrix = spectrum.response.on_grid().rebin(group, n_bins) * _mean(seconds, group, n_bins)[:, None]
    background = _modelled_background(id, data, session)
    if background is None:
        background = _spread_background(bins, fine)
    return Likelihood(_sum(spectrum.counts, group, n_bins),
                      np.maximum(_sum(background, group, n_bins), 1e-9),
                      np.maximum(matrix, 0).astype(np.float32), bins, fine_matrix)


def _sum(values, group, n_bins):
    return np.bincount(group[group >= 0], weights=values[group >= 0], minlength=n_bins)


def _mean(values, group, n_bins):
    return _sum(values, group, n_bins) / np.maximum(_sum(np.ones(group.size), group, n_bins), 1)


def _session_groups(data, noticed):
    """Number of the session's bin for every channel, -1 if ignored."""
    if not data.grouped or data.grouping is None:
        return np.where(noticed, np.arange(noticed.size), -1)
    good = np.ones(noticed.size, bool) if data.quality_filter is None else np.asarray(data.quality_filter)
    number = np.cumsum((np.asarray(data.grouping) >= 0) & good)
    return np.where(noticed, number, -1)


def _spread_background(bins, fine):
    """Expected background per channel, from that per fine bin."""
    expected = floored_background(bins.background[0], bins.background_error[0])
    members = np.bincount(fine[fine >= 0], minlength=expected.size)
    return np.where(fine >= 0, (expected / np.maximum(members, 1))[fine], 0.0)


def _modelled_background(id, data, session):
    """Counts per channel that the session's background models put into the aperture, or None."""
    from sherpa.utils.err import IdentifierErr, ModelErr

    if not data.background_ids:
        return None
    total = np.zeros(data.channel.size)
    for number in data.background_ids:
        try:
            model = session.get_bkg_model(id, number)
        except (IdentifierErr, ModelErr):
            return None
        background = data.get_background(number)
        scale = data.get_background_scale(number, units="counts")
        total += np.asarray(model(np.asarray(background.channel, float))) * (1.0 if scale is None else scale)
    return total
