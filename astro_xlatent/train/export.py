# Licensed under a 3-clause BSD style license - see LICENSE
"""Writing a model folder with its card, and copying one into the package."""

import json
import shutil
from pathlib import Path

import numpy as np

from astro_xlatent.core.files import building_folder
from astro_xlatent.model.build import FORMAT, build_model, file_digests
from astro_xlatent.model.bundled import BUNDLED
from astro_xlatent.model.pretrained import folder_digest, save_tensors
from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.simulate.populations import CLASSES
from astro_xlatent.spectra.bins import FINE_EDGES, EnergyBins
from astro_xlatent.train.calibrate import LIGHT_BATCHES, ROWS
from astro_xlatent.train.stream import PLAN

__all__ = ["bundle", "export_model", "model_card"]

_TEMPLATE = """\
{title}
{line}

License of the weights: CC-BY-4.0. Library: astro_xlatent. Latent space: ``{latent_space}``.

**What it is.** A transformer encoder from energy bins (a spectrum with its response, or the bands
of a catalog) to a Gaussian posterior of eight latents of the incident spectrum's shape, with
densities of N_H, photon index and temperature and probabilities of nine classes; a decoder from
latents to the incident spectrum; and the teacher that defines the latents. {parameters} parameters.

**Intended use.** Screening, clustering, matching and starting values for tables and spectra of X-ray
sources seen by {missions}. It is no replacement for a spectral fit of a bright source.

**Training data.** Simulated sources only: physical models of eight classes and of "other" with
parameters from the literature, some of them adjusted within the literature's range to the hardness
of real Chandra sources in one half of the sky (the MATCH fields), and a share of generic mixtures,
observed through {instruments} responses (real ARF and RMF files and the curves shipped with the
package) with simulated background and Poisson noise, {imperfections}.
No real spectrum and no real catalog row was trained on. Evidence beside the spectrum, which is off by
default, has a card of its own.

**Training.** {teacher}; {encoder_steps} steps of the encoder of
{rows} observations each; seed {seed}. Calibration: {calibration} simulated observations of each
mode that took no part in training, of which a quarter was folded and fitted, for fluxes and fits.

{notes}**Evaluation.** ``python -m benchmarks.studies.simulated`` prints scores on fresh simulations (in a
checkout), ``astro-xlatent evaluate TABLE`` on labeled rows, beside baselines and with error bars.

**Known failures and limits.**

- Classes are defined by the simulated populations. Sources of other kinds should fall under "other"
  or be flagged as outliers, but a spectrum that looks like one of the eight classes is taken for it.
- With three bands, classes overlap strongly; probabilities say so. NS and LMXB are rarely the
  most probable class there.
- N_H is that of a single neutral screen at redshift zero. Below about 1e20 cm-2 it is a limit.
  Compton-thick sources and those dominated by scattered light come out too low.
- Intervals of N_H hold the truth as often as they say among sources of like counts, all classes
  together. Within one class they need not: those of massive stars are too narrow where the photons do
  not tell the class, and those of some classes too wide or too narrow for bright sources, too.
- Eight latents absorb small mistakes of the response: a gain that is off by a few per cent mostly
  passes unnoticed.
- Above about 10,000 counts the errors of the latents are those of the network more than those of the
  photons; fit such spectra.
- Extended sources, piled-up spectra, gratings, and responses of missions other than those above are
  outside the training and flagged where that can be told.
- The literature's classes are of selected sources; no probability here knows how common a class is
  in the sky unless a prior is given.
"""


