# Licensed under a 3-clause BSD style license - see LICENSE
"""
Sherpa models of absorption and emission, for a Sherpa without XSPEC: its names, parameters and normalizations
with ``XL`` before the name, and the physics of `astro_xlatent.physics`.
"""

from typing import Any

import numpy as np
from astropy import constants
from numpy.typing import ArrayLike
from sherpa.models.model import RegriddableModel1D, modelCacher1d
from sherpa.models.parameter import Parameter, hugeval

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics._bins import INDEX_RANGE, KT_RANGE
from astro_xlatent.physics.absorption import CONVENTIONS, NH_MAX, bin_cross_section
from astro_xlatent.physics.abundances import ABUNDANCE_SETS
from astro_xlatent.physics.emission import blackbody, disk_blackbody, powerlaw
from astro_xlatent.physics.grid import ENERGY_EDGES
from astro_xlatent.physics.plasma import PLASMA_KT_RANGE, plasma
from astro_xlatent.sherpa._session import Session, resolve_session

__all__ = ["MODELS", "XLApec", "XLBbodyrad", "XLDiskbb", "XLPowerlaw", "XLTbabs", "XLzTbabs", "add_models"]

# What the physics covers, keV: the absorption table from 0.1 keV, the continua from 1 eV.
_ABSORPTION_RANGE = (0.1, 300.0)
_CONTINUUM_RANGE = (1e-3, 300.0)
#: h c in keV Angstrom.
HC_KEV_ANGSTROM = float((constants.h * constants.c).to_value("keV Angstrom"))
# Units of the column in XSPEC, cm-2.
NH_UNIT = 1e22


class _Grid:
    """
    Bins of a Sherpa model call, with rising ``edges`` in keV that hold them all. As for XSPEC models, falling
    ``lo`` are wavelengths in Angstrom, and without ``hi`` the n edges of n - 1 bins, the last result being
    zero.
    """

    def __init__(self, lo, hi=None):
        lo = np.asarray(lo, float)
        self.n_out = lo.size
        hi = np.asarray(hi, float) if hi is not None else lo[1:]
        lo = lo[: hi.size]
        if lo.size > 1 and lo[0] > lo[-1]:
            lo, hi = HC_KEV_ANGSTROM / np.maximum(lo, hi), HC_KEV_ANGSTROM / np.minimum(lo, hi)
        self.lo, self.hi = lo, hi
        # Edges of neighboring bins may differ in the last digit of a float32.
        self.joined = lo.size > 0 and np.all(np.abs(hi[:-1] - lo[1:]) <= 1e-6 * hi[:-1]) and np.all(hi > lo)
        self.edges = np.append(lo, hi[-1:]) if self.joined else np.unique(np.concatenate([lo, hi]))

    def sums(self, values):
        """Values per bin of Sherpa's, from values between `edges` that add up."""
        if not self.joined:
            cumulative = np.append(0.0, np.cumsum(values))
            values = (cumulative[np.searchsorted(self.edges, self.hi)]
                      - cumulative[np.searchsorted(self.edges, self.lo)])
        return np.pad(values, (0, self.n_out - values.size))

    def means(self, values):
        """Values per bin of Sherpa's, from means between `edges`."""
        if self.joined:
            return self.sums(values)
        width = self.sums(np.diff(self.edges))
        return self.sums(values * np.diff(self.edges)) / np.where(width > 0, width, 1.0)


def _within(edges, limits, function):
    """What a function gives for the edges within limits, zero for bins outside."""
    inside = np.clip(edges, *limits)
    used = np.append(True, np.diff(inside) > 0)
    values = np.zeros(edges.size - 1)
    if used.sum() > 1:
        values[used[1:]] = function(inside[used])
    return values


def _choice(name, allowed, doc):
    """A property with few values, whose change empties Sherpa's cache."""
    def put(self, value):
        if value not in allowed:
            raise ParameterError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
        setattr(self, f"_{name}", value)
        self.cache_clear()

    return property(lambda self: getattr(self, f"_{name}"), put, doc=doc)


