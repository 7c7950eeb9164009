# Licensed under a 3-clause BSD style license - see LICENSE
"""
What each part of the model is worth: variants, trained and judged alike.

`run_ablation` trains every variant with the same small budget on the same
simulated observations and scores all on the same fresh ones. Each result is
written as soon as it is there; the same call goes on where a run was cut.
Short runs of small networks rank choices only roughly.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.numbers import random_stream
from astro_xlatent.evaluate.regression import regressors
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.network import Config, Encoder, Teacher
from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import save_tensors
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.simulate.instruments import default_instruments, load_instruments
from astro_xlatent.simulate.observe import merge_randomly
from astro_xlatent.simulate.populations import Sources
from astro_xlatent.train.batches import observation_arrays
from astro_xlatent.train.encoder import LOSS_WEIGHTS, encoder_losses
from astro_xlatent.train.stream import draw_training_sources, teacher_input
from astro_xlatent.train.teacher import new_decoder, train_teacher
from benchmarks.ablation.data import (
    MODES,
    TRAIN_ROWS,
    draw_observation,
    flat_area,
    merged_rows,
    observe,
)
from benchmarks.ablation.paper_style import PaperAutoencoder, paper_input, paper_scale, to_fine_grid
from benchmarks.ablation.plain_vae import KL_WEIGHT, cash_of_counts, divergence, draw_latents
from benchmarks.ablation.scores import COUNTS, excess_cash, hardness_features, head_answers, judge

__all__ = ["BASELINE", "REFERENCE", "VARIANTS", "AblationSettings", "Variant", "run_ablation"]

REFERENCE = "reference"
BASELINE = "hardness ratios"
# Far from the seeds of training batches.
_JUDGE_SEED, _BRIGHT_SEED, _BASELINE_SEED = 9_000_001, 9_000_002, 9_000_003
# Rows encoded at once, to bound memory.
_CHUNK = 256
_HEADS = ("classes", "nh", "index", "kt")


@dataclass(frozen=True)
class AblationSettings:
    """The budget, the same for every variant."""

    steps: int = 700
    teacher_steps: int = 500
    teacher_batch: int = 256
    pool: int = 15000
    #: Batches of fresh observations; after these they come again, with other merges.
    batches: int = 600
    rows: int = 2000
    bright_rows: int = 320
    width: int = 48
    n_layers: int = 2
    decoder_width: int = 128
    rate: float = 3e-3

    def network(self, n_latent):
        """Sizes of the networks."""
        return Config(n_latent=n_latent, width=self.width, n_layers=self.n_layers,
                      decoder_width=self.decoder_width)


@dataclass(frozen=True)
class Variant:
    """One choice that differs from the reference; ``off`` names loss terms left out."""

    name: str
    n_latent: int = 8
    kind: str = "teacher"
    seed: int = 1
    off: tuple = ()
    teacher_off: tuple = ()
    area: bool = True
    merges: bool = True
    decoder: str = "physical"

    @property
    def teacher_key(self):
        """What the teacher depends on."""
        off = "".join(f"-no-{name}" for name in self.teacher_off)
        return f"{self.n_latent}-{self.decoder}-{self.seed}{off}"


#: The most telling comparisons first.
VARIANTS = (
    Variant(REFERENCE),
    Variant("paper-style", kind="paper"),
    Variant("4 latents", n_latent=4),
    Variant("no area input", area=False),
    Variant("no teacher", kind="vae"),
    Variant("no heads", off=_HEADS),
    Variant("2 latents", n_latent=2),
    Variant("16 latents", n_latent=16),
    Variant("plain MLP decoder", decoder="mlp"),
    Variant("reference, other seed", seed=2),
    Variant("no random merges", merges=False),
    Variant("6 latents", n_latent=6),
    Variant("12 latents", n_latent=12),
    Variant("teacher without labels", teacher_off=_HEADS),
    Variant("no class loss", off=("classes",)),
    Variant("no N_H loss", off=("nh",)),
    Variant("no index loss", off=("index",)),
    Variant("no kT loss", off=("kt",)),
    Variant("heads alone", off=("latent",)),
)


class MlpDecoder(torch.nn.Module):
    """Latents to the logarithm of the incident spectrum, without any physics."""

    def __init__(self, config):
        super().__init__()
        self.register_buffer("rotation", torch.eye(config.n_latent))
        self.register_buffer("offset", torch.zeros(config.n_latent))
        width = config.decoder_width
        self.net = torch.nn.Sequential(
            torch.nn.Linear(config.n_latent, width), torch.nn.GELU(),
            torch.nn.Linear(width, width), torch.nn.GELU(), torch.nn.Linear(width, N_ENERGY))

    def forward(self, z):
        """Photons per grid bin, shape (B, E), with arbitrary normalization."""
        return torch.exp(self.net(z @ self.rotation.T + self.offset).clamp(-30, 30))

    def in_cells(self, starts):
        """The same decoder with cells of several grid bins, see `Decoder.in_cells`."""
        return _Cells(self, starts)


class _Cells(torch.nn.Module):
    """A decoder, averaged over cells of grid bins."""

    def __init__(self, decoder, starts):
        super().__init__()
        self.decoder = decoder
        self.sizes = np.diff([*starts, N_ENERGY]).tolist()

    def forward(self, z):
        """Mean photons per grid bin in every cell, shape (B, n_cells)."""
        return torch.stack([part.mean(-1) for part in self.decoder(z).split(self.sizes, dim=-1)], -1)


@dataclass
class Laboratory:
    """What all variants share: settings, responses, batches and judged rows."""

    settings: AblationSettings
    instruments: list
    folder: Path
    log: object
    _batches: dict = field(default_factory=dict)
    _judged: dict = field(default_factory=dict)

    def batch(self, step):
        """Observations of one training step."""
        counter = step % self.settings.batches
        if counter not in self._batches:
            self._batches[counter] = [
                draw_observation(mode, rows, self.instruments, (counter, k))
                for k, (mode, rows) in enumerate(TRAIN_ROWS.items())]
        return self._batches[counter]

    def judged(self, name):
        """Rows to judge by, drawn once; ``spectra``, ``bands``, or ``bright`` spectra of 1,000 counts."""
        if name not in self._judged:
            self._judged[name] = self._draw(name)
        return self._judged[name]

    def _draw(self, name):
        if name == "bright":
            return draw_observation("spectra", self.settings.bright_rows, self.instruments, (_BRIGHT_SEED,),
                                    (1000.0, 1000.0))
        seed = (_JUDGE_SEED, MODES.index(name))
        return draw_observation(name, self.settings.rows, self.instruments, seed, COUNTS)

    def twin(self, name):
        """The judged sources through the same responses, with 20,000 counts."""
        seed = (_JUDGE_SEED, MODES.index(name))
        return observe(name, self.judged(name).sources, self.instruments, seed, (20000.0, 20000.0))


@dataclass
class Trained:
    """Networks of a variant; None where it has none."""

    encoder: object = None
    decoder: object = None
    teacher: object = None
    paper: object = None


# --- training ---------------------------------------------------------------


def _train(variant, lab):
    """Networks of a variant, ready to be judged."""
    config = lab.settings.network(variant.n_latent)
    if variant.kind == "paper":
        torch.manual_seed(variant.seed)
        trained = Trained(paper=PaperAutoencoder(config))
        _fit([trained.paper], lambda step: _paper_losses(trained.paper, lab, step), lab)
    elif variant.kind == "vae":
        torch.manual_seed(variant.seed)
        trained = Trained(Encoder(config), new_decoder(config))
        _fit([trained.encoder, trained.decoder], lambda step: _vae_losses(trained, lab, step), lab)
    else:
        teacher, decoder = _teacher(variant, config, lab)
        torch.manual_seed(variant.seed)
        trained = Trained(Encoder(config), decoder, teacher)
        _fit([trained.encoder], lambda step: _encoder_losses(trained, variant, lab, step), lab)
    for module in (trained.encoder, trained.decoder, trained.paper):
        if module is not None:
            module.requires_grad_(False).eval()
    return trained


def _teacher(variant, config, lab):
    """Teacher and decoder; those of the reference are kept for the variants that share them."""
    path = lab.folder / f"teacher-{variant.teacher_key}.safetensors"
    if path.exists():
        return load_modules(config, path, ("teacher", "decoder"))
    settings = lab.settings
    pool = draw_training_sources(settings.pool, random_stream(variant.seed, "teacher"))
    pool = _without_labels(pool, variant.teacher_off)
    torch.manual_seed(variant.seed)
    own = {"decoder": MlpDecoder(config)} if variant.decoder == "mlp" else {}
    teacher, decoder = train_teacher(
        config, pool, [i.matrix for i in lab.instruments], settings.teacher_steps, lab.log, variant.seed,
        batch=settings.teacher_batch, **own)
    for module in (teacher, decoder):
        module.requires_grad_(False).eval()
    if variant.teacher_key == VARIANTS[0].teacher_key:
        with replacing(path) as temporary:
            save_tensors(temporary, {"teacher": teacher, "decoder": decoder})
    return teacher, decoder


def _without_labels(pool, names):
    """Sources of which the named labels say nothing: all of one class, values unknown."""
    truth = {k: np.array(v) for k, v in pool.truth.items()}
    for name, column in (("nh", "nh"), ("index", "photon_index"), ("kt", "kt")):
        if name in names:
            truth[column] = np.full(len(pool), np.nan)
    index = np.zeros_like(pool.class_index) if "classes" in names else pool.class_index
    return Sources(pool.spectrum, index, truth)


def _fit(modules, losses, lab):
    """Minimize: ``losses(step)`` yields what is added up in one step."""
    settings = lab.settings
    parameters = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=0.15)
    began, average = time.monotonic(), np.nan
    for step in range(settings.steps):
        optimizer.zero_grad()
        total = 0.0
        for loss in losses(step):
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        schedule.step()
        # Of a part without any labeled source the cross entropy is NaN, its gradient zero.
        if np.isfinite(total):
            average = 0.98 * average + 0.02 * total if np.isfinite(average) else total
        if step % 100 == 0 or step == settings.steps - 1:
            lab.log(f"  step {step}: loss {average:.4f} [{time.monotonic() - began:.0f} s]")


def _encoder_losses(trained, variant, lab, step):
    """Loss of the encoder on every part of a batch, as `train.encoder` has it."""
    bands, spectra = lab.batch(step)
    parts = [(bands.bins, bands.sources)]
    parts += (merged_rows(spectra, np.random.default_rng([variant.seed, step])) if variant.merges
              else [(spectra.bins, spectra.sources)])
    total = len(bands) + len(spectra)
    for bins, sources in parts:
        arrays = observation_arrays(_seen(variant, bins), sources)
        terms = encoder_losses(trained.encoder, trained.teacher, arrays)
        weighted = sum(LOSS_WEIGHTS[k] * v for k, v in terms.items() if k not in variant.off)
        yield len(bins) / total * weighted


def _seen(variant, bins):
    return bins if variant.area else flat_area(bins)


class _Listener:
    """An encoder that remembers its last output."""

    def __init__(self, encoder):
        self.encoder, self.config, self.out = encoder, encoder.config, None

    def __call__(self, *tensors):
        self.out = self.encoder(*tensors)
        return self.out


def _vae_losses(trained, lab, step):
    """Loss without a teacher: likelihood of the counts, divergence, and the heads as ever."""
    rng = np.random.default_rng([1, step])
    listener = _Listener(trained.encoder)
    batch = lab.batch(step)
    total = sum(len(observation) for observation in batch)
    for observation in batch:
        bins = observation.bins
        if observation.mode == "spectra":
            bins = merge_randomly(bins, rng, 146 if rng.random() < 0.2 else 32)
        terms = encoder_losses(listener, lambda x: torch.zeros(len(x), trained.encoder.config.n_latent),
                               observation_arrays(bins, observation.sources))
        mean, chol = listener.out["mean"], listener.out["precision_chol"]
        spectrum = trained.decoder(draw_latents(mean, chol))
        terms["latent"] = (0.5 * cash_of_counts(spectrum, observation)
                           + KL_WEIGHT * divergence(mean, chol)).mean()
        yield len(bins) / total * sum(LOSS_WEIGHTS[k] * v for k, v in terms.items())


def _paper_losses(paper, lab, step):
    spectra = lab.batch(step)[MODES.index("spectra")]
    counts = paper_input(spectra.bins, np.random.default_rng([1, step]))
    yield paper.loss(torch.as_tensor(paper_scale(counts)[0]))


# --- judging ----------------------------------------------------------------


def _judge_variant(variant, trained, lab):
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
    other = merge_randomly(spectra.bins, np.random.default_rng([_JUDGE_SEED, 7]), 32)
    # bins of any width come as they are, not merged further by the model
    answers = _answers(variant, trained, spectra, other, coarsen=False)
    sets["other bins"] = (spectra, _honest(variant, answers))
    return {
        name: judge(o.sources.truth, o.sources.class_index, answers, _JUDGE_SEED, regress=name in MODES)
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
    seen = _seen(variant, bins)
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
        return paper_scale(paper_input(observation.bins, np.random.default_rng([_JUDGE_SEED, 11])))

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
    return {"spectra": judge(sources.truth, sources.class_index, answers, _JUDGE_SEED)}


def _judge_hardness(lab):
    """
    Scores of hardness ratios: the same probes; as "heads", forests trained on other rows.

    The forests get four times as many rows as are judged.
    """
    from sklearn.ensemble import RandomForestClassifier

    scores = {}
    for k, mode in enumerate(MODES):
        observation = lab.judged(mode)
        train = draw_observation(mode, 4 * lab.settings.rows, lab.instruments, (_BASELINE_SEED, k), COUNTS)
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
        scores[mode] = judge(observation.sources.truth, observation.sources.class_index, answers, _JUDGE_SEED)
    return scores


# --- the run ----------------------------------------------------------------


def run_ablation(folder, settings=None, *, only=None, data=None, log=print):
    """
    Train and judge every variant that has no result yet.

    Parameters
    ----------
    folder : path-like
        Of results, one file a variant; made if needed.
    settings : AblationSettings, optional
        The budget.
    only : str, optional
        Name of the single variant (or `BASELINE`) to treat.
    data : path-like, optional
        Folder of ARF and RMF files to observe through, beside the shipped
        curves.
    log : callable, optional
        Receives progress lines.

    Returns
    -------
    results : list of dict
        What is in the folder, in the order of `VARIANTS`, the baseline first.

    Raises
    ------
    ParameterError
        If ``only`` is unknown, or the folder holds results of other settings.
    """
    settings = settings or AblationSettings()
    folder = Path(folder)
    names = [BASELINE, *(v.name for v in VARIANTS)]
    if only is not None and only not in names:
        msg = f"only is {only!r}; variants: {', '.join(names)}"
        raise ParameterError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder, settings, data)
    by_name = {v.name: v for v in VARIANTS}
    todo = [n for n in (names if only is None else [only]) if not _path(folder, n).exists()]
    lab = None
    for name in todo:
        lab = lab or Laboratory(settings, _instruments(data, log), folder, log)
        began = time.process_time()
        log(f"{name} ...")
        if name == BASELINE:
            scores = _judge_hardness(lab)
        else:
            scores = _judge_variant(by_name[name], _train(by_name[name], lab), lab)
        result = {"name": name, "seconds": round(time.process_time() - began, 1), "scores": scores}
        _write_json(_path(folder, name), result)
        log(f"{name}: {result['seconds']:.0f} s of CPU")
    paths = [_path(folder, n) for n in names]
    return [json.loads(p.read_text(encoding="utf-8")) for p in paths if p.exists()]


def _instruments(data, log):
    return default_instruments() + ([] if data is None else load_instruments(data, log))


def _path(folder, name):
    return folder / f"variant-{''.join(c if c.isalnum() else '-' for c in name)}.json"


def _write_json(path, content):
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _check_settings(folder, settings, data):
    """Results of one folder must be comparable."""
    path = folder / "settings.json"
    own = asdict(settings) | {"responses": "shipped curves" if data is None else "shipped curves and files"}
    if not path.exists():
        _write_json(path, own)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    different = [f"{k} {found.get(k)!r} there, {own.get(k)!r} now"
                 for k in sorted({*own, *found}) if own.get(k) != found.get(k)]
    if different:
        msg = f"{folder} holds results of other settings ({'; '.join(different)}); give another folder"
        raise ParameterError(msg)
