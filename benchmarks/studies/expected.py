# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the classes of real rows would score if the simulated sky were the real one.

Rows are simulated class by class with the significances of the real ones and
enriched by the same model. Their score is what three bands allow this model;
samples of them as small as the real one say how far chance moves it; gradient
boosting trained on other simulated rows says what any classifier can do with
the bands. What the real rows score below is the difference between the
populations.

The reader takes ``flux_aper90_mean_*`` of the classified sample where a row
has all bands there, which almost all have, and no band of a row is zero: the
averages are means of two-piece normals, so `mock_rows` is asked for
``averaged=True`` and its rows get these columns.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import auc, bootstrap_weights, interval
from benchmarks.studies.discriminator import fluxes_like, hardness_features
from benchmarks.studies.real_tests import COMPACT, compact_score, probabilities

__all__ = ["Scored", "band_table", "compare", "expected_classes", "table_fluxes"]

SECTION = "8 classes zero-shot: real rows beside simulated ones"
MODEL, BOOSTING = "model", "boosting trained on simulated rows"
#: Ranges of the significance: quadratic sum of the bands' flux over error.
RANGES = ((0.0, 10.0), (10.0, 20.0), (20.0, np.inf))
_FAMILIES = ("flux_aper90_mean_", "flux_aper90_ave_")
_BOOSTING = {"max_iter": 150, "learning_rate": 0.06, "max_leaf_nodes": 16, "min_samples_leaf": 40,
             "l2_regularization": 1.0}
_SAMPLES = 4000


def table_fluxes(table):
    """
    Band fluxes as the classified sample's rows are read.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``flux_aper90_mean_s`` and so on; ``flux_aper90_ave_s`` stand in
        for rows that lack a mean.

    Returns
    -------
    flux, error : ndarray, shape (n, 3)
        In erg/cm2/s, bands s, m and h.
    """
    found = None
    for family in _FAMILIES:
        if f"{family}s" not in table.colnames:
            continue
        pair = [np.stack([plain_floats(table[f"{e}{family}{band}"]) for band in "smh"], axis=1)
                for e in ("", "e_")]
        if found is None:
            found = pair
        missing = ~np.isfinite(found).all(axis=(0, 2))
        found = [np.where(missing[:, None], new, old) for new, old in zip(pair, found, strict=True)]
    return found


def band_table(flux, error):
    """
    A table with the columns that the classified sample's rows are read from.

    Parameters
    ----------
    flux, error : ndarray, shape (n, 3)
        In erg/cm2/s, bands s, m and h.

    Returns
    -------
    table : `~astropy.table.Table`
    """
    columns = {}
    for k, band in enumerate("smh"):
        columns[f"{_FAMILIES[0]}{band}"], columns[f"e_{_FAMILIES[0]}{band}"] = flux[:, k], error[:, k]
    return Table(columns)


class Scored:
    """
    Rows with classes, significances and what methods say about them.

    Parameters
    ----------
    label : ndarray of str, shape (n,)
    flux, error : ndarray, shape (n, 3)
    said : dict of ndarray, shape (n, 8)
        Method to class probabilities.
    """

    def __init__(self, label, flux, error, said):
        self.label, self.said = np.asarray(label), said
        self.significance = 10 ** hardness_features(flux, error)[:, 2]

    def within(self, low, high):
        """Which rows have a significance from ``low`` to ``high``."""
        return (self.significance >= low) & (self.significance < high)

    def hits(self, method):
        """Which rows the method gives their class."""
        return np.array(CLASSES)[self.said[method].argmax(axis=1)] == self.label


def _features(flux, error):
    """All that three bands say but the brightness."""
    return np.concatenate([hardness_features(flux, error), flux / error], axis=1)


