# Licensed under a 3-clause BSD style license - see LICENSE
"""
`XraySpectrum`: counts in channels with response and background.

Reading and writing go through astropy's unified I/O, registered on this class
alone (on `~astropy.table.Table` the format would compete with ``fits``).
"""

from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from astropy.io import registry
from astropy.io.registry import UnifiedReadWrite, UnifiedReadWriteMethod

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE
from astro_xlatent.spectra.ogip import is_ogip_spectrum, read_pha

__all__ = ["XraySpectrum"]


class XraySpectrumRead(UnifiedReadWrite):
    """
    Read a spectrum, with its response and background.

    Parameters
    ----------
    path : str or path-like
        OGIP PHA file (type I, counts), gzipped or not.
    format : str, optional
        By default found from the header; ``"ogip"``.
    arf, rmf : str, path-like or Response, optional
        Instead of the files the header names or that lie beside it.
    background : str, path-like or False, optional
        Instead of the one found; False: none.
    missing_response : {'raise', 'ignore'}, optional
        With ``'ignore'`` a spectrum without ARF or RMF has ``response=None``.

    Returns
    -------
    spectrum : XraySpectrum

    Raises
    ------
    SpectrumError
        If the file is missing, damaged, empty, no OGIP spectrum, or a type II,
        RATE, NET or HRC spectrum.
    ResponseError
        If the response is missing or cannot be used.
    """

    def __init__(self, instance, cls):
        super().__init__(instance, cls, "read", registry=None)

    def __call__(self, path, *args, format=None, **kwargs):
        if not isinstance(path, (str, PathLike)):
            msg = f"path must be a string or path-like, got {type(path).__name__}"
            raise SpectrumError(msg)
        if format is None:
            found = registry.identify_format("read", self._cls, path, None, args, kwargs)
            # Not recognised: the OGIP reader says what is wrong with the file.
            format = found[0] if found else "ogip"
        return self.registry.read(self._cls, path, *args, format=format, **kwargs)


class XraySpectrumWrite(UnifiedReadWrite):
    """
    Write an OGIP PHA file, its background and responses beside it.

    Parameters
    ----------
    path : str or path-like
        File to make, for example ``source.pha``. Background and responses
        become ``source_bkg.pha``, ``source.arf`` and ``source.rmf``.
    format : str, optional
        ``"ogip"``.
    overwrite : bool, optional
        Replace existing files.
    """

    def __init__(self, instance, cls):
        super().__init__(instance, cls, "write", registry=None)

    def __call__(self, path, *args, format="ogip", **kwargs):
        return self.registry.write(self._instance, path, *args, format=format, **kwargs)


