# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fits from our starting values against fits from Sherpa's own.

    python benchmarks/bench_sherpa_guess.py ../shared/data [--simulated 200] [--model NAME]

For every real spectrum of ``spectra/inventory.csv`` that can be fitted, and
for simulated sources observed with their responses: the same source model is
fitted twice with levmar, from `astro_xlatent.sherpa.guess` and from Sherpa's
defaults after Sherpa's ``guess``. 0.5-7 keV, ungrouped; wstat with a
background, else cstat. A fit fails if Sherpa says so or if it ends more than
one above the better of the two. For real spectra also: the predicted column
beside that of a fitted absorbed power law, and the statistic of a fitted
`LatentSpectrum` beside the best physical model. The tables are RST, for
``--output docs/sherpa_benchmark.txt``.
"""

import argparse
import csv
import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BAND = (0.5, 7.0)
FAILED = 1.0
MISSIONS = ("Chandra", "XMM-Newton", "eROSITA", "Swift", "ASCA")


@dataclass
class Fit:
    """How one fit went."""

    start: float
    statistic: float
    evaluations: int
    seconds: float
    succeeded: bool
    dof: int


def fit(session):
    """Fit data set 1 from where its parameters are."""
    start, begin = session.calc_stat(1), time.perf_counter()
    try:
        session.fit(1)
    except Exception as error:
        print(f"  fit raised {type(error).__name__}: {error}")
        return Fit(start, np.inf, 0, time.perf_counter() - begin, False, 0)
    result = session.get_fit_results()
    return Fit(start, result.statval, result.nfev, time.perf_counter() - begin, result.succeeded, result.dof)


def to_sherpas_start(session):
    """Default values and limits of all parameters, then Sherpa's guess of the emission."""
    source = session.get_source(1)
    for par in source.pars:
        if not par.frozen:
            par.set(val=par.default_val, min=par.hard_min, max=par.hard_max)
    for part in source.parts:
        kind = type(part)()
        for par, fresh in zip(part.pars, kind.pars):
            par.set(val=fresh.val, min=fresh.min, max=fresh.max)
    session.guess(1, source.parts[1])


def both_fits(session, model):
    """Our guess and its seconds, the fit from it, and the fit from Sherpa's start."""
    from astro_xlatent.sherpa import guess

    begin = time.perf_counter()
    done = guess(1, session, model=model)
    seconds = time.perf_counter() - begin
    ours = fit(session)
    to_sherpas_start(session)
    return done, seconds, ours, fit(session)


def new_session(statistic):
    """An empty session with levmar."""
    from sherpa.astro.ui.utils import Session

    session = Session()
    session.set_method("levmar")
    session.set_stat(statistic)
    return session


def load_real(row, folder):
    """A session with one spectrum of the inventory."""
    place = folder / row["folder"]
    session = new_session("cstat")
    session.load_pha(1, str(place / row["pha"]))
    data = session.get_data(1)
    if data.get_response()[1] is None:
        session.load_rmf(1, str(place / row["rmf"]))
        if row["arf"]:
            session.load_arf(1, str(place / row["arf"]))
    if not data.background_ids and row["bkg"] and not row["bkg"].startswith("in-file"):
        session.load_bkg(1, str(place / row["bkg"]))
    session.ungroup(1)
    session.notice_id(1, *BAND)
    if data.background_ids and data.backscal is not None:
        session.set_stat("wstat")
    return session


