# Licensed under a 3-clause BSD style license - see LICENSE
"""
How well classes with evidence hold on fields of the sky that were not seen.

    python -m benchmarks.judge_evidence TABLE [--seeds 3]

TABLE is the labeled table with counterparts. Then the survey prior: shares
of classes expected and cataloged in three fields, and AGN behind the plane. Pieces and exponents are fitted
without the fold that they are judged on; folds hold whole fields. Error bars
are bootstraps over fields.
"""

import argparse

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.cli.train_evidence import N_FOLDS, labeled_inputs
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.evidence import (
    class_scores,
    cross_probability,
    evidence_scores,
)
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.hardness import hardness_ratios
from astro_xlatent.model.evidence import PIECES, Group, Inputs
from astro_xlatent.model.priors import survey_weights
from astro_xlatent.table.evidence import galactic_column, galactic_position, row_inputs
from astro_xlatent.table.files import read_table
from astro_xlatent.train.evidence import train_evidence

#: Share of rows whose counterparts are exchanged or taken away.
SHARE = 0.1
_COUNTERPARTS = PIECES["counterparts"]


def changed(inputs: Inputs, groups: dict, found: np.ndarray) -> Inputs:
    """The same rows with other counterparts."""
    return Inputs(inputs.groups | groups, found, inputs.wrong)


def shuffled(inputs: Inputs, rng) -> Inputs:
    """Counterparts of a tenth of the rows dealt anew among them."""
    order = np.arange(len(inputs))
    some = np.flatnonzero(rng.random(len(inputs)) < SHARE)
    order[some] = rng.permutation(some)
    return changed(inputs, {name: inputs.groups[name][order] for name in _COUNTERPARTS}, inputs.found[order])


def dropped(inputs: Inputs, rows, known) -> Inputs:
    """Rows without counterparts: searched and none, or not ``known``."""
    groups = {}
    for name in _COUNTERPARTS:
        group = inputs.groups[name]
        groups[name] = Group(group.names, np.where(rows[:, None], 0.0, group.values),
                             group.known & (known | ~rows))
    return changed(inputs, groups, inputs.found & ~rows)


def other_matches(table, prefix: str) -> Inputs:
    """Inputs with another set of counterpart columns in place of MUWCLASS's."""
    table = table.copy()
    table.remove_columns([name for name in table.colnames if name.startswith("mw_")])
    for name in [name for name in table.colnames if name.startswith(prefix)]:
        table.rename_column(name, "mw_" + name.removeprefix(prefix))
    if "mw_p_i" in table.colnames:
        for survey in ("gaia", "tmass", "allwise"):
            table[f"{survey}_p_i"] = table["mw_p_i"]
    return row_inputs(table)[0]


def line(name: str, scores: dict) -> str:
    """One line of the table."""
    return (f"{name:44s} {scores['balanced accuracy']:.3f} +- {scores['+-']:.3f}  "
            f"{scores['AUC']:.3f} +- {scores['AUC +-']:.3f}  {scores['log loss']:.2f} "
            f"{scores['log loss flat']:.2f}   {scores['ECE']:.3f} {scores['ECE flat']:.3f}")


def peer_rows(table) -> np.ndarray:
    """The peer's class of every row as an index, -1 where it has none."""
    names = np.ma.filled(np.ma.asarray(table["td22_Class"]).astype(str), "").astype(str)
    return np.array([CLASSES.index(name) if name in CLASSES else -1 for name in names.tolist()])


