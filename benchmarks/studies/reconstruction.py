# Licensed under a 3-clause BSD style license - see LICENSE
"""
How well do eight latents describe spectra: goodness of fit, and beside an oracle.

The oracle fits the model from which a source was drawn, its parameters and the
normalization free, by the same Cash statistic in the same bins with the same
background. The others get the same rows: eight principal components of counts,
and, if asked for, an autoencoder of raw counts (both scaled from 0 to 1 for
every source, as in arXiv:2510.14102).
"""

import numpy as np

from astro_xlatent.core.numbers import random_stream
from astro_xlatent.evaluate.results import Number, Results

__all__ = ["evaluate_reconstruction", "fit_statistic_of", "gof_numbers", "oracle_fit"]

GOF_RANGES = ((10, 30), (30, 100), (100, 300), (300, 1000), (1000, 3000), (3000, 10000))
CHUNK = 16
# Families that an oracle fits easily: name -> range of the parameter, whether it is logarithmic.
ORACLE_FAMILIES = {
    "absorbed power law": ((1.0, 3.0), False),
    "absorbed black body": ((0.1, 1.5), True),
    "absorbed plasma, solar": ((0.3, 8.0), True),
}
NH_RANGE = (1e20, 3e22)
N_COMPONENTS = 8


def gof_numbers(gof, net):
    """
    Mean and standard deviation of the goodness of fit by net counts.

    Parameters
    ----------
    gof, net : ndarray, shape (n,)
        NaN is left out.

    Returns
    -------
    numbers : list of Number
        The mean with its 90 % interval, the standard deviation, and that from
        the central 68 % of the rows.
    """
    numbers, section = [], "reconstruction: xl_gof of ordinary spectra"
    for low, high in GOF_RANGES:
        g = gof[np.isfinite(gof) & (net >= low) & (net < high)]
        if g.size < 10:
            continue
        subset, half = f"{low}-{high} counts", 1.645 * g.std() / np.sqrt(g.size)
        central = 0.5 * np.diff(np.quantile(g, [0.16, 0.84]))[0]
        numbers += [
            Number.of(section, "mean", "model", subset, g.size, g.mean(), (g.mean() - half, g.mean() + half)),
            Number.of(section, "standard deviation", "model", subset, g.size, g.std()),
            Number.of(section, "half width of the central 68 %", "model", subset, g.size, central),
            Number.of(section, "share above 3", "model", subset, g.size, np.mean(g > 3)),
        ]
    return numbers


def fit_statistic_of(bins, source):
    """
    Cash statistic of expected source counts, in the bins of the goodness of fit, and its expectation.

    (rows,) each, see `~astro_xlatent.model.statistics.merged_fit`; without allowance for fitted parameters.
    """
    from astro_xlatent.model.statistics import cash, cash_moments, merged_fit

    n, model, b_variance, used = merged_fit(bins, source)
    mean = cash_moments(model)[0] + b_variance / model
    return tuple(np.where(used, a, 0.0).sum(axis=1) for a in (cash(n, model), mean))


def _observe(spectra, instruments, rng, counts_range):
    """Bins, folding matrices, rows with a measured background only, and their numbers."""
    from astro_xlatent.simulate.observe import observe_spectra
    from astro_xlatent.spectra.bins import EnergyBins

    parts, matrices = [], []
    for start in range(0, len(spectra), CHUNK):
        instrument = instruments[rng.integers(len(instruments))]
        bins, truth = observe_spectra(spectra[start:start + CHUNK], instrument, rng, counts_range)
        parts.append(bins)
        matrices.append(instrument.matrix * truth["seconds"][:, None, None].astype(np.float32))
    bins = EnergyBins.concatenate(parts)
    rows = np.flatnonzero(bins.background_known)
    return bins[rows], np.concatenate(matrices)[rows], rows


def _folded(model, bins, matrices):
    """Expected counts of the best latents, and the number of parameters they fitted."""
    latent = model.encode(bins, coarsen=True)["mean"]
    best, n_fitted, _ = model.best_fit(bins, latent, matrices)
    return np.einsum("re,rbe->rb", model.decode(best), matrices, optimize=True), n_fitted


