# Licensed under a 3-clause BSD style license - see LICENSE
"""From energy bins to what is known about a source: read `Model.infer`."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Self

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from astro_xlatent.core.config import conf
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.density import density_quantiles
from astro_xlatent.model.fluxes import FLUX_BANDS, fluxes
from astro_xlatent.model.network import HEADS, Decoder, Encoder
from astro_xlatent.model.statistics import (
    fit_statistics,
    profile_normalization,
    refine_latents,
    search_elsewhere,
)
from astro_xlatent.model.tokens import merge_steps, merged_edges, to_tensors
from astro_xlatent.physics.grid import CELLS, sum_cells
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["FLUX_BANDS", "Model", "Posterior", "covariance_of"]

#: Goodness of fit above which a second search sets out from other places.
POOR_FIT = 2.5
# Rows inferred at once, to bound memory: of spectra and of bands; tokens encoded at once.
CHUNK, BANDS_CHUNK = 64, 1024
TOKENS_AT_ONCE = 1024
# Probabilities below it are not known to be smaller.
_LEAST = 1e-9
_LOCK = Lock()
_before: list[int] = []


@dataclass
class Posterior:
    """What is inferred about every row; arrays with the n rows first."""

    #: Mean of the latents, (n, 8).
    latent: np.ndarray
    #: Their covariance, (n, 8, 8).
    latent_cov: np.ndarray
    #: Probabilities for equal prior of eight classes and "other", (n, 9).
    class_prob: np.ndarray
    #: Classes of the conformal set, most probable first, tuples of int.
    class_set: np.ndarray
    #: Probabilities of the cells of log N_H, and below of photon index and log kT, (n, cells).
    nh_density: np.ndarray
    index_density: np.ndarray
    kt_density: np.ndarray
    #: Lower limit, median and upper limit in erg/cm2/s, (n, 3), by band name.
    flux: dict
    #: Goodness of fit, NaN where there are too few bins.
    gof: np.ndarray
    #: Largest run of residuals, see `~astro_xlatent.model.statistics.largest_run`.
    run: np.ndarray
    #: Squared length of the latents that describe the counts best: of ordinary sources like that of
    #: 8 normal deviates. NaN for bands.
    distance: np.ndarray
    #: p-value.
    outlier: np.ndarray
    #: True where at most 1 % of simulations of like counts are described worse.
    poor_fit: np.ndarray
    #: True where the decoder describes the counts worse than it does any simulated source: what the
    #: model says of such a row is tempered, see `temper_densities`.
    not_this_model: np.ndarray
    #: False where no positive normalization exists: such rows are the prior, and say nothing.
    detected: np.ndarray
    #: Effective number of the draws that `~astro_xlatent.model.refined.refine_posterior` made; NaN: none.
    ess: np.ndarray | None = None

    def __post_init__(self):
        self.ess = np.full(len(self), np.nan) if self.ess is None else self.ess

    def __len__(self) -> int:
        return len(self.latent)

    def nh_quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """Quantiles of N_H in 1/cm2, shape (n, len(probabilities))."""
        return 10 ** density_quantiles(self.nh_density, HEADS["nh"].limits, probabilities)

    def index_quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """Quantiles of the photon index, given that the source is a power law."""
        return density_quantiles(self.index_density, HEADS["index"].limits, probabilities)

    def kt_quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """Quantiles of kT in keV, given that the source is thermal."""
        return 10 ** density_quantiles(self.kt_density, HEADS["kt"].limits, probabilities)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Stack rows."""
        joined = {name: np.concatenate([getattr(p, name) for p in parts])
                  for name in vars(parts[0]) if name != "flux"}
        return cls(**joined, flux={k: np.concatenate([p.flux[k] for p in parts]) for k in parts[0].flux})

    def __getitem__(self, rows: slice | np.ndarray) -> "Posterior":
        chosen = {name: values[rows] for name, values in vars(self).items() if name != "flux"}
        return type(self)(**chosen, flux={k: v[rows] for k, v in self.flux.items()})


