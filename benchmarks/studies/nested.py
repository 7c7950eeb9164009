# Licensed under a 3-clause BSD style license - see LICENSE
"""
Posteriors of latents by nested sampling: what `astro_xlatent.model.refined` is judged by.

Prior and likelihood are those of the refined posterior, written anew; many rows
run together, on a GPU where there is one. After Skilling (2006, Bayesian Anal. 1,
833): the worst live points of every row are replaced by others that have walked
within the prior above their likelihood, with differences of live points as
steps (ter Braak 2006, Stat. Comput. 16, 239). Some steps are new draws of the
prior: walkers alone hardly change between its ridges, and the posteriors of
faint rows, which are nearly the prior, came out wrong by 0.05 to 0.09 in their
distribution functions, compared with the weighted prior itself.
"""

import numpy as np
import torch

from astro_xlatent.model.refined import SMOOTHING

__all__ = ["nested_draws"]

#: Share of live points replaced at once, steps of every walk, and the share of the evidence in the
#: live points at which the search ends.
REPLACED, STEPS, REMAINING = 0.25, 60, 0.005
#: Every so many steps one is a new draw of the prior, while as large a share of them is kept.
NEW, WORTH = 4, 0.02


class _Target:
    """Log prior and log likelihood of points (rows, k, 9): latents, and source counts."""

    def __init__(self, model, likelihoods, device):
        self.decoder, self.device = model.decoder, device
        n_bins = max(x.counts.size for x in likelihoods)

        def padded(values):
            full = np.zeros((len(values), n_bins, *values[0].shape[1:]), np.float32)
            for row, value in zip(full, values, strict=True):
                row[:len(value)] = value
            return torch.as_tensor(full, device=device)

        self.counts = padded([x.counts for x in likelihoods])
        self.background = padded([x.background for x in likelihoods])
        self.matrix = padded([x.matrix for x in likelihoods]).transpose(1, 2)
        total = self.counts.sum(1)
        self.most = total + 8 * torch.sqrt(total) + 20
        tables = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in model.calibration.mixture.items()}
        self.weight, self.mean = tables["weight"], tables["mean"]
        spread = tables["covariance"] + SMOOTHING * torch.eye(self.mean.shape[1])
        self.chol = torch.linalg.cholesky(spread)
        self.mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(self.weight.to(device)),
            torch.distributions.MultivariateNormal(self.mean.to(device), scale_tril=self.chol.to(device)))

    def draw(self, k):
        """Points from the prior."""
        z = self.mixture.sample((len(self.counts), k))
        c = torch.rand(len(self.counts), k, device=self.device) * self.most[:, None]
        return torch.cat([z, c[..., None]], -1)

    def log_prior(self, x):
        inside = (x[..., -1] > 0) & (x[..., -1] < self.most[:, None])
        return torch.where(inside, self.mixture.log_prob(x[..., :-1]), -torch.inf)

    def log_likelihood(self, x):
        rows, k, d = x.shape
        spectrum = self.decoder(x[..., :-1].reshape(rows * k, d - 1)).view(rows, k, -1)
        source = torch.bmm(spectrum / spectrum.sum(-1, keepdim=True), self.matrix)
        source = source / source.sum(-1, keepdim=True).clamp(min=1e-30) * x[..., -1:]
        expected = (source + self.background[:, None]).clamp(min=1e-9)
        terms = self.counts[:, None] * torch.log(expected) - expected
        # Constant parts are left out before the sum: single precision.
        at = self.counts.clamp(min=1e-9)
        return (terms - (self.counts * torch.log(at) - self.counts)[:, None]).double().sum(-1)


@torch.no_grad()
def nested_draws(model, likelihoods, n_live=500, seed=0, device="cpu"):
    """
    Weighted posterior draws of latents.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    likelihoods : sequence of `~astro_xlatent.model.refined.Likelihood`
    n_live : int, optional
        Live points of every row.
    seed : int, optional
    device : str, optional
        Of torch; the model's decoder must be there.

    Returns
    -------
    draws : list of tuple of ndarray
        Latents (n, 8) and weights (n,) of sum 1 of every row.
    """
    torch.manual_seed(seed)
    target = _Target(model, likelihoods, device)
    live = target.draw(n_live)
    value = target.log_likelihood(live)
    k = int(REPLACED * n_live)
    shrink = torch.cumsum(-1 / (n_live - torch.arange(k, device=device, dtype=torch.float64)), 0)
    log_volume, dead, log_weights, running = 0.0, [], [], True
    while running:
        value, order = value.sort(dim=1)
        live = torch.gather(live, 1, order[..., None].expand_as(live))
        dead.append(live[:, :k].cpu())
        edges = log_volume + torch.cat([shrink.new_zeros(1), shrink])
        log_weights.append(
            (value[:, :k] + edges[:-1] + torch.log(-torch.expm1(edges[1:] - edges[:-1]))).cpu()
        )
        log_volume = float(edges[-1])
        live, value = _replace(target, live, value, k)
        left = value.logsumexp(1).cpu() - np.log(n_live) + log_volume
        running = bool((left - torch.cat(log_weights, 1).logsumexp(1) > np.log(REMAINING)).any())
    dead.append(live.cpu())
    log_weights.append(value.cpu() + log_volume - np.log(n_live))
    weight = torch.cat(log_weights, 1).softmax(1).numpy()
    return list(zip(torch.cat(dead, 1)[..., :-1].numpy(), weight, strict=True))


def _replace(target, live, value, k):
    """Live points whose k worst, which come first, have been replaced by walkers above them."""
    rows, n, d = live.shape
    least = value[:, k - 1:k]
    pick = torch.randint(k, n, (rows, k), device=live.device)
    x = torch.gather(live, 1, pick[..., None].expand(-1, -1, d))
    at, prior, share = torch.gather(value, 1, pick), target.log_prior(x), 1.0
    for step in range(STEPS):
        a, b = (torch.gather(live, 1, torch.randint(k, n, (rows, k, 1), device=live.device).expand(-1, -1, d))
                for _ in range(2))
        scale = 2.38 / np.sqrt(2 * d) * torch.rand(rows, k, 1, device=live.device) ** 2 * 1.5
        new = step % NEW == 0 and share > WORTH
        trial = target.draw(k) if new else x + scale * (a - b) + 1e-4 * torch.randn_like(x)
        trial_prior = target.log_prior(trial)
        found = target.log_likelihood(trial)
        kept = new | (torch.log(torch.rand_like(prior)) < trial_prior - prior)
        good = (found > least) & kept
        share = float(good.float().mean()) if new else share
        x = torch.where(good[..., None], trial, x)
        at, prior = torch.where(good, found, at), torch.where(good, trial_prior, prior)
    return torch.cat([x, live[:, k:]], 1), torch.cat([at, value[:, k:]], 1)