def _bright_numbers(model, instruments, n, rng):
    """C over its expectation at 10,000 counts."""
    from astro_xlatent.train.stream import draw_training_sources

    sources = draw_training_sources(n, rng)
    bins, matrices, rows = _observe(sources.spectrum, instruments, rng, (1e4, 1.0001e4))
    source, n_fitted = _folded(model, bins, matrices)
    statistic, expectation = fit_statistic_of(bins, source)
    found = {"model": statistic / (expectation - n_fitted)}
    truth = np.einsum("re,rbe->rb", sources.spectrum[rows], matrices, optimize=True)
    statistic, expectation = fit_statistic_of(bins, truth)
    found["the true spectrum"] = statistic / (expectation - 1)
    section, numbers = "reconstruction: C over its expectation", []
    for subset, chosen in (("10,000 counts", np.ones(len(rows), bool)),
                           ("10,000 counts, of a class", sources.class_index[rows] >= 0)):
        for name, ratio in found.items():
            r = ratio[chosen]
            values = {"median": np.median(r), "mean": r.mean(), "share at most 1.3": np.mean(r <= 1.3)}
            numbers += [Number.of(section, quantity, name, subset, r.size, value)
                        for quantity, value in values.items()]
    return numbers


# --- the oracle ----------------------------------------------------------------


def _family_spectrum(family, parameter, nh):
    """Incident spectra, shape (n, n_energy), up to their normalization."""
    from astro_xlatent.physics import emission
    from astro_xlatent.simulate.truth import absorb

    shape = {"absorbed power law": emission.powerlaw, "absorbed black body": emission.blackbody,
             "absorbed plasma, solar": emission.plasma}[family](np.atleast_1d(parameter))
    return absorb(shape, np.atleast_1d(nh))


def oracle_fit(family, bins, matrix, parameter, nh):
    """
    Fit the true family to one spectrum, starting from the truth.

    Parameters
    ----------
    family : str
        Of `ORACLE_FAMILIES`.
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        One row.
    matrix : ndarray, shape (N_FINE, n_energy)
        Folding matrix.
    parameter, nh : float
        True photon index or temperature, and column.

    Returns
    -------
    statistic : float
        Smallest Cash statistic over both and the normalization.
    """
    from scipy.optimize import minimize

    (low, high), logarithmic = ORACLE_FAMILIES[family]
    low, high = 0.5 * low, 2 * high

    def value(x):
        trial = np.clip(np.exp(x[0]) if logarithmic else x[0], low, high)
        spectrum = _family_spectrum(family, trial, 1e22 * np.abs(x[1]) ** 2)
        return fit_statistic_of(bins, spectrum @ matrix.T)[0][0]

    start = np.array([np.log(parameter) if logarithmic else parameter, np.sqrt(nh / 1e22)])
    simplex = start + np.array([[0, 0], [0.15, 0], [0, 0.1]])
    options = {"initial_simplex": simplex, "xatol": 0.005, "fatol": 0.02, "maxfev": 80}
    return min(minimize(value, start, method="Nelder-Mead", options=options).fun, value(start))


def _oracle_rows(n, instruments, rng):
    """Sources of the families observed with 300 counts: bins, matrices and their truth."""
    names, spectra, truth = list(ORACLE_FAMILIES), [], []
    for row in range(n):
        family = names[row % len(names)]
        (low, high), logarithmic = ORACLE_FAMILIES[family]
        parameter = np.exp(rng.uniform(np.log(low), np.log(high))) if logarithmic else rng.uniform(low, high)
        nh = np.exp(rng.uniform(*np.log(NH_RANGE)))
        spectra.append(_family_spectrum(family, parameter, nh)[0])
        truth.append((family, parameter, nh))
    bins, matrices, rows = _observe(np.array(spectra), instruments, rng, (300.0, 300.01))
    return bins, matrices, np.array(spectra)[rows], [truth[row] for row in rows]


def _oracle_numbers(model, instruments, n, rng, others):
    """C at 300 counts minus that of the oracle, of the model, the truth and other methods."""
    bins, matrices, spectra, truth = _oracle_rows(n, instruments, rng)
    oracle = np.array([oracle_fit(family, bins[k:k + 1], matrices[k], parameter, nh)
                       for k, (family, parameter, nh) in enumerate(truth)])
    sources = {"model": _folded(model, bins, matrices)[0],
               "the true spectrum": np.einsum("re,rbe->rb", spectra, matrices, optimize=True)}
    found = {name: fit_statistic_of(bins, source)[0] - oracle for name, source in sources.items()}
    kinds = np.array([family for family, _, _ in truth])
    section, numbers = "reconstruction: C minus that of an oracle, 300 counts", []
    for subset in ("all", *ORACLE_FAMILIES):
        chosen = np.ones(len(kinds), bool) if subset == "all" else kinds == subset
        for name, excess in found.items():
            e = excess[chosen]
            mean, half = e.mean(), 1.645 * e.std() / np.sqrt(e.size)
            numbers += [
                Number.of(section, "mean", name, subset, e.size, mean, (mean - half, mean + half)),
                Number.of(section, "median", name, subset, e.size, np.median(e)),
                Number.of(section, "share at most 2", name, subset, e.size, np.mean(e <= 2)),
            ]
    return numbers + _common_numbers(bins, oracle, sources["model"], others)


