# Licensed under a 3-clause BSD style license - see LICENSE
"""
From energy bins to what is known about a source.

`Model.infer` runs the encoder, and folds decoded draws of the latents with
the source's own response for fluxes and goodness of fit.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.special import ndtri, softmax
from scipy.stats import qmc

from astro_xlatent.model.density import density_quantiles
from astro_xlatent.model.network import LOG_KT_RANGE, LOG_NH_RANGE, PHOTON_INDEX_RANGE
from astro_xlatent.model.profile import profile_normalisation
from astro_xlatent.model.refine import refine_latents, search_elsewhere
from astro_xlatent.model.statistics import fit_statistics
from astro_xlatent.model.tokens import merged_edges, merge_steps, to_tensors
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights

__all__ = ["FLUX_BANDS", "Model", "Posterior", "covariance_of"]

#: Bands of the flux columns in keV, by column suffix.
FLUX_BANDS = {"05_2": (0.5, 2.0), "2_7": (2.0, 7.0), "02_23": (0.2, 2.3)}
#: Latent draws per source for fluxes; the same standard normals for all.
N_DRAWS = 32
#: Goodness of fit above which a second search sets out from other places.
POOR_FIT = 2.5
# Rows decoded at once, to bound memory.
CHUNK = 128

_FLUX_WEIGHTS = {
    name: (band_weights([lo], [hi])[0] * ENERGY_MID * KEV_TO_ERG).astype(np.float32)
    for name, (lo, hi) in FLUX_BANDS.items()
}


@dataclass
class Posterior:
    """
    What is inferred about every row; arrays with the rows first.

    Attributes
    ----------
    latent, latent_cov : ndarray, (n, 8) and (n, 8, 8)
        Mean and covariance of the latents.
    class_prob : ndarray, (n, 9)
        Probabilities for equal prior of eight classes and "other".
    class_set : list of tuple of int
        Classes of the conformal set, most probable first.
    nh_density, index_density, kt_density : ndarray, (n, cells)
        Probabilities of the cells of log N_H, photon index and log kT.
    flux : dict of ndarray, (n, 3)
        Lower limit, median and upper limit in erg/cm2/s, by band name.
    gof : ndarray, (n,)
        NaN where there are too few bins.
    run : ndarray, (n,)
        Largest run of residuals, see `~astro_xlatent.model.statistics.largest_run`.
    distance : ndarray, (n,)
        Squared length of the latents that describe the counts best: for ordinary
        sources like that of 8 normal deviates. NaN for bands.
    outlier : ndarray, (n,)
        p-value.
    detected : ndarray of bool, (n,)
        False where no positive normalisation exists; such rows are the prior.
    """

    latent: np.ndarray
    latent_cov: np.ndarray
    class_prob: np.ndarray
    class_set: np.ndarray
    nh_density: np.ndarray
    index_density: np.ndarray
    kt_density: np.ndarray
    flux: dict
    gof: np.ndarray
    run: np.ndarray
    distance: np.ndarray
    outlier: np.ndarray
    detected: np.ndarray

    def nh_quantiles(self, probabilities):
        """Quantiles of N_H in 1/cm2, shape (n, len(probabilities))."""
        return 10 ** density_quantiles(self.nh_density, LOG_NH_RANGE, probabilities)

    def index_quantiles(self, probabilities):
        """Quantiles of the photon index, given that the source is a power law."""
        return density_quantiles(self.index_density, PHOTON_INDEX_RANGE, probabilities)

    def kt_quantiles(self, probabilities):
        """Quantiles of kT in keV, given that the source is thermal."""
        return 10 ** density_quantiles(self.kt_density, LOG_KT_RANGE, probabilities)

    @classmethod
    def concatenate(cls, parts):
        """Stack rows."""
        joined = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(cls) if f.name != "flux"
        }
        flux = {k: np.concatenate([p.flux[k] for p in parts]) for k in parts[0].flux}
        return cls(**joined, flux=flux)

    def __getitem__(self, rows):
        chosen = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "flux"}
        return type(self)(**chosen, flux={k: v[rows] for k, v in self.flux.items()})


class Model:
    """
    A trained encoder and decoder with their calibration.

    Made by `~astro_xlatent.load_model`.

    Attributes
    ----------
    name, version, latent_space : str
        What to cite, and which tables may be compared.
    config : `~astro_xlatent.model.network.Config`
    encoder, decoder, teacher : torch.nn.Module
    calibration : `~astro_xlatent.model.calibration.Calibration`
    """

    def __init__(self, info, encoder, decoder, teacher, calibration, device="cpu"):
        self.info = info
        self.name = info["name"]
        self.version = info["version"]
        self.latent_space = info["latent_space"]
        self.sha256 = info.get("sha256", "")
        self.classes = tuple(info["classes"])
        self.missions = tuple(info["missions"])
        self.device = torch.device(device)
        self.encoder = encoder.to(self.device).eval()
        self.decoder = decoder.to(self.device).eval()
        self.teacher = teacher.to(self.device).eval()
        self.calibration = calibration
        self.config = encoder.config

    def __repr__(self):
        return f"<Model {self.name} {self.version}, latent space {self.latent_space}, on {self.device}>"

    def infer(self, bins, matrices=None):
        """
        Posterior of every row.

        Parameters
        ----------
        bins : `~astro_xlatent.spectra.bins.EnergyBins`
            At least one row; from spectra on the fine grid, or bands.
        matrices : ndarray of float32, shape (rows, bins, n_energy), optional
            Folding matrices in cm2 s if the rows are spectra. Without them
            rows count as bands: no redistribution, no goodness of fit.

        Returns
        -------
        posterior : Posterior
            Independent of the order and number of rows.
        """
        parts = [
            self._infer_chunk(bins[start:start + CHUNK],
                              None if matrices is None else matrices[start:start + CHUNK])
            for start in range(0, len(bins), CHUNK)
        ]
        return Posterior.concatenate(parts)

    @torch.no_grad()
    def _infer_chunk(self, bins, matrices):
        mode = "bands" if matrices is None else "spectra"
        out = self.encode(bins, coarsen=matrices is not None)
        net = bins.net_counts
        cal = self.calibration
        covariance = covariance_of(out["precision_chol"])
        flux = {band: cal.flux_limits(band, mode, net, limits) for band, limits in
                self.fluxes(bins, matrices, out["mean"], covariance).items()}
        covariance = covariance * cal.latent_scale(mode, net)[:, None, None]
        fit = {name: np.full(len(bins), np.nan) for name in ("gof", "run", "distance")}
        if matrices is not None:
            fit = self.fit_parts(*self.best_fit(bins, out["mean"], matrices))
        # Without a measured background a poor fit says nothing about the source.
        telling = fit | {"gof": np.where(bins.background_known, fit["gof"], np.nan)}
        class_prob = softmax_rows(out["classes"] / cal.class_temperature(mode, net)[:, None])
        class_prob[~out["detected"]] = 1 / self.config.n_classes
        posterior = Posterior(
            latent=out["mean"],
            latent_cov=covariance,
            class_prob=class_prob,
            class_set=cal.class_set(mode, net, class_prob),
            **{f"{head}_density": cal.density(head, mode, net, out[head]) for head in ("nh", "index", "kt")},
            flux=flux,
            **fit,
            outlier=cal.outlier(mode, net, out["mean"], covariance, telling),
            detected=out["detected"],
        )
        return self._prior_where(posterior, ~out["detected"])

    @torch.no_grad()
    def encode(self, bins, coarsen=False):
        """
        Raw output of the encoder as numpy arrays of float64.

        Parameters
        ----------
        bins : EnergyBins
            Any rows.
        coarsen : bool, optional
            Merge the fine bins of faint rows first, as in training.

        Returns
        -------
        out : dict of ndarray
            See `~astro_xlatent.model.network.Encoder.forward`, and ``detected``.
        """
        steps = merge_steps(bins.net_counts) if coarsen else np.ones(len(bins), int)
        result = {}
        for step in np.unique(steps):
            rows = np.nonzero(steps == step)[0]
            part = bins[rows] if step == 1 else bins[rows].merge(merged_edges(step))
            tensors, reference = to_tensors(part, self.device)
            out = self.encoder(tensors, reference)
            norm = profile_normalisation(tensors["counts"], reference, tensors["background"],
                                         tensors["valid"])
            out["detected"] = norm > 0
            for name, value in out.items():
                value = value.cpu().numpy()
                value = value if value.dtype == bool else value.astype(float)
                full = result.setdefault(name, np.zeros((len(bins), *value.shape[1:]), value.dtype))
                full[rows] = value
        return result

    @torch.no_grad()
    def decode(self, latent):
        """
        Incident spectra of latent vectors.

        Parameters
        ----------
        latent : array_like, shape (n, 8)
            Latents of this model's latent space.

        Returns
        -------
        spectrum : ndarray of float32, shape (n, n_energy)
            Photons per bin of `~astro_xlatent.physics.grid.ENERGY_EDGES`,
            normalised to sum 1.
        """
        z = torch.as_tensor(np.asarray(latent), dtype=torch.float32, device=self.device)
        spectrum = self.decoder(z)
        return (spectrum / spectrum.sum(-1, keepdim=True)).cpu().numpy()

    def best_fit(self, bins, latent, matrices):
        """
        The latents that describe counts best, and how well they do.

        Parameters
        ----------
        bins : EnergyBins
            On the fine grid.
        latent : ndarray, shape (rows, 8)
            Posterior means, where the search begins.
        matrices : ndarray of float32, shape (rows, bins, n_energy)
            Folding matrices in cm2 s.

        Returns
        -------
        best : ndarray, shape (rows, 8)
            Latents, see `~astro_xlatent.model.refine.refine_latents`.
        n_fitted : ndarray, shape (rows,)
            Effective number of fitted parameters.
        gof, run : ndarray, shape (rows,)
            See `~astro_xlatent.model.statistics.fit_statistics`.
        """
        best, n_fitted = refine_latents(self.decode, latent, bins, matrices)
        gof, run = fit_statistics(bins, self.decode(best), matrices, n_fitted)
        poor = np.flatnonzero(gof > POOR_FIT)
        if poor.size:
            bins, matrices = bins[poor], matrices[poor]
            best[poor], n_fitted[poor] = search_elsewhere(
                self.decode, best[poor], n_fitted[poor], self.calibration.mixture_means, bins, matrices)
            gof[poor], run[poor] = fit_statistics(bins, self.decode(best[poor]), matrices, n_fitted[poor])
        return best, n_fitted, gof, run

    @staticmethod
    def fit_parts(best, n_fitted, gof, run):
        """What of a `best_fit` can be odd, by the names of `Posterior`'s attributes."""
        return {"gof": gof, "run": run, "distance": (best**2).sum(axis=1)}

    @torch.no_grad()
    def fluxes(self, bins, matrices, mean, covariance):
        """
        Absorbed fluxes, over draws of latents and normalisation.

        Parameters
        ----------
        bins : EnergyBins
            Counts and background.
        matrices : ndarray of float32, shape (rows, bins, n_energy), or None
            Folding matrices in cm2 s; without them the bins' own areas serve.
        mean, covariance : ndarray, (rows, 8) and (rows, 8, 8)
            Of the latents, as the encoder gives them.

        Returns
        -------
        fluxes : dict of ndarray, shape (rows, 3)
            16, 50 and 84 % quantiles in erg/cm2/s by band name, not yet conformal.
        """
        n, weights = len(bins), bins.unfolded_weights() if matrices is None else matrices
        chol = np.linalg.cholesky(covariance)
        z = mean[:, None, :] + np.einsum("nij,kj->nki", chol, _NORMALS[:, :-1])
        spectrum = self.decode(z.reshape(-1, z.shape[-1])).reshape(n, N_DRAWS, -1)
        shape = np.einsum("nke,nbe->nkb", spectrum, weights, optimize=True)
        norm = self._normalisation_draws(bins, shape)
        limits = {}
        for name, flux_weights in _FLUX_WEIGHTS.items():
            flux = norm * (spectrum @ flux_weights)
            limits[name] = np.quantile(flux, [0.16, 0.5, 0.84], axis=1).T
        return limits

    def _normalisation_draws(self, bins, shape):
        """Normalisations K, one for every draw of the latents, with their Poisson spread."""
        counts, background, valid = (
            torch.as_tensor(np.broadcast_to(a[:, None, :], shape.shape).copy())
            for a in (bins.counts, bins.background, bins.valid)
        )
        s = torch.as_tensor(shape, dtype=torch.float64)
        # K is of order 1e-10 and less in physical units: solve it in units of counts.
        unit = s.sum(-1).clamp(min=1e-300)
        scaled = s / unit[..., None]
        norm = profile_normalisation(counts, scaled, background, valid, n_steps=8)
        model = (norm[..., None] * scaled + background).clamp(min=1e-6)
        information = (counts * (scaled / model) ** 2 * valid).sum(-1)
        # Without counts in excess of background the likelihood is exp(-K).
        spread = torch.where(norm > 0, information.clamp(min=1e-12).rsqrt(), 1.14)
        drawn = norm + spread * torch.as_tensor(_NORMALS[:, -1])
        return (drawn.clamp(min=0) / unit).numpy()

    def _prior_where(self, posterior, rows):
        """Replace rows without a detected source by the prior."""
        cal = self.calibration
        posterior.latent[rows] = 0.0
        posterior.latent_cov[rows] = np.eye(self.config.n_latent)
        for name in ("nh", "index", "kt"):
            getattr(posterior, f"{name}_density")[rows] = cal.prior_density(name)
        posterior.gof[rows] = np.nan
        posterior.outlier[rows] = np.nan
        return posterior


def covariance_of(precision_chol):
    """Covariance matrices from the lower Cholesky factors of their inverses, shape (n, D, D)."""
    return np.linalg.inv(precision_chol @ precision_chol.transpose(0, 2, 1))


def softmax_rows(logits):
    """Probabilities of every row of logits."""
    return softmax(logits, axis=1)


def _quasi_normals(n_dimensions):
    """A fixed low-discrepancy set of standard normals, shape (N_DRAWS, n_dimensions)."""
    points = qmc.Sobol(n_dimensions, scramble=True, rng=20261122).random(N_DRAWS)
    return ndtri(points.clip(1e-6, 1 - 1e-6))


_NORMALS = _quasi_normals(9)
