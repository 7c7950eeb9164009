# Licensed under a 3-clause BSD style license - see LICENSE
"""The normalization that best describes counts, for a given spectral shape."""

import torch

__all__ = ["profile_normalization"]

# Relative step below which a normalization has arrived.
_ARRIVED = 1e-4


@torch.no_grad()
def profile_normalization(counts: torch.Tensor, shape: torch.Tensor, background: torch.Tensor,
                          valid: torch.Tensor, n_steps: int = 12) -> torch.Tensor:
    """
    Maximum-likelihood normalization (...) of a source on a known background, zero where there is none.

    Solves sum_i n_i s_i / (K s_i + b_i) = sum_i s_i for K >= 0, the stationary point of the Poisson
    likelihood (Cash 1979, ApJ 228, 939), over ``valid`` bins (..., bins) with counts n, source counts s for
    K = 1 and background b. The left side falls, so that K = 0 if it starts below the right side.
    """
    n = torch.where(valid, counts, 0.0)
    s = torch.where(valid, shape, 0.0)
    b = torch.where(valid, background, 0.0).clamp(min=1e-6)
    total = s.sum(-1)
    # sum n s / (K s + b) <= sum n / K, hence K <= sum n / sum s.
    upper = n.sum(-1) / total.clamp(min=1e-30)
    positive = ((n * s / b).sum(-1) > total) & (total > 0)
    lower, norm = torch.zeros_like(upper), upper
    for _ in range(n_steps):
        ratio = s / torch.addcmul(b, norm[..., None], s)
        weighted = n * ratio
        slope_free = weighted.sum(-1) - total
        curvature = (weighted * ratio).sum(-1)
        lower = torch.where(slope_free > 0, norm, lower)
        upper = torch.where(slope_free > 0, upper, norm)
        newton = norm + slope_free / curvature.clamp(min=1e-30)
        inside = (newton >= lower) & (newton <= upper)
        moved, norm = norm, torch.where(inside, newton, 0.5 * (lower + upper))
        # What is left after a Newton step of this size is its square.
        if torch.all(((norm - moved).abs() <= _ARRIVED * norm) | ~positive):
            break
    return torch.where(positive, norm, 0.0)
