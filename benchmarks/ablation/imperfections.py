# Licensed under a 3-clause BSD style license - see LICENSE
"""
What each imperfection of simulated observations is worth on real ones.

``python -m benchmarks.ablation.imperfections DATA -o FOLDER [--start MODEL] [--steps N] [--workers N]
[--only NAME ...]`` lets the encoder of a model that knows perfect observations alone go on N steps:
without imperfections, with one of `astro_xlatent.simulate.imperfections.PIECES`, and with all. Sources,
instruments and noise are the same in every run. Each is judged on the open spectra and on Chandra's
labeled detections and fits in MATCH fields, with the calibration of the newest model; behind every value
stand its difference to "none" and the standard deviation of that over resampled spectra or rows.
A run that was cut goes on, and one that is done is not trained again.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.missions.csc import CSC
from astro_xlatent.model.network import Encoder
from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.table.add_latents import add_latents
from astro_xlatent.train.run import train
from astro_xlatent.train.settings import Settings
from benchmarks.judge_real import DETECTIONS
from benchmarks.judge_recipes import columns_of, read_rows
from benchmarks.labels import load_detections
from benchmarks.sky import MATCH, load_sky
from benchmarks.studies.open_spectra import compare_spectra, with_answers

NONE, ALL = "none", "all"
VARIANTS = {NONE: (), **{piece: (piece,) for piece in PIECES}, ALL: PIECES}
#: Repeats of the bootstrap, and the smallest probability of a class that is told from zero.
REPEATS, LEAST = 300, 1e-4
RECIPES = ("photon flux", "energy flux")


def encoder_of(name, args):
    """The encoder of one variant, trained where it is not there."""
    folder = args.output / name.replace(" ", "_")
    settings = Settings(name=f"ablation-{name}", seed=11, encoder_steps=args.steps, learning_rate=4e-4,
                        calibration_batches=0, start_from=args.start, workers=args.workers, device="cpu",
                        without=tuple(p for p in PIECES if p not in VARIANTS[name]), save_every=50)
    done = folder / "done"
    if not done.exists():
        train(args.data, folder, settings, instruments=args.output / "instruments.npz",
              resume=(folder / "train.log").exists(), threads=1)
        done.touch()
    weights = load_file(folder / "encoder.safetensors")
    encoder = Encoder(settings.network())
    encoder.load_state_dict({k[8:]: v for k, v in weights.items() if k.startswith("average.")})
    return encoder


def with_encoder(model, encoder):
    """The model with another encoder and its own calibration."""
    return Model(model.info, encoder, model.decoder, model.teacher, model.calibration)


class Judged:
    """Real observations, read once, that every variant is judged on."""

    def __init__(self, data):
        self.spectra = [item for item in compare_spectra(data) if not item.refused]
        labeled, sky = load_detections(data / DETECTIONS), load_sky(data)
        match = sky.side(labeled.column("ra"), labeled.column("dec")) == MATCH
        self.labeled = labeled.keep(match & np.isin(labeled.label, CLASSES), "JUDGE")
        table, _, split = read_rows(data, 100_000)
        fitted = np.isfinite(plain_floats(table["powlaw_nh"])) & (split == MATCH)
        self.fits = table[fitted]

    def scores(self, model):
        """Values a spectrum or row, by score: higher is better for logarithms and shares."""
        found = add_latents(self.labeled.table, mission="csc", model=model)
        usable = np.isfinite(plain_floats(found["xl_nh"]))
        other = plain_floats(found["xl_class_other"])
        given = np.ma.filled(np.ma.asarray(found["xl_class_prob"]).astype(float), np.nan)
        column = np.array([CLASSES.index(label) for label in self.labeled.label])
        right = (1 - other) * given[np.arange(len(column)), column]
        values = {"MATCH detections: ln p of the label": np.where(
            usable, np.log(np.maximum(right, LEAST)), np.nan)}
        for recipe in RECIPES:
            got = columns_of(add_latents(self.fits, mission=CSC(recipes=(recipe,)), model=model), self.fits)
            values |= {
                f"MATCH fits, {recipe}: |log N_H - fit|, fit > 1e21": np.where(
                    got["large fit"], np.abs(got["difference"]), np.nan),
                f"MATCH fits, {recipe}: N_H > 1e21, fit < 1e21": np.where(
                    got["small fit"], got["nh"] > 21, np.nan)}
        return self._spectra(model) | values

    def _spectra(self, model):
        items = with_answers(self.spectra, model)
        return {
            "open spectra: ln p of the literature's class": np.array(
                [item.log_probability if item.classes else np.nan for item in items]),
            "open spectra: N_H inside the 90 % interval": np.array([float(item.inside) for item in items]),
            "open spectra: |log N_H - fit|": np.array(
                [abs(np.log10(item.found["xl_nh"]) - item.fit.log_nh) if item.measured else np.nan
                 for item in items])}


def table_lines(scores):
    """A block a score: value and difference to "none" of every variant."""
    lines = []
    for score in scores[NONE]:
        base = scores[NONE][score]
        lines.append(f"{score}  (n {np.isfinite(base).sum()})")
        for name, found in scores.items():
            both = np.isfinite(found[score]) & np.isfinite(base)
            apart = (found[score] - base)[both]
            draws = np.random.default_rng(1).choice(apart, (REPEATS, apart.size)).mean(axis=1)
            lines.append(f"  {name:12s} {np.nanmean(found[score]):7.3f}   {apart.mean():+.3f} "
                         f"+- {draws.std():.3f}")
    return lines


def main():
    """Train what is missing, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--start", default="xlatent-0.3", metavar="MODEL")
    parser.add_argument("--steps", type=int, default=250, help="of 256 observations")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS), metavar="NAME")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    args.output.mkdir(parents=True, exist_ok=True)
    encoders = {name: encoder_of(name, args) for name in VARIANTS if name in args.only or name == NONE}
    model, judged = load_model(device="cpu"), Judged(args.data)
    scores = {}
    for name, encoder in encoders.items():
        scores[name] = judged.scores(with_encoder(model, encoder))
        print(f"judged {name}", file=sys.stderr, flush=True)
    text = "\n".join([f"{args.steps * 256:,} observations each, from {args.start}", *table_lines(scores)])
    print(text)
    (args.output / "scores.json").write_text(json.dumps(
        {name: {k: v.tolist() for k, v in found.items()} for name, found in scores.items()}))


if __name__ == "__main__":
    main()
