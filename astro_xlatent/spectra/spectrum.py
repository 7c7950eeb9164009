# Licensed under a 3-clause BSD style license - see LICENSE
"""`XraySpectrum`: counts in channels, response and background, read and written by astropy's unified I/O."""

from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from astropy.io.registry import UnifiedReadWrite, UnifiedReadWriteMethod

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.bins import group_channels

__all__ = ["XraySpectrum"]


class XraySpectrumRead(UnifiedReadWrite):
    """
    Read a spectrum, with its response and background.

    Parameters
    ----------
    path : str or path-like
        OGIP PHA file (type I, counts), gzipped or not; ``file[NAME]`` or ``file[2]`` chooses one of several.
    format : str, optional
        ``"ogip"``, told by the header whatever the file's name.
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
    SpectrumError, ResponseError
        If a file is missing, damaged or of no use; type II, RATE, NET and HRC spectra are refused.
    """

    def __init__(self, instance, cls):
        super().__init__(instance, cls, "read", registry=None)

    def __call__(self, path, *args, format="ogip", **kwargs):
        if not isinstance(path, (str, PathLike)):
            raise SpectrumError(f"path must be a string or path-like, got {type(path).__name__}")
        return self.registry.read(self._cls, path, *args, format=format, **kwargs)


class XraySpectrumWrite(UnifiedReadWrite):
    """
    Write an OGIP PHA file, its background and responses beside it.

    Parameters
    ----------
    path : str or path-like
        Such as ``source.pha``; ``source_bkg.pha``, ``source.arf`` and ``source.rmf`` go with it.
    format : {'ogip'}, optional
    overwrite : bool, optional
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
    quality, grouping : ndarray of int16, shape (n_channels,)
        OGIP flags; quality 0 is good.
    telescope, instrument : str
        Upper case.
    meta : dict
        From the header (``object``, ``obs_id``, ...) and how companions were found (``arf_rule``, ...).
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
    channel: np.ndarray | Any = None
    backscale: Any = 1.0
    areascale: Any = 1.0
    background: Any = None
    response: Any = None
    quality: np.ndarray | Any = None
    grouping: np.ndarray | Any = None
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
            raise SpectrumError(f"exposure is {self.exposure}; it must be a positive number of seconds")
        self.exposure = float(self.exposure)
        self._check_scales()
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

    def _check_scales(self):
        """Refuse an impossible AREASCAL; a BACKSCAL that means nothing is one, and flagged."""
        for name in ("areascale", "backscale"):
            value = np.asarray(getattr(self, name), float)
            if value.shape not in ((), self.counts.shape):
                msg = f"{name} has shape {value.shape}; give one number, or {self.counts.size} of them"
                raise SpectrumError(msg)
            if name == "areascale" and not (np.all((value >= 0) & np.isfinite(value)) and np.any(value)):
                msg = f"areascale is {value!s:.80}; positive numbers are needed (1 for no scaling)"
                raise SpectrumError(msg)
        if not self.has_backscale:
            self.backscale, self.flags = 1.0, self.flags | Flag.NO_BACKSCALE

    def __repr__(self):
        name = " ".join(str(p) for p in (self.telescope, self.instrument, self.meta.get("object", "")) if p)
        background = "no background" if self.background is None else (
            f"{self.background.counts.sum():g} background counts")
        response = "no response" if self.response is None else (
            f"{self.response.channel_e_lo.min():.2f}-{self.response.channel_e_hi.max():.2f} keV")
        return (f"<XraySpectrum{' ' * bool(name)}{name}: {self.counts.sum():g} counts in {self.counts.size} "
                f"channels, {self.exposure / 1e3:.4g} ks, {background}, {response}>")

    @property
    def e_lo(self) -> np.ndarray:
        """Lower channel bounds in keV, shape (n_channels,)."""
        return self._require_response().channel_e_lo

    @property
    def e_hi(self) -> np.ndarray:
        """Upper channel bounds in keV, shape (n_channels,)."""
        return self._require_response().channel_e_hi

    def _require_response(self):
        if self.response is None:
            msg = (f"{self.path or 'this spectrum'} has no response, so its channels have no energies; "
                   "read it with arf=... and rmf=...")
            raise SpectrumError(msg)
        return self.response

    @property
    def has_backscale(self) -> bool:
        """Whether BACKSCAL means something: not flagged, and positive and finite in some channel."""
        value = np.asarray(self.backscale, float)
        return not self.flags & Flag.NO_BACKSCALE and bool(np.any((value > 0) & np.isfinite(value)))

    @property
    def background_scale(self) -> "float | np.ndarray":
        """
        Factor from off-source counts to those expected in the source aperture.

        The ratio of backscale x areascale x exposure, source over background; (n_channels,) if a scale is
        (zero where the background's is). Backscales count if both are usable. Zero without a background.
        """
        off = self.background
        if off is None:
            return 0.0
        top, bottom = (np.asarray(s.areascale, float) * s.exposure for s in (self, off))
        if self.has_backscale and off.has_backscale:
            top, bottom = top * self.backscale, bottom * off.backscale
        ratio = np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)
        return float(ratio) if ratio.ndim == 0 else ratio

    def fine_groups(self) -> np.ndarray:
        """
        Bin of ``FINE_EDGES`` of each channel's center; -1 outside, of bad quality, or without a usable scale.
        """
        groups = group_channels(self.e_lo, self.e_hi)
        good = self.quality == 0
        if self.background is not None and np.ndim(self.background.backscale):
            good &= self.background.backscale > 0
        return np.where(good, groups, -1)
