# Licensed under a 3-clause BSD style license - see LICENSE
"""
What each part of the model is worth: variants, trained and judged alike.

`~benchmarks.ablation.experiment.run_ablation` trains every variant with the same small budget on the same
simulated observations and scores all on the same fresh ones. Each result is
written as soon as it is there; the same call goes on where a run was cut.
Short runs of small networks rank choices only roughly.
"""

from dataclasses import dataclass, field
from pathlib import Path

from astro_xlatent.model.network import Config
from benchmarks.ablation.data import (
    MODES,
    TRAIN_ROWS,
    draw_observation,
    observe,
)
from benchmarks.ablation.scores import COUNTS

__all__ = ["BASELINE", "REFERENCE", "VARIANTS", "AblationSettings", "Laboratory", "Variant"]

REFERENCE = "reference"
BASELINE = "hardness ratios"
# Far from the seeds of training batches.
JUDGE_SEED, _BRIGHT_SEED, BASELINE_SEED = 9_000_001, 9_000_002, 9_000_003
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
        seed = (JUDGE_SEED, MODES.index(name))
        return draw_observation(name, self.settings.rows, self.instruments, seed, COUNTS)

    def twin(self, name):
        """The judged sources through the same responses, with 20,000 counts."""
        seed = (JUDGE_SEED, MODES.index(name))
        return observe(name, self.judged(name).sources, self.instruments, seed, (20000.0, 20000.0))