@dataclass(eq=False)
class XraySpectrum:
    """
    An X-ray spectrum of one source in one observation.

    Attributes
    ----------
    counts : ndarray of float64, shape (n_channels,)
        Counts in the source aperture, background included.
    channel : ndarray of int64, shape (n_channels,)
        Channel numbers as in the file.
    exposure : float
        Live time in s.
    backscale, areascale : float or ndarray, shape (n_channels,)
        OGIP BACKSCAL and AREASCAL.
    background : XraySpectrum or None
        Off-source spectrum.
    response : Response or None
        Effective area and redistribution.
    quality, grouping : ndarray of int16, shape (n_channels,)
        OGIP flags; quality 0 is good.
    telescope, instrument : str
        Upper case.
    meta : dict
        Facts from the header (``object``, ``obs_id``, ``date_obs``, ...) and
        how the companions were found (``arf_rule``, ``rmf_rule``, ...).
    path : str
        Where it was read from, or empty.
    flags : int
        Bits of `astro_xlatent.core.flags`.

    Examples
    --------
    >>> from astro_xlatent import XraySpectrum
    >>> XraySpectrum(counts=[0, 3, 1], exposure=1000.0)
    <XraySpectrum: 4 counts in 3 channels, 1 ks, no background, no response>
    """

    counts: np.ndarray
    exposure: float
    channel: np.ndarray | None = None
    backscale: object = 1.0
    areascale: object = 1.0
    background: object = None
    response: object = None
    quality: np.ndarray | None = None
    grouping: np.ndarray | None = None
    telescope: str = ""
    instrument: str = ""
    meta: dict = field(default_factory=dict)
    path: str = ""
    flags: int = 0

    read = UnifiedReadWriteMethod(XraySpectrumRead)
    write = UnifiedReadWriteMethod(XraySpectrumWrite)

    def __post_init__(self):
        self.counts = np.asarray(self.counts, float)
        if self.counts.ndim != 1 or not np.all(np.isfinite(self.counts)) or np.any(self.counts < 0):
            msg = (f"counts must be one-dimensional, finite and not negative, got shape {self.counts.shape}, "
                   f"minimum {self.counts.min() if self.counts.size else None}")
            raise SpectrumError(msg)
        if not (np.isfinite(self.exposure) and self.exposure > 0):
            msg = f"exposure is {self.exposure}; it must be a positive number of seconds"
            raise SpectrumError(msg)
        self.exposure = float(self.exposure)
        first = 1 if self.response is None else self.response.first_channel
        for name, default in (("channel", np.arange(first, first + self.counts.size)),
                              ("quality", np.zeros(self.counts.size, np.int16)),
                              ("grouping", np.zeros(self.counts.size, np.int16))):
            value = getattr(self, name)
            value = default if value is None else np.asarray(value)
            if value.shape != self.counts.shape:
                msg = f"{name} has shape {value.shape}, counts have {self.counts.shape}; they must be alike"
                raise SpectrumError(msg)
            setattr(self, name, value)

    def __repr__(self):
        name = " ".join(str(p) for p in (self.telescope, self.instrument, self.meta.get("object", "")) if p)
        background = "no background" if self.background is None else (
            f"{self.background.counts.sum():g} background counts")
        response = "no response" if self.response is None else (
            f"{self.response.channel_e_lo.min():.2f}-{self.response.channel_e_hi.max():.2f} keV")
        return (f"<XraySpectrum{' ' * bool(name)}{name}: {self.counts.sum():g} counts in {self.counts.size} "
                f"channels, {self.exposure / 1e3:.4g} ks, {background}, {response}>")

    @property
    def e_lo(self):
        """Lower channel bounds in keV, shape (n_channels,)."""
        return self._require_response().channel_e_lo

    @property
    def e_hi(self):
        """Upper channel bounds in keV, shape (n_channels,)."""
        return self._require_response().channel_e_hi

    def _require_response(self):
        if self.response is None:
            msg = (f"{self.path or 'this spectrum'} has no response, so its channels have no energies; "
                   "read it with arf=... and rmf=...")
            raise SpectrumError(msg)
        return self.response

    @property
    def background_scale(self):
        """
        Factor from off-source counts to those expected in the source aperture.

        The ratio of backscale x areascale x exposure, source over background;
        float, or shape (n_channels,) if a scale is given per channel (zero
        where the background's is zero). Where ``Flag.NO_BACKSCALE`` is set on
        either, backscale is left out. Zero without a background.
        """
        off = self.background
        if off is None:
            return 0.0
        top, bottom = (np.asarray(s.areascale, float) * s.exposure for s in (self, off))
        if not (self.flags | off.flags) & Flag.NO_BACKSCALE:
            top, bottom = top * self.backscale, bottom * off.backscale
        ratio = np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)
        return float(ratio) if ratio.ndim == 0 else ratio

    def fine_groups(self):
        """
        Bin of the package's fine grid to which each channel belongs.

        Returns
        -------
        groups : ndarray of int64, shape (n_channels,)
            Index into the bins of `~astro_xlatent.spectra.bins.FINE_EDGES` by
            channel centre; -1 outside them, for channels of bad quality, and
            where the background's scale is unusable.
        """
        center = 0.5 * (self.e_lo + self.e_hi)
        groups = np.searchsorted(FINE_EDGES, center, side="right") - 1
        good = (groups >= 0) & (groups < N_FINE) & (self.quality == 0)
        if self.background is not None and np.ndim(self.background.backscale):
            good &= self.background.backscale > 0
        return np.where(good, groups, -1)

    @classmethod
    def from_events(cls, events, source, background=None, *, arf=None, rmf=None, field=None,
                    energy_range=None, select=None, good_times=None, exposure=None):
        """
        Extract the spectrum of a region from an event list.

        Parameters
        ----------
        events : str or path-like
            FITS event list with PI and X, Y (or RA, DEC), of any size, gzipped or not.
        source, background : str, path-like, regions.Region or regions.Regions
            DS9, CRTF or FITS region files, or regions. Physical (and image)
            coordinates are the values of X and Y. Excluded shapes are taken
            out. From a CSC ``reg3`` file the broad-band or source extension
            is taken, or BKGREG for the background; ``file[NAME]`` chooses.
        arf, rmf : str, path-like or Response, optional
            Of the source region. Without an RMF the channels are those that
            the header declares for PI; eROSITA's PI is in eV and needs one.
        field : as ``source``, optional
            Field of view, such as Chandra's ``fov1`` file: only what lies
            within it counts as area.
        energy_range : (float, float), optional
            In keV; channels that reach out of it get quality 1.
        select : mapping or sequence of str, optional
            Values of columns to keep, ``{"ccd_id": 7, "grade": (0, 2, 3, 4, 6),
            "flag & 0xc00fff30": 0, "pat_typ": "1:4"}``.
        good_times : str, path-like or array_like, shape (n, 2), optional
            Further good time intervals, such as those without flares.
        exposure : float, optional
            Live time in s at the source, instead of that of the event list.

        Returns
        -------
        spectrum : XraySpectrum
            With ``background``, and with ``response`` if it is complete. How
            exposure and BACKSCAL came about is in ``meta``.

        Raises
        ------
        SpectrumError, RegionError, ResponseError, ParameterError
            With file, reason and remedy.
        ImportError
            If the regions package is not installed.

        Warns
        -----
        XlatentWarning
            If a region holds no event, reaches to where no event was seen, or
            overlaps the background, or if the exposure is that of a survey.

        Notes
        -----
        NaN positions and events outside good times or channels are left out
        and, as far as this is not the rule, counted in ``meta``.
        """
        from astro_xlatent.events.extract import extract_spectrum

        return extract_spectrum(cls, events, source, background, arf=arf, rmf=rmf, field=field,
                                energy_range=energy_range, select=select, good_times=good_times,
                                exposure=exposure)

    @classmethod
    def from_sherpa(cls, data):
        """
        Take over a Sherpa data set with its responses and first background.

        Parameters
        ----------
        data : sherpa.astro.data.DataPHA
            Counts; a subtracted data set is taken over unsubtracted.

        Returns
        -------
        spectrum : XraySpectrum
        """
        from astro_xlatent.sherpa.convert import spectrum_from_sherpa

        return spectrum_from_sherpa(cls, data)

    def to_sherpa(self, name=None):
        """
        Make a Sherpa data set with responses and background.

        Parameters
        ----------
        name : str, optional
            Name of the data set, by default the path.

        Returns
        -------
        data : sherpa.astro.data.DataPHA

        Raises
        ------
        ImportError
            If Sherpa is not installed.
        """
        from astro_xlatent.sherpa.convert import spectrum_to_sherpa

        return spectrum_to_sherpa(self, name)


def _write(spectrum, path, *, overwrite=False):
    from astro_xlatent.spectra._write import write_spectrum

    write_spectrum(spectrum, path, overwrite=overwrite)


def _identify(origin, path, fileobj, *args, **kwargs):
    return origin == "write" or is_ogip_spectrum(path)


registry.register_reader("ogip", XraySpectrum, read_pha)
registry.register_writer("ogip", XraySpectrum, _write)
registry.register_identifier("ogip", XraySpectrum, _identify)
