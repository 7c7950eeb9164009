# Licensed under a 3-clause BSD style license - see LICENSE
"""
Average the encoders of training runs that began with the same weights.

The average of weights that were trained apart from a common start is often
better than each (Wortsman et al. 2022, arXiv:2203.05482), and what the runs
differ by is the error of the training. Prints the losses of every run and of
their average on the same fresh observations, none of which is drawn by
training, calibration or tests; their differences are paired.

    python tools/average_runs.py RUN RUN ... -o OUT [--data DATA] [--batches 40]

Runs are folders of ``astro-xlatent train``, of one teacher. OUT becomes one
like them: ``astro-xlatent train --resume -o OUT`` with ``encoder_steps`` set to
the step that is printed calibrates the average and writes the model.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from astro_xlatent.model.build import load_modules
from astro_xlatent.model.network import Encoder
from astro_xlatent.model.pretrained import replace_file
from astro_xlatent.simulate.instruments import default_instruments, load_instruments
from astro_xlatent.train.encoder import LOSS_WEIGHTS, encoder_losses
from astro_xlatent.train.run import Settings
from astro_xlatent.train.stream import training_batch

# Far from the seeds of training, calibration and tests.
SEED = 13_000_019


def running_average(run):
    """Weights of a run's encoder, averaged over its last steps, and its step."""
    path = run / "encoder.safetensors"
    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path)
    return {k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")}, step


def mean_weights(states):
    """Mean of every tensor; whole numbers are taken from the first."""
    return {name: torch.stack([s[name] for s in states]).mean(dim=0) if value.is_floating_point() else value
            for name, value in states[0].items()}


@torch.no_grad()
def losses(config, states, teacher, instruments, n_batches):
    """Total loss and its terms, a list over batches, for every state."""
    encoders = []
    for state in states:
        encoder = Encoder(config)
        encoder.load_state_dict(state)
        encoders.append(encoder.eval())
    found = [{} for _ in states]
    for counter in range(n_batches):
        parts = training_batch(SEED, counter, instruments)
        rows = sum(len(bins) for bins, _ in parts)
        for encoder, terms in zip(encoders, found, strict=True):
            batch = {}
            for bins, sources in parts:
                for name, value in encoder_losses(encoder, teacher, bins, sources).items():
                    batch[name] = batch.get(name, 0.0) + len(bins) / rows * value.item()
            batch["total"] = sum(LOSS_WEIGHTS[name] * value for name, value in batch.items())
            for name, value in batch.items():
                terms.setdefault(name, []).append(value)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with real ARF and RMF files")
    parser.add_argument("--batches", type=int, default=40)
    args = parser.parse_args()
    if args.output.exists():
        parser.error(f"{args.output} exists; give a folder that does not")
    teachers = {(run / "teacher.safetensors").read_bytes() for run in args.runs}
    if len(teachers) > 1:
        parser.error("the runs have different teachers, so their latents differ; give runs of one teacher")
    states, steps = zip(*(running_average(run) for run in args.runs), strict=True)
    states = [*states, mean_weights(states)]
    config = Settings().network()
    teacher, _ = load_modules(config, args.runs[0] / "teacher.safetensors", ("teacher", "decoder"))
    instruments = default_instruments()
    if args.data is not None:
        instruments += load_instruments(args.data, lambda line: None)
    found = losses(config, states, teacher, instruments, args.batches)
    names = [*(f"{run.name}, step {step}" for run, step in zip(args.runs, steps, strict=True)), "average"]
    print(f"{'':24s}" + "".join(f"{term:>10s}" for term in found[0]) + "   total above the average's")
    for name, terms in zip(names, found, strict=True):
        excess = np.array(terms["total"]) - np.array(found[-1]["total"])
        error = excess.std() / max(np.sqrt(excess.size - 1), 1)
        print(f"{name:24s}" + "".join(f"{np.mean(v):10.4f}" for v in terms.values())
              + f"   {excess.mean():+.4f} +- {error:.4f}")
    args.output.mkdir(parents=True)
    shutil.copy(args.runs[0] / "teacher.safetensors", args.output)
    tensors = {f"{kind}.{k}": v.clone() for kind in ("encoder", "average") for k, v in states[-1].items()}
    replace_file(args.output / "encoder.safetensors",
                 lambda path: save_file(tensors, path, metadata={"step": str(max(steps))}))
    print(f"{args.output}: go on with encoder_steps={max(steps)}")


if __name__ == "__main__":
    main()