def one_seed(table, inputs, label, field, spectrum, seed: int) -> tuple[dict, np.ndarray]:
    """Scores by line, and the probabilities with all evidence, for one dealing of fields to folds."""
    rng = np.random.default_rng(seed)
    fold = grouped_folds(label, field, N_FOLDS, seed)
    model, cross = train_evidence(inputs, label, CLASSES, fold, spectrum)
    factors = cross.log_factors(inputs)
    found = {name: scores for name, scores in
             evidence_scores(model, factors, spectrum, label, field, seed, fold).items()}
    probability = cross_probability(model, spectrum, factors, label, fold)

    def score(name, p, rows=slice(None)):
        found[name] = class_scores(p[rows], label[rows], field[rows], CLASSES, seed)

    largest = field == np.bincount(field).argmax()
    score("all, without the largest field", probability, ~largest)
    score("all, |b| > 10 degrees", probability, np.abs(galactic_position(table)[1]) > 10)
    tenth, every = rng.random(len(label)) < SHARE, np.ones(len(label), bool)
    for name, other in (("all, 10 % of the matches shuffled", shuffled(inputs, rng)),
                        ("all, 10 % of counterparts dropped, as none", dropped(inputs, tenth, True)),
                        ("all, 10 % of counterparts dropped, as unknown", dropped(inputs, tenth, False)),
                        ("all, every counterpart dropped, as none", dropped(inputs, every, True)),
                        ("all, every counterpart dropped, as unknown", dropped(inputs, every, False)),
                        ("all, matches by NWAY with their p_i", other_matches(table, "nway_"))):
        score(name, model.combine(spectrum, cross.log_factors(other)))
    peer = peer_rows(table) >= 0
    score("all, the peer's rows", probability, peer)
    return found, probability


def what_latents_add(table, label, inputs, field, spectrum, seed: int) -> list[float]:
    """Balanced accuracy of a forest on all evidence with the latents, less that with hardness alone."""
    from sklearn.ensemble import RandomForestClassifier

    evidence = np.concatenate(
        [inputs.groups[name].values for group in PIECES.values() for name in group], axis=1
    )
    fluxes = np.stack([plain_floats(table[f"flux_aper90_ave_{band}"]) for band in "smh"], axis=1)
    hardness = np.nan_to_num(hardness_ratios(fluxes))
    latents = plain_floats(table["xl_latent"])
    fold = grouped_folds(label, field, N_FOLDS, seed)
    accuracy = []
    for parts in ((evidence, hardness), (evidence, hardness, latents)):
        x, best = np.concatenate(parts, axis=1), np.zeros(len(label), int)
        for number in range(N_FOLDS):
            forest = RandomForestClassifier(300, class_weight="balanced_subsample", min_samples_leaf=3,
                                            random_state=seed)
            forest.fit(x[fold != number], label[fold != number])
            best[fold == number] = forest.predict(x[fold == number])
        accuracy.append(np.mean([(best[label == k] == k).mean() for k in range(len(CLASSES))]))
    return accuracy


def moved_agn(probability, flux, place, rng) -> float:
    """Recall of AGN with the survey prior at places in the plane; their spectra stay as they are."""
    lon, lat = (part[rng.integers(0, len(place[0]), len(flux))] for part in place)
    weights = survey_weights(lon, lat, flux, np.full(len(flux), np.nan))[:, :len(CLASSES)]
    return float(np.mean((probability * weights).argmax(axis=1) == CLASSES.index("AGN")))


def simulated_agn(model, n: int = 2000):
    """Class probabilities and fluxes of simulated AGN in the CSC's bands."""
    from astro_xlatent.simulate import batch

    bins, _ = batch(20260101, n, mission="csc", mode="bands", classes=["AGN"])
    posterior = model.infer(bins)
    return posterior.class_prob[:, :len(CLASSES)], posterior.flux["05_2"][:, 1] + posterior.flux["2_7"][:, 1]


