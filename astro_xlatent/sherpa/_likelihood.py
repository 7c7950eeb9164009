# Licensed under a 3-clause BSD style license - see LICENSE
"""The C-statistic of a session's data set for many decoded spectra at once."""


from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.model.refined import Likelihood
from astro_xlatent.sherpa._session import noticed_channels, pha_data, spectrum_of
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import floored_background

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session

__all__ = ["likelihood_of"]


def likelihood_of(id: int | str, session: Session) -> Likelihood:
    """
    The likelihood of a data set as the session sees it: filter, grouping, noticed channels within 0.3-10 keV.

    The background is the session's background model if there is one, else the
    off-source counts rebinned to half the energy resolution and spread evenly over
    the channels.
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
    background = _modeled_background(id, data, session)
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


def _modeled_background(id, data, session):
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
