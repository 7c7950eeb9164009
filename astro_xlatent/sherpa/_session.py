# Licensed under a 3-clause BSD style license - see LICENSE
"""What a Sherpa session holds, as spectra and likelihoods; nothing here changes a session."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sherpa.astro.data import DataPHA

from astro_xlatent.core.errors import ResponseError, SpectrumError, XlatentWarning
from astro_xlatent.model.refined import Likelihood
from astro_xlatent.physics.grid import ENERGY_EDGES
from astro_xlatent.sherpa.convert import from_sherpa, response_from_sherpa
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import floored_background
from astro_xlatent.spectra.spectrum import XraySpectrum

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session
else:
    # Imported by whoever has a session: it looks for image viewers and XSPEC, loudly.
    Session = Any

__all__ = ["Session", "check_statistic", "likelihood_of", "noticed_channels", "pha_data", "resolve",
           "resolve_session", "spectrum_of"]

#: OGIP quality of unused channels: 1 bad by software, 5 by the user. 2 only means few counts in a group.
UNUSABLE_QUALITY = (1, 5)
#: Counts a bin below which chi-square misleads.
CHI2_COUNTS = 10


def resolve_session(session: Any = None) -> Session:
    """The session to work in; None, or the module `sherpa.astro.ui`, mean its global one."""
    if session is None:
        from sherpa.astro import ui

        session = ui
    session = getattr(session, "_session", session)
    if not hasattr(session, "get_default_id") or not hasattr(session, "load_pha"):
        msg = (f"session is {type(session).__name__}; give a sherpa.astro.ui.utils.Session, or leave it out "
               "for that of sherpa.astro.ui")
        raise SpectrumError(msg)
    return session


def resolve(id: object, session: Any) -> tuple[list, Session]:
    """Data set ids from an id, several, a DataStack, or None for the session's default; and the session."""
    session = resolve_session(session)
    if id is None:
        ids = [session.get_default_id()]
    elif hasattr(id, "filter_datasets"):
        ids = [entry["id"] for entry in id.filter_datasets()]
    elif isinstance(id, (list, tuple, set, range, np.ndarray)):
        ids = [i.item() if isinstance(i, np.generic) else i for i in id]
    else:
        ids = [id]
    loaded = session.list_data_ids()
    missing = [i for i in ids if i not in loaded]
    if missing or not ids:
        what = ", ".join(repr(i) for i in missing) or "an empty list of ids"
        known = ", ".join(repr(i) for i in loaded) or "none"
        msg = (f"no data for {what}; read a spectrum with load_pha({(missing or [1])[0]!r}, ...). "
               f"Loaded: {known}")
        raise SpectrumError(msg)
    return ids, session


def pha_data(id: int | str, session: Session) -> DataPHA:
    """The PHA data of counts of an id, with a response."""
    data = session.get_data(id)
    if not isinstance(data, DataPHA):
        raise SpectrumError(f"data set {id!r} is {type(data).__name__}, not an X-ray spectrum; "
                            f"read one with load_pha({id!r}, ...)")
    kind = str((data.header or {}).get("HDUCLAS2", "")).upper()
    if kind == "NET":
        msg = (f"data set {id!r} ({data.name}) is a NET spectrum: its background was subtracted before "
               "it was written, so it holds no counts; load the TOTAL spectrum and its background")
        raise SpectrumError(msg)
    if data.get_response()[1] is None:
        msg = (f"data set {id!r} has no RMF, so its channels have no energies; use load_rmf({id!r}, ...) "
               f"and load_arf({id!r}, ...)")
        raise ResponseError(msg)
    return data


def noticed_channels(id: int | str, data: DataPHA) -> np.ndarray:
    """Channels (n_channels,) that the session's filter lets pass, of which there must be one."""
    mask = data.get_mask()
    if mask is None:
        # Sherpa before 4.17 says None for all channels as well.
        mask = np.full(data.channel.size, data.mask is True)
    noticed = np.asarray(mask)
    if noticed.size != data.channel.size:
        # With ignore_bad and grouping the mask counts the good channels only.
        full = np.zeros(data.channel.size, bool)
        full[data.quality_filter] = noticed
        noticed = full
    if not noticed.any():
        msg = f"the filter of data set {id!r} leaves no channels; use notice_id({id!r}, 0.5, 7)"
        raise SpectrumError(msg)
    return noticed