def judge_survey(table, label, field, spectrum) -> None:
    """Print how the survey prior does."""
    from astro_xlatent.model.pretrained import load_model

    sky = SkyCoord(plain_floats(table["ra"]), plain_floats(table["dec"]), unit="deg").galactic
    flux = plain_floats(table["xl_flux_05_2"]) + plain_floats(table["xl_flux_2_7"])
    weights = survey_weights(sky.l.deg, sky.b.deg, flux, galactic_column(table))[:, :len(CLASSES)]
    weights = weights / weights.sum(axis=1, keepdims=True)
    print("\nshares expected by the survey prior and cataloged\n" + " " * 22 + "rows  "
          + " ".join(f"{name:>13s}" for name in CLASSES))
    apart = sky.separation(SkyCoord(0, 0, unit="deg", frame="galactic")).deg
    largest = field == np.bincount(field).argmax()
    where = f"largest field, l = {np.median(sky.l.deg[largest]):.0f}"
    for name, rows in (("|b| > 50 degrees", np.abs(sky.b.deg) > 50), ("bulge, < 10 degrees", apart < 10),
                       (where, largest)):
        shares = zip(
            weights[rows].mean(axis=0),
            np.bincount(label[rows], minlength=len(CLASSES)) / rows.sum(),
            strict=True,
        )
        print(f"{name:22s}{rows.sum():5d}  " + " ".join(f"{a:6.3f} {b:6.3f}" for a, b in shares))
    rng, agn, plane = np.random.default_rng(1), label == CLASSES.index("AGN"), np.abs(sky.b.deg) < 5
    place = sky.l.deg[plane], sky.b.deg[plane]
    best = (spectrum * weights).argmax(axis=1)
    print(
        f"recall of AGN at |b| < 5 degrees with the survey prior: real ones moved there "
        f"{moved_agn(spectrum[agn], flux[agn], place, rng):.2f}, simulated ones moved there "
        f"{moved_agn(*simulated_agn(load_model()), place, rng):.2f}, the {np.sum(agn & plane)} there "
        f"{np.mean(best[agn & plane] == CLASSES.index('AGN')):.2f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    table, inputs, label, _, field, spectrum = labeled_inputs(
        read_table(args.table), "class_label", minimum=[("significance", 5.0)])
    seeds = range(1, args.seeds + 1)
    runs = [one_seed(table, inputs, label, field, spectrum, seed) for seed in seeds]
    print(f"{len(label)} rows, {field.max() + 1} fields, {args.seeds} dealings of fields to {N_FOLDS} folds; "
          f"spectra by {table['xl_model'][0]}")
    print(f"{'':44s} balanced acc.    AUC AGN/compact  log loss    ECE\n"
          f"{'':44s}                                  natural flat  natural flat")
    for name in runs[0][0]:
        print(line(name, {key: np.mean([run[0][name][key] for run in runs]) for key in runs[0][0][name]}))
    best, peer = [run[1].argmax(axis=1) for run in runs], peer_rows(table)
    theirs = [np.mean(peer[(peer >= 0) & (label == k)] == k) for k in range(len(CLASSES))]
    print(f"the peer's leave-one-out predictions, its {np.sum(peer >= 0)} rows: {np.mean(theirs):.3f}")
    print("class       rows  recall  precision   recall of the peer and ours on its rows")
    for k, name in enumerate(CLASSES):
        ours = np.mean([np.mean(b[(peer >= 0) & (label == k)] == k) for b in best])
        recall = np.mean([np.mean(b[label == k] == k) for b in best])
        precision = np.mean([np.mean(label[b == k] == k) for b in best])
        print(
            f"{name:10s} {np.sum(label == k):5d}    {recall:.2f}     {precision:.2f}        "
            f"{theirs[k]:.2f}  {ours:.2f}"
        )
    gain = np.array([what_latents_add(table, label, inputs, field, spectrum, seed) for seed in seeds])
    without, with_ = gain.mean(axis=0)
    print(
        f"forest on all evidence and three hardness ratios: {without:.3f}; with the latents, too: "
        f"{with_:.3f} "
        f"(difference {with_ - without:+.3f}, scatter of dealings {np.std(gain[:, 1] - gain[:, 0]):.3f})"
    )
    judge_survey(table, label, field, spectrum)


if __name__ == "__main__":
    main()