def export_model(folder, settings, step, modules, tables, instruments, log=print):
    """Write a model folder whole or not at all, ``modules`` by name, and check that it loads; gives it."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    info = {
        "format": FORMAT,
        **{name: getattr(settings, name) for name in ("name", "version", "latent_space")},
        "classes": list(CLASSES),
        "missions": sorted({i.mission for i in instruments}),
        "network": vars(modules["encoder"].config),
        "training": vars(settings) | {
            "encoder_steps_done": step, "instruments": len(instruments),
            # Where it lay says nothing elsewhere.
            "start_from": Path(settings.start_from).name},
    }
    with building_folder(folder.parent) as building:
        temporary = building / folder.name
        temporary.mkdir()
        save_tensors(temporary / "weights.safetensors", modules)
        _write_json(temporary / "calibration.json", tables)
        info["files"] = file_digests(temporary)
        _write_json(temporary / "config.json", info)
        model = build_model(temporary, "cpu")
        _write_json(temporary / "selftest.json", _selftest_vector(model))
        n_parameters = sum(p.numel() for m in modules.values() for p in m.parameters())
        card = model_card(info, n_parameters, settings.notes)
        (temporary / "MODEL_CARD.rst").write_text(card, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    log(f"model written to {folder}, sha256 {folder_digest(folder)}")
    return folder


def model_card(info, n_parameters, notes=""):
    """A model card in reStructuredText, of ``config.json``; metrics are added once they are measured."""
    title = f"Model card: {info['name']}-{info['version']}"
    training = info["training"]
    start = training["start_from"]
    used = [piece for piece in PIECES if piece not in training["without"]]
    names = {"csc": "Chandra ACIS", "erosita": "eROSITA", "xmm": "XMM-Newton EPIC"}
    return _TEMPLATE.format(
        title=title, line="=" * len(title), latent_space=info["latent_space"],
        parameters=f"{n_parameters:,}", instruments=training["instruments"],
        missions=", ".join(names.get(m, m) for m in info["missions"]),
        teacher=f"Teacher and decoder of {start}, whose encoder was the start" if start else
        f"{training['teacher_steps']} steps of the teacher", encoder_steps=training["encoder_steps_done"],
        rows=training["batches_per_step"] * sum(part.rows for part in PLAN), seed=training["seed"],
        calibration=ROWS * LIGHT_BATCHES * training["calibration_batches"],
        imperfections=f"made imperfect in {', '.join(used)}" if used else "without errors of calibration",
        notes=f"**This run.** {notes}\n\n" if notes else "")


def _write_json(path, content):
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _selftest_vector(model):
    """A few made-up rows of bins and what the model says of them."""
    rng = np.random.default_rng(8)
    edges = FINE_EDGES[::6]
    shape = (4, edges.size - 1)
    e_lo, e_hi = (np.broadcast_to(e, shape) for e in (edges[:-1], edges[1:]))
    area = np.broadcast_to(4e6 * np.exp(-0.5 * (np.log(np.sqrt(edges[:-1] * edges[1:]) / 1.5)) ** 2), shape)
    flux = 3e-5 * e_lo ** -np.array([[1.0], [2.0], [3.0], [1.5]])
    bins = EnergyBins(
        e_lo=e_lo, e_hi=e_hi, counts=rng.poisson(area * flux * (e_hi - e_lo) + 1), background=np.ones(shape),
        background_error=np.full(shape, 0.3), area=area, resolution=np.full(shape, 0.12),
        valid=np.arange(shape[1]) < np.array([[shape[1]], [shape[1]], [12], [5]]))
    posterior = model.infer(bins)
    return {"bins": {k: np.asarray(v).tolist() for k, v in vars(bins).items()},
            "latent": posterior.latent.tolist(), "class_prob": posterior.class_prob.tolist()}


def bundle(model_folder, package_folder):
    """Copy a model into a checkout and make it the default, in ``model/bundled.py``; gives its name."""
    model_folder, package_folder = Path(model_folder), Path(package_folder)
    info = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))
    name = f"{info['name']}-{info['version']}"
    target = package_folder / "model" / "weights" / name
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(model_folder, target)
    # The default first, as `available_models` lists them.
    digests = {name: ""} | BUNDLED | {name: folder_digest(target)}
    digests = {k: v for k, v in digests.items() if (target.parent / k).is_dir()}
    lines = "".join(f'    "{key}": "{value}",\n' for key, value in digests.items())
    path = package_folder / "model" / "bundled.py"
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("#: Digest of every")]
    path.write_text(
        f"{head}#: Digest of every bundled model folder, by model name.\nBUNDLED = {{\n{lines}}}\n\n"
        f'#: The model that is used unless another is named.\nDEFAULT = "{name}"\n', encoding="utf-8")
    return name
