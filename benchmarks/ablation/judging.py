# Licensed under a 3-clause BSD style license - see LICENSE
"""What a trained variant answers, and how it is scored."""



import numpy as np
import torch

from astro_xlatent.evaluate.regression import regressors
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.network import Teacher
from astro_xlatent.model.posterior import Model
from astro_xlatent.simulate.observe import merge_randomly
from astro_xlatent.train.stream import teacher_input
from benchmarks.ablation.data import (
    MODES,
    draw_observation,
)
from benchmarks.ablation.paper_style import paper_input, paper_scale, to_fine_grid
from benchmarks.ablation.scores import COUNTS, excess_cash, hardness_features, head_answers, judge
from benchmarks.ablation.training import seen_bins
from benchmarks.ablation.variants import BASELINE_SEED, JUDGE_SEED

__all__ = ["judge_hardness", "judge_variant"]

# Rows encoded at once, to bound memory.
_CHUNK = 256


def judge_variant(variant, trained, lab):
    """Scores of a variant by set of rows."""
    if trained.paper is not None:
        return _judge_paper(trained.paper, lab)
    sets = {}
    for name in MODES:
        observation = lab.judged(name)
        answers = _answers(variant, trained, observation, observation.bins)
        answers["target"] = _target(variant, trained, lab, name)
        if name == "spectra":
            answers |= _excess(variant, trained, lab)
        sets[name] = (observation, _honest(variant, answers))
    spectra = lab.judged("spectra")
    other = merge_randomly(spectra.bins, np.random.default_rng([JUDGE_SEED, 7]), 32)
    # bins of any width come as they are, not merged further by the model
    answers = _answers(variant, trained, spectra, other, coarsen=False)
    sets["other bins"] = (spectra, _honest(variant, answers))
    return {
        name: judge(o.sources.truth, o.sources.class_index, answers, JUDGE_SEED, regress=name in MODES)
        for name, (o, answers) in sets.items()
    }


def _model(trained):
    """The variant as the package's own `Model`, to encode and decode."""
    info = {"name": "", "version": "", "latent_space": "", "classes": (), "missions": ()}
    config = trained.encoder.config
    teacher = trained.teacher if trained.teacher is not None else Teacher(config)
    return Model(info, trained.encoder, trained.decoder, teacher, Calibration.identity(config))


def _answers(variant, trained, observation, bins, coarsen=None):
    """Latents with errors, and the heads."""
    model = _model(trained)
    coarsen = observation.mode == "spectra" and variant.merges if coarsen is None else coarsen
    seen = seen_bins(variant, bins)
    parts = [model.encode(seen[start:start + _CHUNK], coarsen) for start in range(0, len(bins), _CHUNK)]
    out = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    root = np.linalg.inv(out["precision_chol"])
    return {"latent": out["mean"], "error": np.sqrt((root**2).sum(axis=1)), **head_answers(out)}


def _target(variant, trained, lab, name):
    """What the latents should be: the teacher's; without one, those of the same source when bright."""
    if trained.teacher is None:
        twin = lab.twin(name)
        return _answers(variant, trained, twin, twin.bins)["latent"]
    with torch.no_grad():
        return trained.teacher(torch.as_tensor(teacher_input(lab.judged(name).sources.spectrum))).numpy()


def _honest(variant, answers):
    """Leave out what a variant was not trained for."""
    untrained = {"classes": "classes", "nh": "log_nh", "index": "photon_index"}
    drop = {untrained[k] for k in variant.off if k in untrained}
    if "latent" in variant.off:
        drop |= {"latent", "error", "target", "excess"}
    return {k: v for k, v in answers.items() if k not in drop}


def _excess(variant, trained, lab):
    """Excess Cash of reconstructions of 1,000 counts, and of the noise-free one at 10,000."""
    bright = lab.judged("bright")
    model = _model(trained)
    latent = _answers(variant, trained, bright, bright.bins)["latent"]

    def counts(z):
        return lambda rows, instrument: (model.decode(z[rows]) @ instrument.matrix.T, True)

    found = {"excess": excess_cash(bright, counts(latent))}
    if trained.teacher is not None:
        with torch.no_grad():
            z = trained.teacher(torch.as_tensor(teacher_input(bright.sources.spectrum))).numpy()
        found["decoder_excess"] = excess_cash(bright, counts(z), n_counts=10000.0)
    return found


@torch.no_grad()
def _judge_paper(paper, lab):
    """Scores of the paper-style model: spectra alone, probes alone."""
    def scaled(observation):
        return paper_scale(paper_input(observation.bins, np.random.default_rng([JUDGE_SEED, 11])))

    def latents(x):
        parts = [paper.encode(torch.as_tensor(x[k:k + _CHUNK])) for k in range(0, len(x), _CHUNK)]
        return torch.cat(parts).numpy().astype(float)

    observation, bright = lab.judged("spectra"), lab.judged("bright")
    x, low, span = scaled(bright)
    decoded = low + span * paper.decode(torch.as_tensor(latents(x), dtype=torch.float32)).numpy()
    fine = decoded @ to_fine_grid()[0]
    answers = {"latent": latents(scaled(observation)[0]),
               "excess": excess_cash(bright, lambda rows, instrument: (fine[rows].clip(0), False))}
    sources = observation.sources
    return {"spectra": judge(sources.truth, sources.class_index, answers, JUDGE_SEED)}


def judge_hardness(lab):
    """
    Scores of hardness ratios: the same probes; as "heads", forests trained on other rows.

    The forests get four times as many rows as are judged.
    """
    from sklearn.ensemble import RandomForestClassifier

    scores = {}
    for k, mode in enumerate(MODES):
        observation = lab.judged(mode)
        train = draw_observation(mode, 4 * lab.settings.rows, lab.instruments, (BASELINE_SEED, k), COUNTS)
        x, features = hardness_features(train), hardness_features(observation)
        index, truth = train.sources.class_index, train.sources.truth
        eight = (index >= 0) & (index < 8)
        slopes = np.isfinite(truth["photon_index"])
        forest = RandomForestClassifier(200, min_samples_leaf=5, random_state=1)
        regressor = regressors()["random forest"]
        answers = {
            "latent": features,
            "classes": forest.fit(x[eight], index[eight]).predict_proba(features),
            "log_nh": regressor.fit(x, np.log10(np.maximum(truth["nh"], 1e20))).predict(features),
            "photon_index": regressor.fit(x[slopes], truth["photon_index"][slopes]).predict(features),
        }
        scores[mode] = judge(observation.sources.truth, observation.sources.class_index, answers, JUDGE_SEED)
    return scores
