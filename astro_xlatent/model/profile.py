# Licensed under a 3-clause BSD style license - see LICENSE
"""
The normalization that best describes counts, for a given spectral shape.
"""

import torch

__all__ = ["profile_normalization"]


@torch.no_grad()
def profile_normalization(counts: torch.Tensor, shape: torch.Tensor, background: torch.Tensor,
                          valid: torch.Tensor, n_steps: int = 12) -> torch.Tensor:
    """
    Maximum-likelihood normalization (...) of a source on a known background, zero where there is none.

    Solves sum_i n_i s_i / (K s_i + b_i) = sum_i s_i for K >= 0, the stationary
    point of the Poisson likelihood (Cash 1979, ApJ 228, 939), over ``valid`` bins
    (..., bins) with counts n, source counts s for K = 1 and expected background b.
    The left side falls monotonically, so that K = 0 if it starts below the right
    side. ``n_steps`` Newton steps are safeguarded by the bracket.

    Examples
    --------
    >>> import torch
    >>> from astro_xlatent.model.profile import profile_normalization
    >>> one = torch.ones(1, 2, dtype=torch.float64)
    >>> profile_normalization(5 * one, 2 * one, one, one > 0)
    tensor([2.], dtype=torch.float64)
    """
    n = torch.where(valid, counts, 0.0)
    s = torch.where(valid, shape, 0.0)
    b = torch.where(valid, background, 0.0).clamp(min=1e-6)
    total = s.sum(-1)
    # sum n s / (K s + b) <= sum n / K, hence K <= sum n / sum s.
    upper = n.sum(-1) / total.clamp(min=1e-30)
    positive = (n * s / b).sum(-1) > total
    lower = torch.zeros_like(upper)
    norm = upper.clone()
    for _ in range(n_steps):
        model = (norm[..., None] * s + b).clamp(min=1e-30)
        slope_free = (n * s / model).sum(-1) - total
        lower = torch.where(slope_free > 0, norm, lower)
        upper = torch.where(slope_free > 0, upper, norm)
        curvature = (n * (s / model) ** 2).sum(-1)
        # The step that is exact for a single bin without background, K -> K (left / right).
        newton = norm + slope_free / curvature.clamp(min=1e-30)
        inside = (newton > lower) & (newton < upper)
        norm = torch.where(inside, newton, 0.5 * (lower + upper))
    return torch.where(positive & (total > 0), norm, 0.0)