class Model:
    """A trained encoder and decoder with their calibration, by `~astro_xlatent.load_model`."""

    def __init__(self, info: dict, encoder: Encoder, decoder: Decoder, teacher: nn.Module,
                 calibration: Calibration, device: str = "cpu"):
        self.info = info
        self.name, self.version, self.latent_space = info["name"], info["version"], info["latent_space"]
        self.sha256 = info.get("sha256", "")
        self.classes, self.missions = tuple(info["classes"]), tuple(info["missions"])
        self.device = torch.device(device)
        self.encoder = encoder.to(self.device).eval()
        self.decoder = decoder.to(self.device).eval()
        self.teacher = teacher.to(self.device).eval()
        self._decoders = {name: self.decoder.in_cells(cells.tolist()).eval() for name, cells in CELLS.items()}
        self.calibration = calibration
        self.config = encoder.config

    def __repr__(self) -> str:
        return f"<Model {self.name} {self.version}, latent space {self.latent_space}, on {self.device}>"

    def infer(self, bins: EnergyBins, matrices: np.ndarray | None = None) -> Posterior:
        """
        Posterior of every row, independent of the order and number of rows.

        Parameters
        ----------
        bins : `~astro_xlatent.spectra.bins.EnergyBins`
            From spectra on the fine grid, or bands.
        matrices : ndarray of float32, shape (rows, bins, n_energy), optional
            Folding matrices in cm2 s of spectra. Without them rows count as bands: no goodness of fit.

        Returns
        -------
        posterior : Posterior
        """
        if not len(bins):
            return self.infer(_ONE_BIN)[:0]
        size = BANDS_CHUNK if matrices is None else CHUNK
        parts = [slice(start, start + size) for start in range(0, len(bins), size)]

        def infer_part(rows):
            return self._infer_chunk(bins[rows], None if matrices is None else matrices[rows])

        workers = min(conf.threads or torch.get_num_threads(), len(parts))
        if workers == 1 or self.device.type != "cpu":
            with torch_threads(conf.threads):
                return Posterior.concatenate([infer_part(rows) for rows in parts])
        # A thread a part rather than many a step: none waits for one that a busy machine holds up.
        with torch_threads(1), ThreadPoolExecutor(workers) as pool:
            return Posterior.concatenate(list(pool.map(infer_part, parts)))

    @torch.inference_mode()
    def _infer_chunk(self, bins, matrices):
        mode = "bands" if matrices is None else "spectra"
        out = self.encode(bins, coarsen=matrices is not None)
        net, cal = bins.net_counts, self.calibration
        covariance = covariance_of(out["precision_chol"])
        folding = None if matrices is None else sum_cells(matrices, mode)
        flux = {band: cal.flux_limits(band, mode, net, limits) for band, limits in
                fluxes(self.decode, bins, folding, out["mean"], covariance, mode).items()}
        covariance = covariance * cal.at(mode, "latent_scale", net)[:, None, None]
        fit = dict.fromkeys(("gof", "run", "distance", "dispersion"), np.full(len(bins), np.nan))
        if matrices is not None:
            fit = self.best_fit(bins, out["mean"], matrices, folding)[2]
        detected = out["detected"]
        fit = {name: np.where(detected, values, np.nan) for name, values in fit.items()}
        dispersion = np.where(detected, fit.pop("dispersion"), np.inf)
        class_prob = softmax(out["classes"] / cal.at(mode, "class_temperature", net)[:, None], axis=1)
        posterior = Posterior(
            latent=out["mean"],
            latent_cov=covariance,
            class_prob=class_prob,
            class_set=np.empty(len(bins), object),
            **{f"{head}_density": cal.density(head, mode, net, out[head], class_prob) for head in HEADS},
            flux=flux,
            **fit,
            outlier=np.where(detected, cal.outlier(mode, net, out["mean"], covariance, fit), np.nan),
            poor_fit=cal.poor_fit(net, fit["gof"]),
            not_this_model=cal.not_this_model(net, fit),
            detected=detected,
        )
        self._temper_where(posterior, posterior.not_this_model | ~detected, dispersion)
        posterior.class_set = cal.class_set(mode, net, posterior.class_prob)
        for row in np.flatnonzero(~detected):
            posterior.class_set[row] = tuple(range(self.config.n_classes))
        return posterior

    @torch.no_grad()
    def encode(self, bins: EnergyBins, coarsen: bool = False) -> dict[str, np.ndarray]:
        """
        Outputs of `~astro_xlatent.model.network.Encoder.forward` in float64, and ``detected``. With
        ``coarsen`` the fine bins of faint rows are merged first, as in training.
        """
        steps = merge_steps(bins.net_counts) if coarsen else np.ones(len(bins), int)
        result: dict[str, np.ndarray] = {}
        for step in np.unique(steps):
            rows = np.nonzero(steps == step)[0]
            part = bins[rows] if step == 1 else bins[rows].merge(merged_edges(step))
            tensors, reference = to_tensors(part, self.device)
            out = self._encode_in_pieces(tensors, reference)
            norm = profile_normalization(tensors["counts"], reference, tensors["background"],
                                         tensors["valid"])
            out["detected"] = norm > 0
            for name, value in out.items():
                kind = bool if name == "detected" else float
                full = result.setdefault(name, np.zeros((len(bins), *value.shape[1:]), kind))
                full[rows] = value.cpu().numpy()
        return result

    def _encode_in_pieces(self, tensors, reference):
        """What the encoder gives, with few enough tokens at once to stay in the processor's cache."""
        size = max(1, TOKENS_AT_ONCE // (reference.shape[1] + 1))
        parts = []
        for start in range(0, len(reference), size):
            rows = slice(start, start + size)
            parts.append(self.encoder({k: v[rows] for k, v in tensors.items()}, reference[rows]))
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def decode(self, latent: np.ndarray, cells: str | None = None) -> np.ndarray:
        """
        Incident spectra of latent vectors.

        Parameters
        ----------
        latent : array_like, shape (n, 8)
        cells : str, optional
            One of `~astro_xlatent.physics.grid.CELLS`: the mean of bins in every such cell, in any unit.

        Returns
        -------
        spectrum : ndarray of float32, shape (n, n_energy)
            Photons per bin of `~astro_xlatent.physics.grid.ENERGY_EDGES`, normalized to sum 1.
        """
        z = torch.as_tensor(np.asarray(latent), dtype=torch.float32, device=self.device)
        if cells is not None:
            return self._decoders[cells](z).cpu().numpy()
        spectrum = self.decoder(z)
        return (spectrum / spectrum.sum(-1, keepdim=True)).cpu().numpy()

    def best_fit(self, bins: EnergyBins, latent: np.ndarray, matrices: np.ndarray,
                 folding: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """
        Best `refine_latents` from posterior means (rows, 8), effective parameters (rows,), and
        `fit_statistics` with ``distance``, the latents' squared length. ``folding``: the ``matrices`` in the
        cells of spectra.
        """
        folding = sum_cells(matrices, "spectra") if folding is None else folding
        decode = partial(self.decode, cells="spectra")
        best, n_fitted = refine_latents(decode, latent, bins, folding)
        fit = fit_statistics(bins, self.decode(best), matrices, n_fitted)
        poor = np.flatnonzero(fit["gof"] > POOR_FIT)
        if poor.size:
            bins, matrices = bins[poor], matrices[poor]
            best[poor], n_fitted[poor] = search_elsewhere(
                decode, best[poor], n_fitted[poor], self.calibration.mixture["mean"], bins, folding[poor])
            again = fit_statistics(bins, self.decode(best[poor]), matrices, n_fitted[poor])
            for name, values in again.items():
                fit[name][poor] = values
        return best, n_fitted, fit | {"distance": (best**2).sum(axis=1)}

    def _temper_where(self, posterior, rows, dispersion):
        """Make rows say no more than their misfit allows; nothing but the prior if that is infinite."""
        spread = dispersion[rows]
        posterior.latent[rows], posterior.latent_cov[rows] = temper_latents(
            posterior.latent[rows], posterior.latent_cov[rows], spread)
        posterior.class_prob[rows] = temper_densities(
            posterior.class_prob[rows], np.ones(self.config.n_classes), spread)
        for head in HEADS:
            density = getattr(posterior, f"{head}_density")
            density[rows] = temper_densities(density[rows], self.calibration.prior[head], spread)


def covariance_of(precision_chol: np.ndarray) -> np.ndarray:
    """Covariance matrices from the lower Cholesky factors of their inverses, shape (n, D, D)."""
    return np.linalg.inv(precision_chol @ precision_chol.transpose(0, 2, 1))


def temper_densities(density: np.ndarray, prior: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Densities (n, cells) towards their prior (cells,), by ``dispersion`` (n,), the s above."""
    ratio = np.log(np.maximum(density, _LEAST)) - np.log(np.maximum(prior, _LEAST))
    ratio -= ratio.max(axis=1, keepdims=True)
    tempered = prior * np.exp(ratio / dispersion[:, None])
    return tempered / tempered.sum(axis=1, keepdims=True)


def temper_latents(mean: np.ndarray, covariance: np.ndarray, dispersion: np.ndarray,
                   ) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n, 8) and covariance (n, 8, 8) of the latents, towards N(0, 1); ``dispersion`` as above."""
    precision = np.linalg.inv(covariance)
    share = 1 / dispersion[:, None, None]
    tempered = np.linalg.inv(share * precision + (1 - share) * np.eye(mean.shape[1]))
    return np.einsum("nij,njk,nk->ni", tempered, share * precision, mean), tempered


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch use ``number`` threads, 0: as it does; the last of several to end restores the first's."""
    if not number:
        yield
        return
    with _LOCK:
        _before.append(torch.get_num_threads())
        torch.set_num_threads(number)
    try:
        yield
    finally:
        with _LOCK:
            first = _before.pop(0) if len(_before) == 1 else _before.pop()
            if not _before:
                torch.set_num_threads(first)


# Something to infer where there are no rows, for the shapes of what comes out.
_ONE_BIN = EnergyBins(**{name: np.ones((1, 1)) for name in ("e_lo", "counts", "area", "resolution")},
                      e_hi=np.full((1, 1), 2.0), background=np.zeros((1, 1)),
                      background_error=np.zeros((1, 1)), valid=np.ones((1, 1), bool))
