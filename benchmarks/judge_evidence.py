# Licensed under a 3-clause BSD style license - see LICENSE
"""
How well classes with evidence hold on fields of the sky that were not seen.

    python -m benchmarks.judge_evidence TABLE [--seeds 3] [--page docs/evidence.rst]

TABLE is the labeled table with counterparts. Pieces and exponents are fitted on all rows but
those of the fold that is judged; folds hold whole fields, and rows of a significance above 5
are judged. In the lines "nested" the penalty was chosen without the fold, too, by cross-validation
over the other fields. Then classes one by one, what the
latents add, our probabilities of a match beside NWAY's, and the survey prior. Error bars are
bootstraps over fields.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from scipy.special import log_softmax
from scipy.stats import spearmanr

from astro_xlatent.archive.crossmatch import DEFAULT_SIGMA, match_probability
from astro_xlatent.cli.train_evidence import N_FOLDS, labeled_inputs
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.classification import class_scores, cross_probability
from astro_xlatent.evaluate.features import hardness_ratios
from astro_xlatent.evaluate.scores import calibration_error, grouped_folds
from astro_xlatent.model.evidence import PIECES, Group, Inputs
from astro_xlatent.model.priors import survey_weights
from astro_xlatent.table.evidence import galactic_column, galactic_position, row_inputs
from astro_xlatent.table.files import read_table
from astro_xlatent.train.evidence import cross_fit, fit_exponents, train_evidence

#: Rows above this significance are judged; all are learned from.
SIGNIFICANCE = 5.0
#: Share of rows whose counterparts are exchanged or taken away.
SHARE = 0.1
#: What the inner cross-validation chooses from.
PENALTIES = (3.0, 6.0, 12.0, 24.0)
#: Objects in each survey: Gaia DR3 (Gaia Collaboration 2023, A&A 674, A1), 2MASS (Skrutskie et al. 2006,
#: AJ 131, 1163), AllWISE (Cutri et al. 2013, VizieR II/328).
OBJECTS = {"gaia": 1.812e9, "2mass": 4.71e8, "allwise": 7.48e8}
_COUNTERPARTS = PIECES["counterparts"]
#: Lines of the page.
PAGE = ("spectrum", "xray", "counterparts", "all", "xray, nested", "all, nested",
        "all, without the largest field", "all, |b| > 10 degrees", "all, 10 % of the matches shuffled",
        "all, every counterpart dropped, as none", "all, every counterpart dropped, as unknown")
_MARKS = (".. Numbers by python -m benchmarks.judge_evidence TABLE --page docs/evidence.rst",
          ".. End of numbers")


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
    """One line of the printed table."""
    return (f"{name:44s} {scores['balanced accuracy']:.3f} +- {scores['+-']:.3f}  "
            f"{scores['AUC']:.3f} +- {scores['AUC +-']:.3f}  {scores['log loss']:.2f} "
            f"{scores['log loss flat']:.2f}   {scores['ECE']:.3f} {scores['ECE flat']:.3f}")


def peer_rows(table) -> np.ndarray:
    """The peer's class of every row as an index, -1 where it has none."""
    names = np.ma.filled(np.ma.asarray(table["td22_Class"]).astype(str), "").astype(str)
    return np.array([CLASSES.index(name) if name in CLASSES else -1 for name in names.tolist()])


def chosen(inputs, label, field, spectrum, seed: int) -> float:
    """Which of the `PENALTIES` has the lowest sum of both log losses, by cross-validation over these rows."""
    fold = grouped_folds(label, field, N_FOLDS, seed)
    loss = []
    for penalty in PENALTIES:
        factors = cross_fit(inputs, label, fold, spectrum, penalty=penalty).log_factors(inputs)
        powers = fit_exponents(spectrum, factors, label)
        logs = factors | {"spectrum": np.log(np.maximum(spectrum, 1e-6))}
        logit = sum(powers[name] * log for name, log in logs.items())
        number, rows = np.bincount(label, minlength=len(CLASSES)), np.arange(len(label))
        flat, natural = (-log_softmax(logit + prior, axis=1)[rows, label] for prior in (0.0, np.log(number)))
        loss.append(natural.mean() + np.average(flat, weights=1 / number[label]))
    return PENALTIES[int(np.argmin(loss))]


def nested(inputs, label, field, spectrum, seed: int) -> dict:
    """Probabilities by choice of evidence of rows that neither fit nor choices have seen."""
    fold, found = grouped_folds(label, field, N_FOLDS, seed), {}
    for number in range(N_FOLDS):
        others, rows = fold != number, fold == number
        known = inputs[others], label[others], field[others], spectrum[others]
        penalty = chosen(*known, seed)
        inner = grouped_folds(label[others], field[others], N_FOLDS, seed)
        model, _ = train_evidence(known[0], known[1], CLASSES, inner, known[3], penalty=penalty)
        factors = model.log_factors(inputs[rows])
        print(f"nested, seed {seed}, fold {number}: penalty {penalty:g}", flush=True)
        for name in ("xray", "counterparts", "all"):
            some = factors if name == "all" else {name: factors[name]}
            found.setdefault(name, np.zeros_like(spectrum))[rows] = model.combine(spectrum[rows], some)
    return found