def spectrum_of(id: int | str, session: Session) -> XraySpectrum:
    """
    A data set as `XraySpectrum`, unsubtracted: several responses are added up, several backgrounds pooled.
    Channels that are ignored, or bad by their quality, have a quality that keeps them out of everything.
    """
    data = pha_data(id, session)
    noticed = noticed_channels(id, data)
    spectrum = from_sherpa(data)
    bad = ~noticed | np.isin(spectrum.quality, UNUSABLE_QUALITY)
    spectrum.quality = bad.astype(np.int16)
    if len(data.response_ids) > 1:
        spectrum.response = _sum_of_responses(data)
    if len(data.background_ids) > 1:
        spectrum.background = _pooled_background(data)
    if not np.any(spectrum.fine_groups() >= 0):
        msg = (f"no noticed channel of data set {id!r} lies in 0.3-10 keV, where the model works; "
               f"use notice_id({id!r}, 0.5, 7)")
        raise SpectrumError(msg)
    return spectrum


def _sum_of_responses(data):
    """One response for all that contribute to the same channels, on the package's grid."""
    parts = [response_from_sherpa(*data.get_response(i)).on_grid(ENERGY_EDGES) for i in data.response_ids]
    first, *others = (part.redistribution for part in parts)
    return replace(parts[0], redistribution=sum(others, first).tocsr())


def _pooled_background(data):
    """Counts of all background regions, with the scale of their union."""
    parts = [from_sherpa(data.get_background(i)) for i in data.background_ids]
    weight = sum(np.asarray(p.areascale, float) * p.backscale * p.exposure for p in parts)
    first = parts[0]
    return XraySpectrum(counts=sum(p.counts for p in parts), exposure=first.exposure, channel=first.channel,
                        backscale=weight / first.exposure, response=first.response)


def check_statistic(id: int | str, session: Session) -> None:
    """Warn if the session's statistic is chi-square and bins hold few counts."""
    name = str(session.get_stat_name())
    if not name.startswith(("chi2", "leastsq")):
        return
    data = session.get_data(id)
    lowest = np.min(np.asarray(data.apply_filter(data.counts), float), initial=np.inf)
    if lowest < CHI2_COUNTS:
        msg = (f"the statistic is {name}, but bins of data set {id!r} hold as few as {lowest:g} counts: "
               "the fit would be biased; use set_stat('cstat'), or 'wstat' with a background, "
               "or group_counts")
        warnings.warn(msg, XlatentWarning, stacklevel=3)


def likelihood_of(id: int | str, session: Session) -> Likelihood:
    """A data set as the session sees it, in 0.3-10 keV; background of its model, else off-source counts."""
    data = pha_data(id, session)
    spectrum = spectrum_of(id, session)
    bins, fine_matrix = bins_from_spectra([spectrum])
    fine = spectrum.fine_groups()
    group = np.where(fine >= 0, _session_groups(data, noticed_channels(id, data)), -1)
    used, index = np.unique(group[group >= 0], return_inverse=True)
    group[group >= 0] = index
    n_bins = used.size
    seconds = spectrum.exposure * np.broadcast_to(np.asarray(spectrum.areascale, float), group.shape)
    seconds = _sum(seconds, group, n_bins) / _sum(np.ones(group.size), group, n_bins)
    matrix = spectrum.response.on_grid().rebin(group, n_bins) * seconds[:, None]
    background = _modeled_background(id, data, session)
    if background is None:
        background = _spread_background(bins, fine)
    return Likelihood(_sum(spectrum.counts, group, n_bins),
                      np.maximum(_sum(background, group, n_bins), 1e-9),
                      np.maximum(matrix, 0).astype(np.float32), bins, fine_matrix)


def _sum(values, group, n_bins):
    return np.bincount(group[group >= 0], weights=values[group >= 0], minlength=n_bins)


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
