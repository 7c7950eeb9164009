# Licensed under a 3-clause BSD style license - see LICENSE
"""
An autoencoder of raw counts, trained here, to compare with.

The networks are those of `benchmarks.ablation.paper_style`, in the manner of
arXiv:2510.14102.
"""

import numpy as np

from astro_xlatent.core.numbers import random_stream

__all__ = ["latent_forest", "paper_latents", "paper_reconstruction", "train_paper_model"]

BATCH = 128
WIDTH, LAYERS, RATE = 48, 2, 2e-3


def train_paper_model(instruments, n_steps, seed=1, log=None, counts_range=(30.0, 3000.0)):
    """
    Train the autoencoder on spectra through given instruments.

    Parameters
    ----------
    instruments : sequence of `~astro_xlatent.simulate.instruments.Instrument`
        Drawn alike.
    n_steps : int
        Of 128 fresh spectra each.
    seed : int, optional
    log : callable, optional
    counts_range : tuple of float, optional
        Expected source counts.

    Returns
    -------
    network : `~benchmarks.ablation.paper_style.PaperAutoencoder`
    """
    import torch

    from astro_xlatent.model.network import Config
    from astro_xlatent.simulate.observe import observe_spectra
    from astro_xlatent.train.stream import draw_training_sources
    from benchmarks.ablation.paper_style import PaperAutoencoder, paper_input, paper_scale

    torch.manual_seed(seed)
    network = PaperAutoencoder(Config(width=WIDTH, n_layers=LAYERS))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(n_steps, 1))
    instruments = list(instruments)
    for step in range(n_steps):
        rng = random_stream(seed, "paper style", step)
        spectra = draw_training_sources(BATCH, rng).spectrum
        chunks = [observe_spectra(spectra[start:start + 32], instruments[rng.integers(len(instruments))], rng,
                                  counts_range)[0] for start in range(0, BATCH, 32)]
        x = paper_scale(paper_input(type(chunks[0]).concatenate(chunks), rng))[0]
        optimizer.zero_grad()
        loss = network.loss(torch.as_tensor(x))
        loss.backward()
        optimizer.step()
        schedule.step()
        if log is not None and step % 100 == 0:
            log(f"autoencoder of raw counts: step {step} of {n_steps}, error {loss.item():.4f}")
    return network.eval()


def paper_latents(network, bins, seed=1):
    """
    Latents of spectra.

    Parameters
    ----------
    network : PaperAutoencoder
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        On the fine grid.
    seed : int, optional
        Of the energies within the fine bins.

    Returns
    -------
    latents : ndarray, shape (rows, 8)
    """
    import torch

    from benchmarks.ablation.paper_style import paper_input, paper_scale

    x = paper_scale(paper_input(bins, np.random.default_rng(seed)))[0]
    with torch.no_grad():
        return network.encode(torch.as_tensor(x)).numpy().astype(float)


def paper_reconstruction(network, bins, seed=1):
    """
    Expected counts as the autoencoder gives them back.

    Parameters
    ----------
    network, bins, seed
        As for `paper_latents`.

    Returns
    -------
    expected : ndarray, shape (rows, N_FINE)
        Zero outside 0.5-8 keV. Not clipped.
    inside : ndarray of bool, shape (N_FINE,)
        Fine bins wholly within.
    """
    import torch

    from benchmarks.ablation.paper_style import paper_input, paper_scale, to_fine_grid

    scaled, low, span = paper_scale(paper_input(bins, np.random.default_rng(seed)))
    with torch.no_grad():
        found = network.decode(network.encode(torch.as_tensor(scaled))).numpy()
    weights, inside = to_fine_grid()
    return (low + span * found) @ weights, inside


def latent_forest(latents, labels, train, seed=1):
    """
    Classes by a random forest of latents that learned from the first instrument.

    Parameters
    ----------
    latents : dict of ndarray, shape (n, 8)
        By instrument; rows are the same sources.
    labels : ndarray of int, shape (n,)
    train : ndarray of bool, shape (n,)
        Sources to learn from.
    seed : int, optional

    Returns
    -------
    predicted : dict of ndarray, shape (n,)
        By instrument; meaningful for the other sources.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(300, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    first = next(iter(latents.values()))
    forest.fit(first[train], labels[train])
    return {name: forest.predict(z) for name, z in latents.items()}
