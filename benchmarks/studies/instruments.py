# Licensed under a 3-clause BSD style license - see LICENSE
"""
The same source through different instruments: is the answer the same?

`evaluate_instruments` observes each of many sources with ACIS of 2000, ACIS of
2017 and eROSITA at the same expected counts. Beside the differences of latents
stand class accuracies, if asked for those of encoders that were trained
further on one instrument alone, and those of an autoencoder of raw counts in
the manner of arXiv:2510.14102.
"""

import copy

import numpy as np

from astro_xlatent.core.numbers import random_stream
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.evaluate.scores import balanced_accuracy, bootstrap_weights, confusion_by_group, interval

__all__ = ["WANTED", "evaluate_instruments", "fine_tune", "observe_same_sources", "paired_numbers"]

#: Names of the compared instruments: mission, instrument and year of the shipped response.
WANTED = {
    "ACIS 2000": ("csc", "ACIS-S", 2000.5),
    "ACIS 2017": ("csc", "ACIS-S", 2017.5),
    "eROSITA": ("erosita", "TM0", None),
}
COUNTS_RANGE = (30.0, 3000.0)
SUBSETS = ((30.0, 300.0), (300.0, 3000.0))
N_EIGHT = 8
BATCH = 128
FINE_TUNE_RATE = 3e-4


def _instruments():
    from astro_xlatent.missions.responses import default_response
    from astro_xlatent.simulate.instruments import prepare

    return {name: prepare(name, mission, default_response(mission, instrument, year))
            for name, (mission, instrument, year) in WANTED.items()}


def observe_same_sources(n, instruments, seed):
    """
    Sources, each observed by every instrument at the same expected counts.

    Parameters
    ----------
    n : int
    instruments : dict of Instrument
    seed : int

    Returns
    -------
    sources : `~astro_xlatent.simulate.populations.Sources`
        Of the eight classes, all alike.
    counts : ndarray, shape (n,)
        Expected source counts, log-uniform within `COUNTS_RANGE`.
    bins : dict of EnergyBins
        Spectra on the fine grid by instrument; noise and background differ.
    """
    from astro_xlatent.simulate.observe import observe_spectra
    from astro_xlatent.simulate.populations import draw_sources
    from astro_xlatent.spectra.bins import EnergyBins

    rng = random_stream(seed, "instruments")
    sources = draw_sources(rng.integers(N_EIGHT, size=n), rng)
    counts = np.exp(rng.uniform(*np.log(COUNTS_RANGE), n))
    bins = {}
    for name, instrument in instruments.items():
        parts = []
        for start in range(0, n, 16):  # backgrounds are drawn for every call
            rows = slice(start, start + 16)
            same = (counts[rows], counts[rows] * (1 + 1e-9))
            parts.append(observe_spectra(sources.spectrum[rows], instrument, rng, same)[0])
        bins[name] = EnergyBins.concatenate(parts)
    return sources, counts, bins


def _answers(model, bins):
    """Latents, their covariance, class probabilities and whether there is a source."""
    from scipy.special import softmax

    from astro_xlatent.model.posterior import covariance_of

    out, net = model.encode(bins, coarsen=True), bins.net_counts
    covariance = covariance_of(out["precision_chol"])
    covariance *= model.calibration.at("spectra", "latent_scale", net)[:, None, None]
    temperature = model.calibration.at("spectra", "class_temperature", net)
    probability = softmax(out["classes"] / temperature[:, None], axis=1)
    return {"latent": out["mean"], "latent_cov": covariance, "class_prob": probability,
            "detected": out["detected"]}


def paired_numbers(first, second, pair, subset, rows):
    """
    Paired differences of latents of the same sources.

    Parameters
    ----------
    first, second : dict
        With ``latent`` (n, 8) and ``latent_cov`` (n, 8, 8).
    pair, subset : str
        Names.
    rows : ndarray of bool
        Which sources.

    Returns
    -------
    numbers : list of Number
        For every latent the mean difference in units of its error (the root
        mean square of both), the largest of these in size, and the standard
        deviation.
    """
    section = "same source: latents"
    variance = [np.diagonal(a["latent_cov"], axis1=1, axis2=2)[rows] for a in (first, second)]
    scaled = (first["latent"] - second["latent"])[rows] / np.sqrt(0.5 * (variance[0] + variance[1]))
    mean, sd, n = scaled.mean(axis=0), scaled.std(axis=0), len(scaled)
    half = 1.645 * sd / np.sqrt(n)
    worst = int(np.abs(mean).argmax())
    numbers = [
        Number.of(section, f"mean difference of latent {k + 1} over its error", pair, subset, n, mean[k],
                  (mean[k] - half[k], mean[k] + half[k]))
        for k in range(mean.size)
    ]
    numbers.append(Number.of(section, "largest mean difference over its error", pair, subset, n,
                             abs(mean[worst])))
    numbers.append(Number.of(section, "standard deviation of differences over their error", pair, subset, n,
                             np.sqrt((sd**2).mean())))
    return numbers