def _simulated(like, per_class, instruments, rng):
    """Labels, fluxes and errors of simulated rows, each class as significant as the rows it is like."""
    parts = []
    for name, features in like.items():
        found = fluxes_like(name, features, per_class, instruments, rng)
        parts.append((np.full(len(found[0]), name), *found))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def expected_classes(rows, instruments, model=None, name="JUDGE", per_class=2500, seed=1, log=None):
    """
    Scores of the eight classes on real and on simulated rows.

    Parameters
    ----------
    rows : `~astro_xlatent.evaluate.rows.LabeledRows`
        Enriched averages of the classified sample.
    instruments : list of Instrument
        Chandra responses.
    model : optional
        See `~astro_xlatent.load_model`; the one that enriched the rows.
    name : str, optional
        Of the rows.
    per_class, seed : int, optional
        Simulated rows of each class, for the test and once more for training.
    log : callable, optional

    Returns
    -------
    numbers : list of Number
        See `compare`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    from astro_xlatent.table.add_latents import add_latents

    log = log or (lambda line: None)
    rng = np.random.default_rng(seed)
    flux, error = table_fluxes(rows.table)
    features = hardness_features(flux, error)
    names = np.unique(rows.label)
    log(f"{per_class} simulated rows of each class, twice")
    tested = _simulated({k: features[rows.label == k] for k in names}, per_class, instruments, rng)
    # All classes alike: how significant a class is in this sample is nothing that bands say.
    trained = _simulated(dict.fromkeys(names, features), per_class, instruments, rng)
    boosting = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed, **_BOOSTING)
    boosting.fit(_features(*trained[1:]), trained[0])

    def boosted(*fluxes):
        said = np.zeros((len(fluxes[0]), len(CLASSES)))
        said[:, [CLASSES.index(k) for k in boosting.classes_]] = boosting.predict_proba(_features(*fluxes))
        return said

    table = add_latents(band_table(*tested[1:]), mission="csc", model=model)
    said = np.ma.filled(np.ma.asarray(table["xl_class_prob"]).astype(float), 0.0)
    simulated = Scored(*tested, {MODEL: said, BOOSTING: boosted(*tested[1:])})
    real = Scored(rows.label, flux, error, {MODEL: probabilities(rows), BOOSTING: boosted(flux, error)})
    return compare(real, simulated, rows.field, name, rng)


def compare(real, simulated, field, name, rng, n_boot=300):
    """
    Numbers of real rows beside those of simulated ones.

    Parameters
    ----------
    real, simulated : Scored
    field : ndarray of int, shape (n,)
        Sky fields of the real rows.
    name : str
        Of the real rows.
    rng : numpy.random.Generator
    n_boot : int, optional

    Returns
    -------
    numbers : list of Number
        For all rows and by significance, balanced accuracy and AUC of AGN
        against compact objects; for all rows the recall of every class. The
        interval of real rows is from the bootstrap over fields, that of
        simulated ones from samples with as many rows of every class as the
        real one; the share of these that score no better than the real rows
        follows.
    """
    group = np.unique(field, return_inverse=True)[1]
    repeats = bootstrap_weights(group, rng, n_boot)[:, group]
    numbers = []
    for low, high in ((0.0, np.inf), *RANGES):
        words = f"{name}{_words(low, high)}"
        rows, mock = real.within(low, high), simulated.within(low, high)
        for method in real.said:
            numbers += _accuracies(real, simulated, rows, mock, repeats, method, words, rng)
            numbers += _areas(real, simulated, rows, mock, repeats, method, words, rng)
    return numbers


def _words(low, high):
    if np.isinf(high):
        return f", significance > {low:g}" if low else ""
    return f", significance {low:g}-{high:g}" if low else f", significance < {high:g}"


def _shared(real, simulated, rows, mock, names):
    """Classes with rows of both kinds."""
    return [k for k in names if np.any(rows & (real.label == k)) and np.any(mock & (simulated.label == k))]


def _accuracies(real, simulated, rows, mock, repeats, method, words, rng):
    """Balanced accuracy, and the recalls that it is the mean of."""
    ours, theirs = real.hits(method), simulated.hits(method)
    quantities, scores, boots, wanted, samples = [], [], [], [], []
    for name in _shared(real, simulated, rows, mock, CLASSES):
        mine = rows & (real.label == name)
        total = repeats @ mine
        with np.errstate(invalid="ignore"):
            boots.append((repeats @ (ours & mine)) / total)
        share = theirs[mock & (simulated.label == name)].mean()
        quantities.append((f"recall of {name}", mine.sum()))
        scores.append(ours[mine].mean())
        wanted.append(share)
        samples.append(rng.binomial(mine.sum(), share, _SAMPLES) / mine.sum())
    if not scores:
        return []
    numbers = _beside("balanced accuracy", method, words, rows.sum(), np.mean(scores),
                      np.nanmean(boots, axis=0), np.mean(wanted), np.mean(samples, axis=0))
    if "significance" not in words and method == MODEL:
        for (quantity, n), *values in zip(quantities, scores, boots, wanted, samples, strict=True):
            numbers += _beside(quantity, method, words, n, *values)
    return numbers


def _areas(real, simulated, rows, mock, repeats, method, words, rng):
    """AUC of AGN against compact objects, these in the real rows' proportions."""
    kinds = _shared(real, simulated, rows, mock, ("AGN", *COMPACT))
    if len(kinds) < 2 or "AGN" not in kinds:
        return []
    mine = rows & np.isin(real.label, kinds)
    positive, score = real.label[mine] != "AGN", compact_score(real.said[method][mine])
    members = [np.flatnonzero(mock & (simulated.label == k)) for k in kinds]
    number = [np.sum(rows & (real.label == k)) for k in kinds]
    drawn = np.concatenate([rng.multinomial(n, np.full(m.size, 1 / m.size), repeats.shape[0])
                            for n, m in zip(number, members, strict=True)], axis=1)
    weight = np.concatenate([np.full(m.size, n / m.size) for n, m in zip(number, members, strict=True)])
    m = np.concatenate(members)
    truth, said = simulated.label[m] != "AGN", compact_score(simulated.said[method][m])
    return _beside("AUC, AGN against compact", method, words, mine.sum(), auc(positive, score),
                   auc(positive, score, repeats[:, mine]), auc(truth, said, weight), auc(truth, said, drawn))


def _beside(quantity, method, words, n, score, boots, wanted, samples):
    """The real number, the expected one, and how often chance makes it as low."""
    return [
        Number.of(SECTION, quantity, f"{method}: real rows", words, n, score, interval(boots)),
        Number.of(SECTION, quantity, f"{method}: simulated rows", words, n, wanted, interval(samples)),
        Number.of(SECTION, "share of simulated samples as low", f"{method}: {quantity}", words, n,
                  np.mean(np.asarray(samples) <= score + 1e-12)),
    ]