def one_seed(table, inputs, label, field, spectrum, seed: int) -> tuple[dict, np.ndarray]:
    """Scores by line, and the probabilities with all evidence, for one dealing of fields to folds."""
    rng = np.random.default_rng(seed)
    judged = plain_floats(table["significance"]) > SIGNIFICANCE
    fold = grouped_folds(label, field, N_FOLDS, seed)
    model, cross = train_evidence(inputs, label, CLASSES, fold, spectrum)
    factors, found = cross.log_factors(inputs), {}

    def score(name, p, rows=judged):
        rows = judged & rows
        found[name] = class_scores(p[rows], label[rows], field[rows], CLASSES, seed)

    score("spectrum", spectrum)
    for name in factors:
        score(name, cross_probability(model, spectrum, {name: factors[name]}, label, fold))
    probability = cross_probability(model, spectrum, factors, label, fold)
    score("all", probability)
    for name, p in nested(inputs, label, field, spectrum, seed).items():
        score(f"{name}, nested", p)
    score("all, without the largest field", probability, field != np.bincount(field).argmax())
    score("all, |b| > 10 degrees", probability, np.abs(galactic_position(table)[1]) > 10)
    tenth, every = rng.random(len(label)) < SHARE, np.ones(len(label), bool)
    for name, other in (("all, 10 % of the matches shuffled", shuffled(inputs, rng)),
                        ("all, 10 % of counterparts dropped, as none", dropped(inputs, tenth, True)),
                        ("all, 10 % of counterparts dropped, as unknown", dropped(inputs, tenth, False)),
                        ("all, every counterpart dropped, as none", dropped(inputs, every, True)),
                        ("all, every counterpart dropped, as unknown", dropped(inputs, every, False)),
                        ("all, matches by NWAY with their p_i", other_matches(table, "nway_"))):
        score(name, model.combine(spectrum, cross.log_factors(other)))
    score("all, the peer's rows", probability, peer_rows(table) >= 0)
    return found, probability


def least_error(probability, label, n: int = 100) -> np.ndarray:
    """Calibration errors for equal priors that perfect probabilities would show on so few rows, (n,)."""
    rng, weight = np.random.default_rng(1), 1 / np.bincount(label)[label]
    drawn = rng.choice(len(label), 20 * len(label), p=weight / weight.sum())
    best = probability.max(axis=1)
    return np.array([calibration_error(best[drawn], (rng.random(len(label)) < best)[drawn])[0]
                     for _ in range(n)])


def match_agreement(table) -> None:
    """Print, source by source, what separations alone say of NWAY's matches, and what NWAY says of them."""
    theirs = plain_floats(table["nway_p_i"])
    print("\nprobability of NWAY's matches by our formula (error of "
          f"{DEFAULT_SIGMA} arcsec, mean density, no magnitudes) and by NWAY (p_i)")
    for survey, number in OBJECTS.items():
        apart = plain_floats(table[f"nway_r_{survey}"])
        rows = np.isfinite(apart) & np.isfinite(theirs)
        density = number / (4 * np.pi * np.degrees(1) ** 2 * 3600**2)
        ours = match_probability(apart[rows], DEFAULT_SIGMA, np.arange(rows.sum()), density, 1.0)
        print(f"{survey:8s} {rows.sum():5d} sources: on the same side of 0.5 "
              f"{np.mean((ours > 0.5) == (theirs[rows] > 0.5)):.3f}, median difference "
              f"{np.median(np.abs(ours - theirs[rows])):.3f}, rank correlation "
              f"{spearmanr(ours, theirs[rows])[0]:.2f}, means {ours.mean():.3f} {theirs[rows].mean():.3f}")
    same, either = [], []
    for survey in OBJECTS:
        first, second = (plain_floats(table[f"{prefix}_r_{survey}"]) for prefix in ("mw", "nway"))
        both = np.isfinite(first) & np.isfinite(second)
        magnitude = {"gaia": "Gmag", "2mass": "Jmag", "allwise": "W1mag"}[survey]
        near, likely = (plain_floats(table[f"{prefix}_{magnitude}"]) for prefix in ("mw", "nway"))
        same.append(np.mean(np.abs(near - likely)[both] < 0.01))
        either.append(both.sum())
    print("the nearest and NWAY's likeliest are one object: " + ", ".join(
        f"{survey} {share:.3f} of {n}" for survey, share, n in zip(OBJECTS, same, either, strict=True)))