def _change_numbers(first, second, pair, rows):
    """How often the test for a changed spectrum calls the same source changed."""
    from benchmarks.studies.repeats import change_p_values

    p = change_p_values(first, second)[rows]
    p = p[np.isfinite(p)]
    return [Number.of("same source: test for a change", f"share with p < {level}", pair, "all", len(p),
                      np.mean(p < level)) for level in (0.1, 0.01, 0.001)]


def _accuracy_numbers(truth, answers, groups, seed):
    """Balanced accuracy of every method, with differences to the first on the same rows."""
    numbers, section = [], "same source: 8 classes"
    for subset, rows in groups.items():
        index = np.flatnonzero(rows)
        weights = bootstrap_weights(np.arange(index.size), np.random.default_rng(seed), 200)
        scores = {}
        for name, predicted in answers.items():
            confusion = confusion_by_group(truth[index], predicted[index], N_EIGHT, np.arange(index.size))
            value = float(balanced_accuracy(confusion.sum(axis=0)))
            repeats = balanced_accuracy(np.einsum("rg,gij->rij", weights, confusion))
            scores[name] = value, repeats
            numbers.append(Number.of(section, "balanced accuracy", name, subset, index.size, value,
                                     interval(repeats)))
        for name in scores:
            base = name.removesuffix(", trained further on it alone")
            if base != name:
                numbers.append(Number.of(
                    section, "difference", f"{base}: model - trained further", subset, index.size,
                    scores[base][0] - scores[name][0], interval(scores[base][1] - scores[name][1])))
    return numbers


def fine_tune(model, instrument, n_steps, seed=1, log=None):
    """
    Train a model's encoder further, on spectra of one instrument alone.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
        Not changed.
    instrument : Instrument
    n_steps : int
        Of 128 fresh observations each.
    seed : int, optional
    log : callable, optional

    Returns
    -------
    model : Model
        With the new encoder, the old calibration.
    """
    import torch

    from astro_xlatent.model.posterior import Model
    from astro_xlatent.train.batches import observation_arrays
    from astro_xlatent.train.encoder import LOSS_WEIGHTS, encoder_losses

    encoder = copy.deepcopy(model.encoder).requires_grad_(True).train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=FINE_TUNE_RATE, weight_decay=1e-2)
    for step in range(n_steps):
        # Down to a hundredth, as in training: noise of the last steps would cost accuracy.
        for group in optimizer.param_groups:
            group["lr"] = FINE_TUNE_RATE * (0.01 + 0.99 * (1 - step / n_steps))
        optimizer.zero_grad()
        for share, bins, sources in _single_batch(instrument, seed, step):
            losses = encoder_losses(encoder, model.teacher, observation_arrays(bins, sources))
            (share * sum(LOSS_WEIGHTS[k] * v for k, v in losses.items())).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 2.0)
        optimizer.step()
        if log is not None and step % 50 == 0:
            log(f"{instrument.name}: step {step} of {n_steps}")
    encoder.requires_grad_(False)
    return Model(model.info, encoder, model.decoder, model.teacher, model.calibration)


def _single_batch(instrument, seed, step):
    """Fresh spectra in the form in which the model reads spectra: share, bins and sources of each part."""
    from astro_xlatent.model.tokens import merge_steps, merged_edges
    from astro_xlatent.simulate.observe import observe_spectra
    from astro_xlatent.simulate.populations import Sources
    from astro_xlatent.spectra.bins import EnergyBins
    from astro_xlatent.train.stream import draw_training_sources

    rng = random_stream(seed, "instruments", 1, step)
    sources = draw_training_sources(BATCH, rng)
    bins = EnergyBins.concatenate([
        observe_spectra(sources.spectrum[start:start + 32], instrument, rng, COUNTS_RANGE)[0]
        for start in range(0, BATCH, 32)
    ])
    steps = merge_steps(bins.net_counts)
    for width in np.unique(steps):
        rows = np.flatnonzero(steps == width)
        part = bins[rows] if width == 1 else bins[rows].merge(merged_edges(width))
        yield len(rows) / BATCH, part, Sources(sources.spectrum[rows], sources.class_index[rows],
                                               {k: v[rows] for k, v in sources.truth.items()})


