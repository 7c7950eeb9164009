# Licensed under a 3-clause BSD style license - see LICENSE
"""
Training targets of the density heads.
"""

import torch

__all__ = ["density_target"]


def density_target(values, log_range, n_cells, logarithmic=True):
    """
    Spread values (B,) over the two nearest of a density's cells, float32 (B, n_cells).

    Weights sum to one and have their mean at the value, log10 of it if ``logarithmic``. NaN gives
    a row of zeros, which adds nothing to a cross entropy; values outside ``log_range``, the centers
    of the first and last cell, go to its border.

    Examples
    --------
    >>> import numpy as np
    >>> density_target(np.array([10.0]), (0.0, 4.0), 5)
    tensor([[0., 1., 0., 0., 0.]])
    """
    values = torch.as_tensor(values, dtype=torch.float64)
    known = torch.isfinite(values)
    safe = torch.where(known, values, 1.0)
    x = torch.log10(safe.clamp(min=1e-99)) if logarithmic else safe
    x = (x - log_range[0]) / (log_range[1] - log_range[0]) * (n_cells - 1)
    cells = torch.arange(n_cells, dtype=torch.float64, device=values.device)
    target = (1 - (x.clamp(0, n_cells - 1)[:, None] - cells).abs()).clamp(min=0)
    return torch.where(known[:, None], target, 0.0).float()