def _column(name):
    return Parameter(name, "nH", 1.0, 0.0, 1e3, 0.0, NH_MAX / NH_UNIT, "10^22 atoms / cm^2")


def _redshift(name):
    return Parameter(name, "redshift", 0.0, 0.0, 10.0, 0.0, 14.0, frozen=True)


class _Absorption(RegriddableModel1D):
    """Transmission of cold gas, with a choice of cross sections."""

    _convention = "tbabs/wilm"
    convention = _choice("convention", CONVENTIONS, "Cross sections and abundances, such as ``tbabs/wilm``.")

    @modelCacher1d
    def calc(self, p: np.ndarray, x: np.ndarray, xhi: np.ndarray | None = None, *args,
             **kwargs) -> np.ndarray:
        """Transmission per bin by its mean cross section; p holds nH, and the redshift where there is one."""
        grid, low = _Grid(x, xhi), _ABSORPTION_RANGE[0]
        rest = grid.edges * (1 + (p[1] if len(p) > 1 else 0.0))
        sigma = _within(rest, _ABSORPTION_RANGE, lambda e: bin_cross_section(e, convention=self.convention))
        middle = 0.5 * (rest[1:] + rest[:-1])
        below = middle < low
        first = bin_cross_section([low, low * 1.001], convention=self.convention)[0]
        sigma[below] = first * (low / np.maximum(middle[below], 1e-4)) ** 3
        return grid.means(np.exp(-p[0] * NH_UNIT * sigma))


class XLTbabs(_Absorption):
    """
    Photoelectric absorption by cold gas at redshift zero, as XSPEC's ``tbabs``: ``nH`` in 1e22 cm-2.

    Notes
    -----
    `convention`, Wilms et al. (2000) whatever table the session uses, can be another one of
    `~astro_xlatent.physics.absorption.CONVENTIONS`. Below 0.1 keV the cross section continues as E^-3.

    Examples
    --------
    >>> from astro_xlatent.sherpa import XLTbabs
    >>> absorber = XLTbabs("gal")
    >>> absorber.nH = 0.1
    >>> print(absorber([1.0, 2.0], [1.1, 2.1]).round(2))
    [0.86 0.97]
    """

    def __init__(self, name="xltbabs"):
        self.nH = _column(name)
        super().__init__(name, (self.nH,))


class XLzTbabs(_Absorption):
    """Photoelectric absorption by cold gas at a ``redshift``, as XSPEC's ``ztbabs``; else as `XLTbabs`."""

    def __init__(self, name="xlztbabs"):
        self.nH = _column(name)
        self.redshift = _redshift(name)
        super().__init__(name, (self.nH, self.redshift))


class Additive(RegriddableModel1D):
    """An emission model whose last parameter is its normalization."""

    _limits = _CONTINUUM_RANGE
    _shape: Any = None

    def __init__(self, name, *pars, norm=1.0, unit=""):
        self.norm = Parameter(name, "norm", norm, 0.0, 1e24, 0.0, hugeval, unit)
        super().__init__(name, (*pars, self.norm))

    def _photons(self, p, edges):
        return self._shape(p[0], edges=edges)

    @modelCacher1d
    def calc(self, p: np.ndarray, x: np.ndarray, xhi: np.ndarray | None = None, *args,
             **kwargs) -> np.ndarray:
        """Photons/cm2/s per bin."""
        grid = _Grid(x, xhi)
        return p[-1] * grid.sums(_within(grid.edges, self._limits, lambda edges: self._photons(p, edges)))

    def guess(self, dep: ArrayLike, *args, **kwargs) -> None:
        """Start and limits of the normalization, so that the model adds up to the data."""
        from sherpa.utils import param_apply_limits

        unit = self.calc([*(par.val for par in self.pars[:-1]), 1.0], *args)
        # Sherpa hands over photons/cm2/s/keV.
        width = np.abs(args[1] - args[0]) if len(args) > 1 else 1.0
        value = float(np.sum(np.asarray(dep) * width) / max(np.sum(unit), 1e-300))
        param_apply_limits({"val": value, "min": 1e-3 * value, "max": 1e3 * value}, self.norm, **kwargs)


