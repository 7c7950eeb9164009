# Licensed under a 3-clause BSD style license - see LICENSE
"""The model card: what a model is, what it was trained on, what it cannot do."""

from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.train.calibrate import LIGHT_BATCHES, ROWS
from astro_xlatent.train.stream import PLAN

__all__ = ["model_card"]

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


def _imperfections(without):
    used = [piece for piece in PIECES if piece not in without]
    return f"made imperfect in {', '.join(used)}" if used else "without errors of calibration"


def _teacher(training):
    if training["start_from"]:
        return f"Teacher and decoder of {training['start_from']}, whose encoder was the start"
    return f"{training['teacher_steps']} steps of the teacher"


def model_card(info, n_parameters, notes=""):
    """A model card in reStructuredText, of ``config.json``; metrics are added once they are measured."""
    title = f"Model card: {info['name']}-{info['version']}"
    training = info["training"]
    names = {"csc": "Chandra ACIS", "erosita": "eROSITA", "xmm": "XMM-Newton EPIC"}
    return _TEMPLATE.format(
        title=title, line="=" * len(title), latent_space=info["latent_space"],
        parameters=f"{n_parameters:,}", instruments=training["instruments"],
        missions=", ".join(names.get(m, m) for m in info["missions"]),
        teacher=_teacher(training), encoder_steps=training["encoder_steps_done"],
        rows=training["batches_per_step"] * sum(part.rows for part in PLAN), seed=training["seed"],
        calibration=ROWS * LIGHT_BATCHES * training["calibration_batches"],
        imperfections=_imperfections(training["without"]),
        notes=f"**This run.** {notes}\n\n" if notes else "")
