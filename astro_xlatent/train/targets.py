# Licensed under a 3-clause BSD style license - see LICENSE
"""
Training targets of the density heads.
"""

import numpy as np
import torch

__all__ = ["density_target"]


def density_target(values, log_range, n_cells, logarithmic=True):
    """
    Spread values over the two nearest cells of a density.

    Parameters
    ----------
    values : ndarray, shape (B,)
        Physical values. NaN gives a row of zeros, which adds nothing to a
        cross entropy; values outside the range go to its border.
    log_range : tuple of float
        Centres of the first and last cell, log10 if ``logarithmic``.
    n_cells : int
        Number of cells.
    logarithmic : bool, optional
        Take log10 of the values first.

    Returns
    -------
    target : Tensor of float32, shape (B, n_cells)
        Weights that sum to one and have their mean at the value.

    Examples
    --------
    >>> import numpy as np
    >>> density_target(np.array([10.0]), (0.0, 4.0), 5)
    tensor([[0., 1., 0., 0., 0.]])
    """
    values = np.asarray(values, float)
    known = np.isfinite(values)
    safe = np.where(known, values, 1.0)
    x = np.log10(np.maximum(safe, 1e-99)) if logarithmic else safe
    x = (x - log_range[0]) / (log_range[1] - log_range[0]) * (n_cells - 1)
    x = x.clip(0, n_cells - 1)
    lower = np.minimum(np.floor(x).astype(int), n_cells - 2)
    target = np.zeros((len(values), n_cells), np.float32)
    rows = np.arange(len(values))
    target[rows, lower] = lower + 1 - x
    target[rows, lower + 1] = x - lower
    target[~known] = 0
    return torch.as_tensor(target)