class XLPowerlaw(Additive):
    """Power law, as XSPEC's ``powerlaw``: ``PhoIndex``, and ``norm`` in photons/keV/cm2/s at 1 keV."""

    _shape = staticmethod(powerlaw)

    def __init__(self, name="xlpowerlaw"):
        self.PhoIndex = Parameter(name, "PhoIndex", 1.0, -3.0, 9.0, *INDEX_RANGE)
        super().__init__(name, self.PhoIndex)


class XLBbodyrad(Additive):
    """Black body, as XSPEC's ``bbodyrad``: ``kT`` in keV, ``norm`` (radius in km / distance in 10 kpc)^2."""

    _shape = staticmethod(blackbody)

    def __init__(self, name="xlbbodyrad"):
        self.kT = Parameter(name, "kT", 3.0, 0.01, 100.0, *KT_RANGE, "keV")
        super().__init__(name, self.kT)


class XLDiskbb(Additive):
    """
    Multi-color disk, as XSPEC's ``diskbb``: ``Tin``, the temperature of the inner edge, in keV, and ``norm``,
    (inner radius in km / distance in 10 kpc)^2 cos(inclination).
    """

    _shape = staticmethod(disk_blackbody)

    def __init__(self, name="xldiskbb"):
        self.Tin = Parameter(name, "Tin", 1.0, 0.01, 100.0, *KT_RANGE, "keV")
        super().__init__(name, self.Tin)


class XLApec(Additive):
    """
    Collisionally ionized plasma, as XSPEC's ``apec``.

    Attributes
    ----------
    kT, redshift
        Temperature in keV, 0.0685 to 17.19, and redshift of the plasma.
    Abundanc
        Metal abundance relative to the set `abundances`.
    norm
        1e-14 / (4 pi (D_A (1 + z))^2) times the integral of n_e n_H dV (cgs).

    Notes
    -----
    From AtomDB 3.0.9 in bins of 10 eV, 0.1 to 12 keV. Abundances are Wilms et al. (2000) unless `abundances`
    is set to ``"angr"`` (Sherpa's default for XSPEC models) or ``"aspl"``.
    """

    _limits = (ENERGY_EDGES[0], ENERGY_EDGES[-1])
    _abundances = "wilm"
    abundances = _choice("abundances", ABUNDANCE_SETS, "Name of the abundance set.")

    def __init__(self, name="xlapec"):
        low, high = PLASMA_KT_RANGE
        # The outermost digits would not survive the optimizer's rounding.
        self.kT = Parameter(name, "kT", 1.0, 0.07, 17.0, low, high, "keV")
        self.Abundanc = Parameter(name, "Abundanc", 1.0, 0.0, 5.0, 0.0, 1000.0, frozen=True)
        self.redshift = _redshift(name)
        super().__init__(name, self.kT, self.Abundanc, self.redshift)

    def _photons(self, p, edges):
        spectrum = plasma(p[0], p[1], p[2], abundances=self._abundances)
        cumulative = np.append(0.0, np.cumsum(spectrum))
        return np.diff(np.interp(edges, ENERGY_EDGES, cumulative))


#: The models of this module.
MODELS = (XLTbabs, XLzTbabs, XLPowerlaw, XLBbodyrad, XLDiskbb, XLApec)


def add_models(session: Session | None = None) -> None:
    """
    Make the models known to a session, as ``xltbabs``, ``xlapec`` and so on.

    Parameters
    ----------
    session : sherpa.astro.ui.utils.Session, optional
        By default that of `sherpa.astro.ui`.

    Examples
    --------
    >>> from sherpa.astro.ui.utils import Session
    >>> from astro_xlatent.sherpa import add_models
    >>> session = Session()
    >>> add_models(session)
    >>> print(session.create_model_component("xldiskbb", "disk").Tin.units)
    keV
    """
    from astro_xlatent.sherpa.latent import LatentSpectrum

    session = resolve_session(session)
    known = set(session.list_models())
    for model in (*MODELS, LatentSpectrum):
        if model.__name__.lower() not in known:
            session.add_model(model)
