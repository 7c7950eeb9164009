# Licensed under a 3-clause BSD style license - see LICENSE
"""Training of the encoder on simulated observations."""

import math
import signal
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional

from astro_xlatent.core.errors import ModelError
from astro_xlatent.core.files import replacing
from astro_xlatent.model.network import HEADS, Encoder
from astro_xlatent.train.batches import steps

__all__ = ["LOSS_WEIGHTS", "encoder_losses", "stop_requests", "train_encoder"]

#: Weight of every term beside the log score of the latents.
LOSS_WEIGHTS = {"latent": 1.0, "classes": 1.0, "nh": 0.5, "index": 0.2, "kt": 0.2}
# Share of the running average of the weights that a step leaves, and steps in which the rate rises.
AVERAGING, _WARM_UP = 0.999, 200
# Steps in a row whose gradient may be infinite or NaN before the run is given up.
_PATIENCE = 20


def encoder_losses(encoder, teacher, arrays, device="cpu", half=False):
    """
    Terms of the loss of `observation_arrays`: ``latent``, minus the log density of the teacher's latents, and
    cross entropies of the heads. ``half`` runs the encoder in brain floats where that is harmless.
    """
    tensors = {name: torch.as_tensor(values).to(device) for name, values in arrays.items()}
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
        out = encoder(tensors, tensors["reference"])
    out = {name: values.float() for name, values in out.items()}
    with torch.no_grad():
        target = teacher(tensors["teacher_input"])
    whitened = torch.einsum("bij,bi->bj", out["precision_chol"], target - out["mean"])
    log_det = torch.diagonal(out["precision_chol"], dim1=1, dim2=2).log().sum(1)
    label = tensors["class_index"]
    # -1 is equal to none. No indexing: its gradient is not deterministic on every device.
    is_class = (label[:, None] == torch.arange(out["classes"].shape[1], device=label.device)).float()
    losses = {
        "latent": (0.5 * whitened.square().sum(1).clamp(max=400) - log_det).mean(),
        "classes": -(is_class * functional.log_softmax(out["classes"], 1)).sum() / is_class.sum(),
    }
    for name, head in HEADS.items():
        wanted = head.target(tensors[head.column], out[name].shape[1])
        losses[name] = functional.cross_entropy(out[name], wanted)
    return losses


def train_encoder(settings, teacher, recipe, folder, *, device="cpu", initial=None, log=print,
                  deadline=math.inf):
    """
    Train, or go on from the folder's checkpoint; gives the encoder (averaged weights) and the steps it had.
    At ``deadline``, of `time.monotonic`, or on SIGINT or SIGTERM it stops with a checkpoint.
    """
    torch.manual_seed(settings.seed)
    encoder = Encoder(settings.network())
    encoder.load_state_dict(encoder.state_dict() | (initial or {}))
    run = _Run(settings, encoder.to(device), teacher.to(device), Path(folder) / "encoder.safetensors", log)
    if run.path.exists():
        run.restore()
        log(f"encoder goes on at step {run.step} of {settings.encoder_steps}")
    numbers = range(run.step, settings.encoder_steps if time.monotonic() < deadline else run.step)
    workers = settings.n_workers if numbers else 0
    with stop_requests() as stop, closing(steps(recipe, numbers, workers)) as feed:
        for groups in feed:
            run.advance(groups)
            stopping = stop() or time.monotonic() > deadline
            if run.step % settings.save_every == 0 or run.step == settings.encoder_steps or stopping:
                run.save()
            if stopping:
                break
    encoder.load_state_dict(run.average)
    teacher.to("cpu")
    return encoder.to("cpu"), run.step


class _Run:
    """The state of a training run: what a checkpoint holds."""

    def __init__(self, settings, encoder, teacher, path, log):
        self.settings, self.encoder, self.teacher, self.path, self.log = settings, encoder, teacher, path, log
        self.device = next(encoder.parameters()).device
        self.optimizer = torch.optim.AdamW(encoder.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
        self.average = {k: v.clone() for k, v in encoder.state_dict().items()}
        self.step, self.failed = 0, 0
        self.running, self.rows, self.began = {}, 0, None

    def advance(self, groups):
        """One step of the optimizer over all groups of rows."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * _schedule(self.step, self.settings.encoder_steps)
        self.optimizer.zero_grad()
        rows, report = sum(len(g["class_index"]) for g in groups), {}
        for arrays in groups:
            share = len(arrays["class_index"]) / rows
            losses = encoder_losses(self.encoder, self.teacher, arrays, self.device,
                                    self.settings.precision == "bfloat16")
            (share * sum(LOSS_WEIGHTS[k] * v for k, v in losses.items())).backward()
            for name, value in losses.items():
                report[name] = report.get(name, 0.0) + share * value.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 2.0)
        if torch.isfinite(norm):
            self.optimizer.step()
            self._update_average()
            self._tell(rows, {k: v.item() for k, v in report.items()})
            self.failed = 0
        else:
            self.log(f"encoder step {self.step}: the gradient is not finite; step left out")
            self.failed += 1
        self.step += 1
        if self.failed >= _PATIENCE:
            msg = (f"the gradient was not finite in {_PATIENCE} steps to {self.step}; go on from the last "
                   "checkpoint of another folder, with a smaller learning_rate or precision float32")
            raise ModelError(msg)

    @torch.no_grad()
    def _update_average(self):
        decay = min(AVERAGING, (1 + self.step) / (10 + self.step))
        for name, value in self.encoder.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1 - decay)

    def _tell(self, rows, losses):
        """Running means of the losses, every 50 steps with the speed."""
        for name, value in losses.items():
            self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
        if self.began is None:
            # What it takes to start all processes says nothing of the speed.
            self.began, rows = time.monotonic(), 0
        self.rows += rows
        if self.step % 50 == 0 or self.step + 1 == self.settings.encoder_steps:
            text = "  ".join(f"{k} {v:.4f}" for k, v in self.running.items())
            seconds = time.monotonic() - self.began
            self.log(f"encoder step {self.step} of {self.settings.encoder_steps}: {text}  "
                     f"[{seconds:.0f} s, {self.rows / max(seconds, 1e-9):.0f} observations/s]")

    def save(self):
        """Write the state of the run whole or not at all."""
        tensors = {f"encoder.{k}": v for k, v in self.encoder.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with replacing(self.path) as path:
            save_file(tensors, path, metadata={"step": str(self.step)})

    def restore(self):
        """Load the state of the run."""
        tensors = load_file(self.path)
        parts = {"encoder": {}, "average": {}, "optimizer": {}}
        for key, value in tensors.items():
            part, name = key.split(".", 1)
            parts[part][name] = value
        self.encoder.load_state_dict(parts["encoder"])
        self.average = {k: v.to(self.device) for k, v in parts["average"].items()}
        state = {}
        for key, value in parts["optimizer"].items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
        with safe_open(self.path, "pt") as file:
            self.step = int(file.metadata()["step"])


@contextmanager
def stop_requests():
    """Turn the first interrupt in the main thread into a request to stop; yields whether there was one."""
    seen = []

    def remember(number, frame):
        seen.append(number)
        # The second one interrupts as ever.
        signal.signal(number, before[number])

    main = threading.current_thread() is threading.main_thread()
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM) if main}
    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _schedule(step, n_steps):
    """Linear warm-up, then a cosine down to 1 %."""
    if step < _WARM_UP:
        return (step + 1) / _WARM_UP
    progress = (step - _WARM_UP) / max(1, n_steps - _WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