# --- autoencoders of counts ----------------------------------------------------


class CountsComponents:
    """Eight principal components of counts, scaled from 0 to 1 for every source."""

    def __init__(self, bins):
        scaled = self._scaled(bins)[0]
        self.mean = scaled.mean(axis=0)
        self.axes = np.linalg.svd(scaled - self.mean, full_matrices=False)[2][:N_COMPONENTS]

    @staticmethod
    def _scaled(bins):
        from benchmarks.ablation.paper_style import paper_scale

        return paper_scale(np.where(bins.valid, bins.counts, 0.0))

    def reconstruct(self, bins):
        """Expected counts (background included) in the fine bins, shape (rows, N_FINE)."""
        scaled, low, span = self._scaled(bins)
        return low + span * (self.mean + (scaled - self.mean) @ self.axes.T @ self.axes)


def _common_numbers(bins, oracle, source, others):
    """C per bin between 0.5 and 8 keV, where all methods say something."""
    from astro_xlatent.model.statistics import cash, merge_bins, merged_fit
    from benchmarks.ablation.paper_style import to_fine_grid

    n, model, _, used = merged_fit(bins, source)
    inside = merge_bins(np.broadcast_to(~to_fine_grid()[1], bins.valid.shape), bins.valid) == 0
    used = used & inside
    found = {"model": model}
    for name, reconstruct in others.items():
        expected = merge_bins(np.where(bins.valid, reconstruct(bins), 0.0), bins.valid)
        # A method that predicts nothing, or less, would have an infinite C.
        expected = np.maximum(expected, 0.05)
        scale = np.where(used, n, 0).sum(axis=1) / np.where(used, expected, 0).sum(axis=1)
        found[name] = expected * scale[:, None]
    section, numbers = "reconstruction: C per bin at 0.5-8 keV, 300 counts", []
    for name, expected in found.items():
        c = np.where(used, cash(n, expected), 0.0).sum(axis=1) / used.sum(axis=1)
        numbers += [Number.of(section, "mean", name, "all", c.size, c.mean()),
                    Number.of(section, "median", name, "all", c.size, np.median(c))]
    return numbers


def _other_methods(instruments, n, paper_steps, seed, log):
    """Functions from bins to expected counts, trained on ordinary spectra of about 300 counts."""
    from astro_xlatent.train.stream import draw_training_sources

    rng = random_stream(seed, "reconstruction", 1)
    bins = _observe(draw_training_sources(n, rng).spectrum, instruments, rng, (100.0, 1000.0))[0]
    others = {"PCA-8 of counts": CountsComponents(bins).reconstruct}
    if paper_steps:
        from benchmarks.studies.paper_style_scores import paper_reconstruction, train_paper_model

        network = train_paper_model(instruments, paper_steps, seed, log, (100.0, 1000.0))
        others["autoencoder of raw counts"] = lambda bins: paper_reconstruction(network, bins)[0]
    return others


def evaluate_reconstruction(model, instruments, n=1500, seed=1, *, paper_steps=0, log=None):
    """
    Measure how well the latents describe spectra.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
    n : int, optional
        Ordinary spectra; a fifth as many bright ones and oracle fits (at most 300).
    seed : int, optional
    paper_steps : int, optional
        Train an autoencoder of raw counts so long, to compare with.
    log : callable, optional

    Returns
    -------
    results : Results
    """
    from astro_xlatent.train.stream import draw_training_sources

    log = log or (lambda line: None)
    rng = random_stream(seed, "reconstruction")
    results = Results("Reconstruction", {"model": f"{model.name}-{model.version}", "spectra": str(n)})
    log(f"goodness of fit of {n} spectra")
    sources = draw_training_sources(n, rng)
    bins, matrices, _ = _observe(sources.spectrum, instruments, rng, (10.0, 1e4))
    results.add(gof_numbers(model.infer(bins, matrices).gof, bins.net_counts))
    few = min(max(n // 5, 15), 300)
    log(f"{few} spectra of 10,000 counts")
    results.add(_bright_numbers(model, instruments, few, rng))
    others = _other_methods(instruments, n, paper_steps, seed, log)
    log(f"{few} fits of the true model")
    results.add(_oracle_numbers(model, instruments, few, rng, others))
    results.notes.append("Spectra without a measured background are left out: no spectrum of a source "
                         "describes source and background together.")
    return results