def what_latents_add(table, label, inputs, field, judged) -> list[float]:
    """Balanced accuracy of forests on all evidence, with hardness and with the latents besides."""
    from sklearn.ensemble import RandomForestClassifier

    evidence = np.concatenate(
        [inputs.groups[name].values for group in PIECES.values() for name in group], axis=1
    )
    fluxes = np.stack([plain_floats(table[f"flux_aper90_ave_{band}"]) for band in "smh"], axis=1)
    hardness = np.nan_to_num(hardness_ratios(fluxes))
    latents = plain_floats(table["xl_latent"])
    fold = grouped_folds(label, field, N_FOLDS, 1)
    accuracy = []
    for parts in ((evidence, hardness), (evidence, hardness, latents)):
        x, best = np.concatenate(parts, axis=1), np.zeros(len(label), int)
        for number in range(N_FOLDS):
            forest = RandomForestClassifier(300, class_weight="balanced_subsample", min_samples_leaf=3,
                                            random_state=1)
            forest.fit(x[fold != number], label[fold != number])
            best[fold == number] = forest.predict(x[fold == number])
        accuracy.append(np.mean([(best[judged & (label == k)] == k).mean() for k in range(len(CLASSES))]))
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


def write_page(path: Path, scores: dict) -> None:
    """Put the table between the page's marks."""
    rows = [f'   "{name.replace("|", chr(92) + "|")}", ' + ", ".join(f'"{value}"' for value in (
        f"{s['balanced accuracy']:.3f} +- {s['+-']:.3f}", f"{s['AUC']:.3f} +- {s['AUC +-']:.3f}",
        f"{s['log loss']:.2f} / {s['log loss flat']:.2f}", f"{s['ECE']:.3f} / {s['ECE flat']:.3f}"))
        for name, s in scores.items() if name in PAGE]
    table = ["", ".. csv-table::", '   :header: "evidence", "balanced accuracy", "AUC AGN / compact", '
             '"log loss, natural / flat prior", "ECE, natural / flat"', "", *rows, "", ""]
    before, _, rest = path.read_text(encoding="utf-8").partition(_MARKS[0] + "\n")
    after = rest.partition(_MARKS[1])[2]
    path.write_text(before + _MARKS[0] + "\n" + "\n".join(table) + _MARKS[1] + after, encoding="utf-8")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table")
    parser.add_argument("--seeds", type=int, default=3, help="dealings of fields to folds (default: 3)")
    parser.add_argument("--page", type=Path, help="page of the docs whose table is renewed")
    args = parser.parse_args()
    table, inputs, label, _, field, spectrum = labeled_inputs(read_table(args.table), "class_label")
    seeds = range(1, args.seeds + 1)
    judged = plain_floats(table["significance"]) > SIGNIFICANCE
    runs = [one_seed(table, inputs, label, field, spectrum, seed) for seed in seeds]
    print(f"{len(label)} rows learned from, {judged.sum()} judged, {field.max() + 1} fields, {args.seeds} "
          f"dealings of fields to {N_FOLDS} folds; spectra by {table['xl_model'][0]}; "
          f"penalty chosen on all rows: {chosen(inputs, label, field, spectrum, 1)}")
    print(f"{'':44s} balanced acc.    AUC AGN/compact  log loss    ECE\n"
          f"{'':44s}                                  natural flat  natural flat")
    scores = {name: {key: np.mean([run[0][name][key] for run in runs]) for key in runs[0][0][name]}
              for name in runs[0][0]}
    for name, values in scores.items():
        print(line(name, values))
    least = least_error(runs[0][1][judged], label[judged])
    print(f"perfect probabilities would show an ECE, flat, of {least.mean():.3f} (95 %: "
          f"{np.quantile(least, 0.95):.3f}) on these rows")
    best, peer = [run[1].argmax(axis=1) for run in runs], peer_rows(table)
    part = judged & (peer >= 0)
    theirs = [np.mean(peer[part & (label == k)] == k) for k in range(len(CLASSES))]
    print(f"the peer's leave-one-out predictions, its {part.sum()} rows: {np.mean(theirs):.3f}")
    print("class       rows  recall  precision   recall of the peer and ours on its rows")
    for k, name in enumerate(CLASSES):
        true = judged & (label == k)
        ours = np.mean([np.mean(b[part & true] == k) for b in best])
        recall = np.mean([np.mean(b[true] == k) for b in best])
        precision = np.mean([np.mean(label[judged & (b == k)] == k) for b in best])
        print(f"{name:10s} {true.sum():5d}    {recall:.2f}     {precision:.2f}        "
              f"{theirs[k]:.2f}  {ours:.2f}")
    without, with_ = what_latents_add(table, label, inputs, field, judged)
    print(f"forest on all evidence and three hardness ratios: {without:.3f}; with the latents, too: "
          f"{with_:.3f} (difference {with_ - without:+.3f})")
    match_agreement(table)
    judge_survey(table[judged], label[judged], field[judged], spectrum[judged])
    if args.page:
        write_page(args.page, scores)


if __name__ == "__main__":
    main()
