# Licensed under a 3-clause BSD style license - see LICENSE
"""
What may be said of a row that the model does not describe.

Where the fit statistic of the best spectrum is s times its expectation, the
likelihood overstates what the counts tell about the model's parameters. It is
raised to the power 1/s, as for overdispersed counts (Wedderburn 1974,
Biometrika 61, 439; the scale factor of the Particle Data Group's averages is
the square root of s), and the prior is kept: for a large s nothing but the
prior remains.
"""

import numpy as np

__all__ = ["temper_densities", "temper_latents"]

# Probabilities below it are not known to be smaller.
_LEAST = 1e-9


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
