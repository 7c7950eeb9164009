# Licensed under a 3-clause BSD style license - see LICENSE
"""
Reference fits: plain physical models fitted to one spectrum by its likelihood.

An independent answer to set beside the model's: neutral absorption at z = 0
(Wilms abundances) times a power law, black body, disk black body, thermal
plasma, a power law with a black body, or a partially covered power law. The
statistic is the Poisson likelihood of source and background regions together
(W statistic), the background being constant per keV within blocks of at least
`BLOCK_COUNTS` off-source counts: one free value for every channel would bias
fits of faint spectra. Its values are profiled.

References
----------
Cash 1979, ApJ 228, 939; Wachter, Leach & Kellogg 1979, ApJ 230, 274; Wilks
1938, Ann. Math. Statist. 9, 60.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.model.statistics import cash, cash_moments
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import blackbody, disk_blackbody, powerlaw
from astro_xlatent.physics.plasma import plasma
from astro_xlatent.spectra.binning import bins_from_spectra

__all__ = ["MODELS", "OnOff", "ReferenceFit", "SpectralModel", "best_reference_fit", "fit_reference"]

#: Off-source counts of a block within which the background is constant per keV.
BLOCK_COUNTS = 10
#: Range of log N_H; its lower end is as good as no absorption.
LOG_NH = (18.0, 24.8)
#: Rise of the statistic at the ends of the 68 % and 90 % intervals of one parameter.
DELTA = (1.0, 2.706)
#: What a family must gain over one shape parameter by having 1, 2 or 3, to be taken: 3 sigma
#: of the likelihood ratio (Wilks 1938).
THREE_SIGMA = {1: 0.0, 2: 9.0, 3: 11.83}
_EM_STEPS = 60


@dataclass(frozen=True)
class SpectralModel:
    """
    A family of absorbed spectra.

    Attributes
    ----------
    name : str
    starts : tuple of tuple of float
        Values tried first, for each shape parameter.
    limits : tuple of tuple of float
        Bounds of each shape parameter.
    spectra : callable
        Takes column densities, shape (n,), and shape parameters, (n, k);
        gives photons per bin of the incident grid, (n, n_energy).
    """

    name: str
    starts: tuple
    limits: tuple
    spectra: object


def _unit(spectrum):
    return spectrum / np.maximum(spectrum.sum(axis=1, keepdims=True), 1e-300)


def _two_components(nh, shape):
    first, second = _unit(powerlaw(shape[:, 0])), _unit(blackbody(10 ** shape[:, 1]))
    return ((1 - shape[:, 2:]) * first + shape[:, 2:] * second) * transmission(nh)


def _partially_covered(nh, shape):
    covered = shape[:, 1:] * transmission(nh) + 1 - shape[:, 1:]
    return powerlaw(shape[:, 0]) * covered


_INDEX, _KT, _SHARE = (-1.0, 7.0), (-1.3, 1.3), (0.0, 1.0)
_INDICES, _KTS = (0.5, 1.2, 1.9, 2.6, 3.5), (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)

#: All families; temperatures are log10 of keV.
MODELS = (
    SpectralModel("power law", (_INDICES,), (_INDEX,), lambda nh, x: powerlaw(x[:, 0]) * transmission(nh)),
    SpectralModel("black body", (_KTS,), (_KT,), lambda nh, x: blackbody(10 ** x[:, 0]) * transmission(nh)),
    SpectralModel("disk black body", (_KTS,), (_KT,),
                  lambda nh, x: disk_blackbody(10 ** x[:, 0]) * transmission(nh)),
    SpectralModel("plasma", (_KTS, (0.1, 0.4, 1.0)), ((-1.0, 1.2), (0.0, 2.0)),
                  lambda nh, x: plasma(10 ** x[:, 0], x[:, 1]) * transmission(nh)),
    SpectralModel("power law + black body", (_INDICES, (-1.0, -0.5, 0.0), (0.1, 0.5)),
                  (_INDEX, _KT, _SHARE), _two_components),
    SpectralModel("partially covered power law", (_INDICES, (0.8, 0.97)), (_INDEX, _SHARE),
                  _partially_covered),
)


class OnOff:
    """
    Counts of source and background regions with the response, on the fine grid.

    Parameters
    ----------
    spectrum : `~astro_xlatent.spectra.spectrum.XraySpectrum`
        With a response; without a background none is assumed.
    band : tuple of float, optional
        Lowest and highest energy in keV.

    Raises
    ------
    SpectrumError
        If no channel lies in the band.
    """

    def __init__(self, spectrum, band=(0.5, 7.0)):
        bins, matrices = bins_from_spectra([spectrum])
        used = bins.valid[0] & (bins.e_lo[0] >= band[0]) & (bins.e_hi[0] <= band[1])
        if not used.any():
            name = spectrum.path or "spectrum"
            msg = f"{name}: no channel in {band[0]:g}-{band[1]:g} keV; give another band"
            raise SpectrumError(msg)
        scale = None if spectrum.background is None else float(np.mean(spectrum.background_scale))
        self._set(bins[:1], matrices[0], used, scale)

    @classmethod
    def of_bins(cls, bins, matrix, scale, band=(0.5, 7.0)):
        """
        Take bins of one spectrum instead.

        Parameters
        ----------
        bins : `~astro_xlatent.spectra.bins.EnergyBins`
            One row, in any bins.
        matrix : ndarray, shape (bins, N_ENERGY)
            Folds photons/cm2/s per bin of the incident grid into counts, cm2 s.
        scale : float or None
            Factor from off-source counts to expected background; None for none.
        band : tuple of float, optional
            Lowest and highest energy in keV.

        Returns
        -------
        data : OnOff
        """
        data = cls.__new__(cls)
        used = bins.valid[0] & (bins.e_lo[0] >= band[0]) & (bins.e_hi[0] <= band[1])
        data._set(bins, matrix, used, scale)
        return data

    def _set(self, bins, matrix, used, scale):
        self.counts, self.matrix = bins.counts[0][used], matrix[used].astype(float)
        self.width = (bins.e_hi - bins.e_lo)[0][used]
        self.background = bins.background[0][used]
        self.block = np.zeros(self.counts.size, int)
        self.off, self.exposure = np.zeros(1), np.zeros(1)
        if scale is not None:
            self._make_blocks(self.background / scale, scale)

    @property
    def net_counts(self):
        """Counts above the background expected in the source region."""
        return float(self.counts.sum() - self.background.sum())

    def _make_blocks(self, off, scale):
        """Neighbouring bins together until they hold enough off-source counts."""
        number, held = 0, 0.0
        for k, count in enumerate(off):
            self.block[k] = number
            held += count
            if held >= BLOCK_COUNTS:
                number, held = number + 1, 0.0
        if held and number:
            # What is left at the end is too little for a block of its own.
            self.block[self.block == number] = number - 1
        self.block = np.unique(self.block, return_inverse=True)[1]
        self.off = np.bincount(self.block, off)
        self.exposure = np.bincount(self.block, self.width) / scale

    def model(self, source):
        """
        Expected counts with the most likely background.

        Parameters
        ----------
        source : ndarray, shape (bins,)
            Expected source counts.

        Returns
        -------
        expected : ndarray, shape (bins,)
        off : ndarray, shape (blocks,)
            Expected off-source counts.
        """
        if not self.exposure.any():
            return np.maximum(source, 1e-9), self.off
        total = self.exposure + np.bincount(self.block, self.width)
        level = np.maximum(self.off, 0.5) / self.exposure
        for _ in range(_EM_STEPS):  # expectation-maximisation: the statistic never rises
            background = level[self.block] * self.width
            share = self.counts * background / np.maximum(source + background, 1e-12)
            level, before = (np.bincount(self.block, share) + self.off) / total, level
            if np.all(np.abs(level - before) < 1e-7 * before):
                break
        return np.maximum(source + level[self.block] * self.width, 1e-9), level * self.exposure

    def statistic(self, source):
        """Cash statistic of both regions for expected source counts, shape (bins,)."""
        expected, off = self.model(source)
        return float(cash(self.counts, expected).sum() + cash(self.off, np.maximum(off, 1e-9)).sum())


@dataclass
class ReferenceFit:
    """
    The best fit of one family.

    Attributes
    ----------
    model : SpectralModel
    log_nh : float
        Column in 1/cm2; `LOG_NH` [0] means none.
    shape : ndarray
    log_norm : float
        Natural log of the expected source counts in the band.
    statistic : float
    gof : float
        (C - C_e) / sqrt(Var C) of the source region.
    interval68, interval90 : tuple of float
        Of log N_H by the profile likelihood; NaN before `add_intervals`.
    """

    model: SpectralModel
    log_nh: float
    shape: np.ndarray
    log_norm: float
    statistic: float
    gof: float
    interval68: tuple = (np.nan, np.nan)
    interval90: tuple = (np.nan, np.nan)

    @property
    def criterion(self):
        """Statistic plus what chance gives a family with more shape parameters, at 3 sigma."""
        return self.statistic + THREE_SIGMA[len(self.shape)]

    def log_nh_error(self, data):
        """
        Standard error of log N_H from the expected (Fisher) information.

        Parameters
        ----------
        data : OnOff
            That was fitted; its background is held fixed.

        Returns
        -------
        error : float
            In dex; infinite where the spectrum says nothing about the column.
        """
        def counts(x):
            return np.exp(x[-1]) * _source(data, self.model, x[:-1])[0]

        x = np.array([self.log_nh, *self.shape, self.log_norm])
        steps = 0.01 * np.eye(x.size)
        slopes = np.stack([counts(x + step) - counts(x - step) for step in steps]) / 0.02
        information = (slopes / data.model(counts(x))[0]) @ slopes.T
        # Of the column with the other parameters left free (Schur complement).
        known, others = information[0, 1:], information[1:, 1:]
        left = information[0, 0] - known @ np.linalg.lstsq(others, known, rcond=None)[0]
        return float(1 / np.sqrt(left)) if left > 1e-9 else np.inf

    def profile(self, data, log_nh):
        """Rise of the statistic with log N_H held fixed, the rest fitted."""
        best = _minimum(data, self.model, np.array([log_nh, *self.shape, self.log_norm]), fixed=True)
        return best.fun - self.statistic

    def add_intervals(self, data):
        """Find the 68 % and 90 % intervals of log N_H."""
        limits = [[self._limit(data, delta, end) for end in LOG_NH] for delta in DELTA]
        self.interval68, self.interval90 = (tuple(pair) for pair in limits)

    def _limit(self, data, delta, end):
        """Where the profile crosses, between the best value and an end of the range."""
        inside, step = self.log_nh, 0.03
        while True:
            outside = inside + step if end > self.log_nh else inside - step
            outside = float(np.clip(outside, *LOG_NH))
            if self.profile(data, outside) > delta:
                break
            if outside == end:
                return end
            inside, step = outside, 2 * step
        for _ in range(7):
            middle = 0.5 * (inside + outside)
            if self.profile(data, middle) > delta:
                outside = middle
            else:
                inside = middle
        return 0.5 * (inside + outside)


def _source(data, model, nodes):
    """Expected source counts of unit sum, shape (n, bins), for (log N_H, shape...)."""
    nodes = np.atleast_2d(nodes)
    folded = model.spectra(10 ** nodes[:, 0], nodes[:, 1:]) @ data.matrix.T
    return folded / np.maximum(folded.sum(axis=1, keepdims=True), 1e-300)


def _minimum(data, model, start, fixed=False):
    """Minimize over (log N_H, shape..., log norm), or with N_H fixed."""
    bounds = [LOG_NH, *model.limits, (np.log(1e-2), np.log(1e9))]
    first = 1 if fixed else 0

    def value(free):
        x = np.concatenate([start[:first], free])
        return data.statistic(np.exp(x[-1]) * _source(data, model, x[:-1])[0])

    return minimize(value, start[first:], method="L-BFGS-B", bounds=bounds[first:],
                    options={"eps": 1e-5, "maxiter": 60})


def fit_reference(data, model, n_starts=4):
    """
    Fit one family from the best nodes of a grid.

    Parameters
    ----------
    data : OnOff
    model : SpectralModel
    n_starts : int, optional

    Returns
    -------
    fit : ReferenceFit
        Without intervals.
    """
    log_nh = (18.0, 20.0, 20.7, 21.2, 21.6, 22.0, 22.4, 22.8, 23.2, 23.6, 24.0)
    axes = np.meshgrid(log_nh, *model.starts, indexing="ij")
    nodes = np.stack(axes, axis=-1).reshape(-1, len(axes))
    norm = max(data.net_counts, 1.0)
    expected = norm * _source(data, model, nodes) + data.background + 1e-6
    rough = cash(data.counts, expected).sum(axis=1)
    starts = [np.append(nodes[k], np.log(norm)) for k in np.argsort(rough)[:n_starts]]
    best = min((_minimum(data, model, start) for start in starts), key=lambda found: found.fun)
    expected, _ = data.model(np.exp(best.x[-1]) * _source(data, model, best.x[:-1])[0])
    mean, variance = cash_moments(expected)
    excess = (cash(data.counts, expected) - mean).sum() + best.x.size
    return ReferenceFit(model, float(best.x[0]), best.x[1:-1], float(best.x[-1]), float(best.fun),
                        float(excess / np.sqrt(max(variance.sum() - 2 * best.x.size, 1e-6))))


def best_reference_fit(data, models=MODELS):
    """
    The simplest family that describes the spectrum, with intervals.

    Parameters
    ----------
    data : OnOff
    models : sequence of SpectralModel, optional

    Returns
    -------
    best : ReferenceFit
    fits : list of ReferenceFit
        Of all families, without intervals but for the best.
    """
    fits = [fit_reference(data, model) for model in models]
    best = min(fits, key=lambda fit: fit.criterion)
    best.add_intervals(data)
    return best, fits