def evaluate_instruments(model, n=3000, seed=1, *, fine_tune_steps=0, paper_steps=0, log=None):
    """
    Compare answers about the same sources.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    n : int, optional
        Sources.
    seed : int, optional
    fine_tune_steps : int, optional
        Train a copy of the encoder so long on each instrument alone, to compare with.
    paper_steps : int, optional
        Train an autoencoder of raw counts so long, to compare with.
    log : callable, optional

    Returns
    -------
    results : Results
    """
    log = log or (lambda line: None)
    results = Results("The same source through three instruments",
                      {"model": f"{model.name}-{model.version}", "sources": str(n)})
    instruments = _instruments()
    log(f"observing {n} sources with {', '.join(instruments)}")
    sources, counts, bins = observe_same_sources(n, instruments, seed)
    answers = {name: _answers(model, b) for name, b in bins.items()}
    usable = np.all([a["detected"] for a in answers.values()], axis=0)
    groups = {"all": usable} | {f"{low:.0f}-{high:.0f} counts": usable & (counts >= low) & (counts < high)
                                for low, high in SUBSETS}
    for first, second in _pairs(list(answers)):
        pair = f"{first} - {second}"
        results.add(paired_numbers(answers[first], answers[second], pair, "all", usable))
        results.add(_change_numbers(answers[first], answers[second], pair, usable))
    predicted = {name: a["class_prob"][:, :N_EIGHT].argmax(axis=1) for name, a in answers.items()}
    if fine_tune_steps:
        for name, instrument in instruments.items():
            tuned = fine_tune(model, instrument, fine_tune_steps, seed, log)
            probability = _answers(tuned, bins[name])["class_prob"]
            predicted[f"{name}, trained further on it alone"] = probability[:, :N_EIGHT].argmax(axis=1)
        results.notes.append(f"trained further: {fine_tune_steps} steps of {BATCH} spectra at a rate of "
                             f"{FINE_TUNE_RATE} falling to a hundredth, from the model's own encoder")
    latents = {"model": {name: a["latent"] for name, a in answers.items()}}
    if paper_steps:
        from benchmarks.studies.paper_style_scores import paper_latents, train_paper_model

        network = train_paper_model(instruments.values(), paper_steps, seed, log)
        latents["autoencoder of raw counts"] = {name: paper_latents(network, b) for name, b in bins.items()}
        results.notes.append(f"autoencoder of raw counts: {paper_steps} steps of {BATCH} spectra of all "
                             "three instruments, see benchmarks.ablation.paper_style")
    results.add(_transfer_numbers(latents, sources.class_index, usable, seed))
    results.add(_accuracy_numbers(sources.class_index, predicted, groups, seed))
    return results


def _pairs(names):
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1:]]


def _transfer_numbers(latents, labels, usable, seed):
    """Latents of several methods without their errors: differences, classes learned on one instrument."""
    from benchmarks.studies.paper_style_scores import latent_forest

    numbers, half = [], np.arange(len(labels)) % 2 == 0
    for method, found in latents.items():
        spread = np.std(np.concatenate([z[usable] for z in found.values()]), axis=0)
        for first, second in _pairs(list(found)):
            offset = np.abs((found[first] - found[second])[usable].mean(axis=0) / spread).max()
            numbers.append(Number.of("same source: latents without errors",
                                     "largest mean difference over the spread of sources", method,
                                     f"{first} - {second}", np.count_nonzero(usable), offset))
        first = next(iter(found))
        judged = usable & ~half
        for name, predicted in latent_forest(found, labels, usable & half, seed).items():
            confusion = confusion_by_group(labels[judged], predicted[judged], N_EIGHT,
                                           np.zeros(judged.sum(), int))
            numbers.append(Number.of("same source: 8 classes by a forest of latents",
                                     f"balanced accuracy, learned on {first}", method, name, judged.sum(),
                                     float(balanced_accuracy(confusion.sum(axis=0)))))
    return numbers