def real_spectra(folder):
    """Name and session of every spectrum that can be fitted; the others are named with the reason."""
    with open(folder / "spectra" / "inventory.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        name = Path(row["folder"]).name
        if row["mission"] not in MISSIONS or "HRC" in row["instrument"]:
            continue
        try:
            yield name, load_real(row, folder)
        except Exception as error:
            print(f"left out {name}: {type(error).__name__}: {str(error)[:100]}")


def compare_real(folder, model):
    """One line a spectrum, and the fits."""
    from astro_xlatent.core.errors import XlatentError
    from astro_xlatent.sherpa import predict

    lines, fits = [], []
    for name, session in real_spectra(folder):
        try:
            predicted = predict(1, session, model=model)[0]
            done, seconds, ours, theirs = both_fits(session, model)
        except XlatentError as error:
            print(f"left out {name}: {error}")
            continue
        fits.append((seconds, ours, theirs))
        column, power = power_law(session, predicted, done)
        latent = latent_fit(session, model)
        best = min(ours.statistic, theirs.statistic, power.statistic)
        lines.append([
            name, f"{session.calc_data_sum(*BAND, id=1):.0f}", predicted["xl_class"],
            f"{np.log10(predicted['xl_nh']):.2f} ({np.log10(predicted['xl_nh_lolim']):.2f}, "
            f"{np.log10(predicted['xl_nh_hilim']):.2f})",
            f"{np.log10(column):.2f}" if column > 1e19 else "0", done.family, f"{ours.evaluations}",
            f"{theirs.evaluations}", f"{ours.start - best:.1f}", f"{theirs.start - best:.1f}",
            f"{best:.1f} / {ours.dof}", f"{latent.statistic - best:+.1f}",
        ])
        print(*lines[-1], sep=", ", flush=True)
    return lines, fits


def power_law(session, predicted, done):
    """Column in cm-2 of a fitted absorbed power law, and the fit."""
    from astro_xlatent.sherpa import XLPowerlaw, XLTbabs

    absorber, power = XLTbabs("nh"), XLPowerlaw("pl")
    absorber.nH, power.PhoIndex = max(done.nh / 1e22, 1e-3), 1.8
    session.set_source(1, absorber * power)
    session.guess(1, power)
    result = fit(session)
    return absorber.nH.val * 1e22, result


def latent_fit(session, model):
    """Fit of the decoder from the prediction."""
    from astro_xlatent.sherpa import LatentSpectrum, predict

    source = LatentSpectrum("latent", model)
    source.set_latent(predict(1, session, model=model))
    session.set_source(1, source)
    session.guess(1, source)
    return fit(session)


def simulated(folder, model, n, seed):
    """Fits of simulated sources through the real Chandra, XMM and eROSITA responses."""
    from astro_xlatent.simulate.populations import CLASSES, draw_sources

    rng = np.random.default_rng(seed)
    sources = draw_sources(np.arange(n) % len(CLASSES), rng)
    templates = []
    for name, session in real_spectra(folder):
        data = session.get_data(1)
        if data.get_response()[0] is not None and str(data.header.get("TELESCOP", "")).upper()[:3] in (
                "CHA", "XMM", "ERO") and name != "source1":
            templates.append(data)
    fits, groups = [], []
    for number in range(n):
        session = fake(templates[number % len(templates)], sources.spectrum[number], rng)
        done, seconds, ours, theirs = both_fits(session, model)
        fits.append((seconds, ours, theirs))
        groups.append(session.calc_data_sum(*BAND, id=1))
    return fits, np.array(groups)


def fake(data, spectrum, rng):
    """A session with Poisson counts of an incident spectrum, 30 to 3,000 of them in the band."""
    from sherpa.astro.data import DataPHA

    from astro_xlatent.sherpa.convert import response_from_sherpa

    arf, rmf = data.get_response()
    response = response_from_sherpa(arf, rmf).on_grid()
    rate = np.maximum(response.fold(spectrum.astype(float)), 0)
    middle = 0.5 * (response.channel_e_lo + response.channel_e_hi)
    inside = (middle > BAND[0]) & (middle < BAND[1])
    wanted = np.exp(rng.uniform(np.log(30), np.log(3000)))
    exposure = 1e4
    counts = rng.poisson(rate / rate[inside].sum() * wanted)
    pha = DataPHA("simulated", data.channel, counts, exposure=exposure, backscal=1.0, areascal=1.0,
                  header=dict(data.header))
    pha.set_response(arf, rmf)
    session = new_session("cstat")
    session.set_data(1, pha)
    session.set_analysis(1, "energy")
    session.notice_id(1, *BAND)
    return session


def summary(name, fits):
    """One line: evaluations, seconds, excess of the start and of the end, failures."""
    ours, theirs = ([f[i] for f in fits] for i in (1, 2))
    best = np.array([min(a.statistic, b.statistic) for a, b in zip(ours, theirs)])
    cells = [name, f"{len(fits)}", f"{1e3 * np.median([f[0] for f in fits]):.0f}"]
    for kind in (ours, theirs):
        excess = np.array([f.statistic for f in kind]) - best
        failed = np.array([not f.succeeded for f in kind]) | ~(excess <= FAILED)
        cells += [f"{np.median([f.evaluations for f in kind]):.0f}",
                  f"{1e3 * np.median([f.seconds for f in kind]):.0f}",
                  f"{np.median(np.array([f.start for f in kind]) - best):.1f}",
                  f"{100 * failed.mean():.1f} %"]
    better = np.array([a.statistic - b.statistic for a, b in zip(ours, theirs)])
    return [*cells, f"{np.sum(better < -0.1)} / {np.sum(better > 0.1)}"]


def rst_table(title, head, lines):
    """An RST list-table as text."""
    text = f"\n.. list-table:: {title}\n   :header-rows: 1\n\n"
    for line in [head, *lines]:
        text += "".join(f"   {'  ' if i else '* '}- {cell}\n" for i, cell in enumerate(line))
    return text


def main():
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("folder", type=Path, help="folder that holds spectra/inventory.csv")
    parser.add_argument("--simulated", type=int, default=200, help="number of simulated sources")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated sources")
    parser.add_argument("--model", default=None, help="model name or folder")
    parser.add_argument("--output", type=Path, help="file for the tables, docs/sherpa_benchmark.txt")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import sherpa.astro.ui  # noqa: F401 (sets the level of its logger, which is then set again)

    from astro_xlatent.model.pretrained import load_model

    logging.getLogger("sherpa").setLevel(logging.CRITICAL)
    model = load_model(options.model)
    print(model)
    lines, real = compare_real(options.folder, model)
    rows = [summary("real spectra", real)]
    if options.simulated:
        fits, counts = simulated(options.folder, model, options.simulated, options.seed)
        rows.append(summary("simulated sources", fits))
        for low, high in ((30, 100), (100, 500), (500, 3500)):
            chosen = [f for f, c in zip(fits, counts) if low <= c < high]
            if chosen:
                rows.append(summary(f"of them {low} to {high} counts", chosen))
    text = f"Made by ``benchmarks/bench_sherpa_guess.py`` with the model {model.name} {model.version}.\n"
    text += rst_table("Fits from both starts (medians)", [
        "", "fits", "guess [ms]", "evaluations, ours", "fit [ms]", "start above best", "failed",
        "evaluations, Sherpa's", "fit [ms]", "start above best", "failed", "ours / Sherpa's end lower"], rows)
    text += rst_table("Real spectra", [
        "spectrum", "counts", "class", "log N_H predicted (68 %)", "power-law fit", "guessed model",
        "evaluations, ours", "Sherpa's", "start above best, ours", "Sherpa's", "best statistic / dof",
        "fitted LatentSpectrum"], lines)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
