# Licensed under a 3-clause BSD style license - see LICENSE
"""
The model on simulated observations that took no part in training.

``python -m benchmarks.studies.simulated [--n 20000] [--responses DIR] [--seed N] -o OUT.json``

`simulate` draws sources and observations from seeds of their own and keeps
truth, posterior and hardness ratios; `evaluate_simulated` scores the model
beside classifiers of hardness ratios that were trained on other simulated
rows of the same kind.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.numbers import random_stream, stream_seed
from astro_xlatent.evaluate.features import band_fluxes, fluxes_of_spectra
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.evaluate.scores import (
    balanced_accuracy,
    bootstrap_weights,
    calibration_error,
    confusion_by_group,
    interval,
)
from astro_xlatent.plotting import plot_coverage
from benchmarks.studies.coverage import coverage_numbers
from benchmarks.studies.simulated_baselines import (
    N_EIGHT,
    hardness_features,
    hardness_predictions,
    latent_predictions,
)
from benchmarks.studies.variance import explained_variance

__all__ = ["COUNTS_RANGES", "evaluate_simulated", "main", "simulate"]

#: Ranges of net counts in which everything is scored.
COUNTS_RANGES = ((30, 100), (100, 300), (300, 1000), (1000, 10000))
VARIANCE_RANGES = ((30, 100), (300, 1000))
BATCH = 256
_LATENTS = "latents alone, random forest"
LIMITS = (0.16, 0.5, 0.84)


def simulate(mode, n, instruments, seed, model=None, progress=None):
    """
    Draw fresh observations, with the model's answers if one is given.

    Parameters
    ----------
    mode : {'bands', 'spectra'}
    n : int
        Number of rows, rounded up to whole batches.
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
    seed : int
    model : `~astro_xlatent.model.posterior.Model`, optional
    progress : callable, optional
        Called with the number of rows done.

    Returns
    -------
    rows : dict of ndarray
        ``net``, ``class_index``, ``mission``, ``energy`` (flux kind),
        ``hardness`` (n, features), the truth columns, and with a model
        ``latent``, ``latent_cov``, ``class_prob``, ``nh_density``,
        ``nh_quantiles`` (log10; 5, 16, 50, 84, 95 %), ``photon_index_limits``,
        ``kt_limits`` and ``flux_<band>_limits`` (16, 50, 84 %), ``gof`` (NaN
        without a measured background), ``target``.

    Raises
    ------
    ParameterError
        If ``mode`` or ``n`` is not allowed.
    """
    if mode not in ("bands", "spectra") or n < 1:
        msg = f"mode must be 'bands' or 'spectra' and n at least 1, got {mode!r} and {n}"
        raise ParameterError(msg)
    pieces = []
    for counter in range(-(-n // BATCH)):
        rng = np.random.default_rng([seed, mode == "bands", counter])
        pieces.append(_simulate_batch(mode, instruments, rng, model))
        if progress is not None:
            progress((counter + 1) * BATCH)
    return {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}


def _simulate_batch(mode, instruments, rng, model):
    from astro_xlatent.train.stream import draw_training_sources, observe_full

    sources = draw_training_sources(BATCH, rng)
    bins, matrices, missions = observe_full(mode, sources.spectrum, instruments, rng)
    fluxes = fluxes_of_spectra(bins) if mode == "spectra" else band_fluxes(bins)
    rows = {
        "net": bins.net_counts,
        "class_index": sources.class_index,
        "mission": np.array(missions, "<U8"),
        "energy": fluxes.energy,
        "hardness": hardness_features(fluxes, bands=5),
        **sources.truth,
    }
    if model is None:
        return {name: value[rows["net"] > 0] for name, value in rows.items()}
    posterior = model.infer(bins, matrices)
    rows |= {
        name: getattr(posterior, name) for name in ("latent", "latent_cov", "class_prob", "nh_density", "gof")
    }
    # Band rows have no background of their own: the catalog subtracted it.
    rows["background_known"] = bins.background_known | (mode == "bands")
    rows["gof"] = np.where(bins.background_known, rows["gof"], np.nan)
    rows |= {f"flux_{band}_limits": limits for band, limits in posterior.flux.items()}
    rows |= {"photon_index_limits": posterior.index_quantiles(LIMITS),
             "kt_limits": posterior.kt_quantiles(LIMITS)}
    rows["nh_quantiles"] = np.log10(posterior.nh_quantiles([0.05, 0.16, 0.5, 0.84, 0.95]))
    rows["index_median"] = posterior.index_quantiles([0.5])[:, 0]
    rows["log_kt_median"] = np.log10(posterior.kt_quantiles([0.5])[:, 0])
    rows["target"] = _true_latents(model, sources.spectrum)
    return {name: value[posterior.detected] for name, value in rows.items()}


def _true_latents(model, spectrum):
    import torch

    from astro_xlatent.train.stream import teacher_input

    with torch.no_grad():
        x = torch.as_tensor(teacher_input(spectrum), device=model.device)
        return model.teacher(x).cpu().numpy().astype(float)


def classification_numbers(mode, rows, predictions, rng, n_boot=300):
    """
    Balanced accuracy of the eight classes, beside that of baselines.

    Parameters
    ----------
    mode : str
        For the section's name.
    rows : dict
        From `simulate`.
    predictions : dict of ndarray
        Class index of every row by baseline.
    rng : numpy.random.Generator
        Of the bootstrap.
    n_boot : int, optional

    Returns
    -------
    numbers : list of Number
        "best baseline" is the best of hardness ratios, chosen on the tested
        rows, in its favor.
    """
    section = f"simulated {mode}: 8 classes"
    eight = (rows["class_index"] >= 0) & (rows["class_index"] < N_EIGHT)
    predictions = {"model": rows["class_prob"][:, :N_EIGHT].argmax(axis=1), **predictions}
    numbers = []
    for low, high in COUNTS_RANGES:
        chosen = np.flatnonzero(eight & (rows["net"] >= low) & (rows["net"] < high))
        if not chosen.size:
            continue
        group = np.arange(chosen.size)
        weights = bootstrap_weights(group, rng, n_boot)
        scores = {
            name: _score(rows["class_index"][chosen], predicted[chosen], group, weights)
            for name, predicted in predictions.items()
        }
        best = max((name for name in scores if name.startswith("hardness")), key=lambda name: scores[name][0],
                   default=None)
        subset = f"{low}-{high} counts"
        numbers += [
            Number.of(section, "balanced accuracy", name, subset, chosen.size, value, interval(repeats))
            for name, (value, repeats) in scores.items()
        ]
        for other, name in ((best, "best baseline"), (_LATENTS, f"{_LATENTS} (gap of the head)")):
            if other in scores:
                (value, repeats), (base, bases) = scores["model"], scores[other]
                numbers.append(
                    Number.of(section, "difference", f"model - {name}", subset, chosen.size, value - base,
                              interval(repeats - bases))
                )
    return numbers


def _score(truth, predicted, group, weights):
    confusion = confusion_by_group(truth, predicted, N_EIGHT, group)
    repeats = balanced_accuracy(
        (weights @ confusion.reshape(len(confusion), -1)).reshape(-1, *confusion.shape[1:])
    )
    return float(balanced_accuracy(confusion.sum(axis=0))), repeats


def _calibration_numbers(mode, rows, rng):
    """Expected calibration error over all nine classes, and what chance alone would give."""
    section = f"simulated {mode}: class calibration"
    numbers, curve = [], None
    for name, low, high in [("all", 0, np.inf)] + [(f"{a}-{b} counts", a, b) for a, b in COUNTS_RANGES]:
        chosen = (rows["class_index"] >= 0) & (rows["net"] >= low) & (rows["net"] < high)
        if chosen.sum() < 30:
            continue
        probability, truth = rows["class_prob"][chosen], rows["class_index"][chosen]
        top = probability.max(axis=1)
        error, found = calibration_error(top, probability.argmax(axis=1) == truth)
        chance = [calibration_error(top, rng.random(top.size) < top)[0] for _ in range(20)]
        numbers += [
            Number.of(section, "expected calibration error", "model", name, top.size, error),
            Number.of(section, "expected calibration error", "perfect, same rows", name, top.size,
                      np.mean(chance), (np.quantile(chance, 0.05), np.quantile(chance, 0.95))),
        ]
        curve = found if curve is None else curve
    return numbers, curve


def evaluate_simulated(model, instruments, n=20000, seed=1, log=None):
    """
    Score a model on fresh simulations.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
        To observe with.
    n : int, optional
        Observations in either mode.
    seed : int, optional
        Other seeds give other sources and other noise; none is used by
        training or calibration.
    log : callable, optional
        Receives lines on progress.

    Returns
    -------
    results : Results
    """
    log = log or (lambda line: None)
    results = Results(
        "Simulated observations",
        {
            "model": f"{model.name}-{model.version}",
            "rows": f"{n} per mode",
            "instruments": len(instruments),
            "command": f"python -m benchmarks.studies.simulated --n {n} --seed {seed}",
        },
    )
    for mode in ("spectra", "bands"):
        rng = random_stream(seed, "evaluation", mode == "bands")
        log(f"{mode}: simulating {n} rows and inferring")
        rows = simulate(mode, n, instruments, stream_seed(seed, "evaluation"), model)
        log(f"{mode}: training classifiers of hardness ratios")
        train = simulate(mode, n, instruments, stream_seed(seed, "baselines"))
        predictions = hardness_predictions(mode, train, rows, seed) | latent_predictions(rows, seed)
        results.add(classification_numbers(mode, rows, predictions, rng))
        numbers, curve = _calibration_numbers(mode, rows, rng)
        results.add(numbers)
        results.arrays[f"reliability {mode}"] = curve.tolist()
        results.arrays[f"confusion {mode}"] = _confusion(rows)
        results.add(coverage_numbers(mode, rows, COUNTS_RANGES, rng))
        log(f"{mode}: variance explained by the latents")
        results.add(explained_variance(mode, rows, VARIANCE_RANGES, seed))
    return results


def _confusion(rows):
    """Confusion matrix of the eight classes at 100 to 1,000 counts."""
    chosen = (rows["class_index"] >= 0) & (rows["class_index"] < N_EIGHT)
    chosen &= (rows["net"] >= 100) & (rows["net"] < 1000)
    predicted = rows["class_prob"][chosen][:, :N_EIGHT].argmax(axis=1)
    matrix = confusion_by_group(rows["class_index"][chosen], predicted, N_EIGHT, np.zeros(chosen.sum(), int))
    return matrix.sum(axis=0).tolist()


def draw_coverage(results, folder):
    """Write a figure of measured coverages for every section that has some, as PNG."""
    levels = {"coverage 68 %": 0.68, "coverage 90 %": 0.90}
    for section in dict.fromkeys(n.section for n in results.numbers):
        numbers = [n for n in results.find(section) if n.quantity in levels]
        if numbers:
            ax = plot_coverage([f"{n.subset}, {n.method}" for n in numbers],
                               [levels[n.quantity] for n in numbers], [n.value for n in numbers],
                               [n.low for n in numbers], [n.high for n in numbers])
            name = section.replace(": ", "_").replace(" ", "_")
            ax.figure.savefig(folder / f"coverage_{name}.png", dpi=120)


def main(argv=None):
    """Score a model, print the numbers, write and draw them where asked."""
    from astro_xlatent.evaluate.figures import draw_figures
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.simulate.instruments import default_instruments, load_instruments

    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.simulated",
                                     description="Score a model on fresh simulations.")
    parser.add_argument("--n", type=int, default=20000, help="observations, of spectra and of bands")
    parser.add_argument("--responses", type=Path, metavar="DIR",
                        help="folder of ARF and RMF files to simulate with, beside the shipped curves")
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.json")
    parser.add_argument("--figures", type=Path, metavar="DIR")
    args = parser.parse_args(argv)
    instruments = default_instruments()
    if args.responses is not None:
        instruments = load_instruments(args.responses, log=lambda line: None) + instruments
    results = evaluate_simulated(load_model(args.model), instruments, args.n, args.seed,
                                 log=lambda line: print(line, file=sys.stderr, flush=True))
    if args.responses is not None:
        results.facts["command"] += f" --responses {args.responses.name or '.'}"
    print(results.text())
    if args.figures is not None:
        draw_figures(results, args.figures)
        draw_coverage(results, args.figures)
    if args.output is not None:
        results.write(args.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
