# Licensed under a 3-clause BSD style license - see LICENSE
"""
Damaged model folders: each is refused by a `ModelError` or says what the whole one says.

Run ``python -m benchmarks.attack.models 1000`` for the count of outcomes:
``refused``; ``same``; ``changed``, loaded with other results; ``foreign``, any
other exception.
"""

import argparse
import json
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.pretrained import (
    CHECKED_FILES,
    DEFAULT,
    load_model,
    model_folder,
)
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins

__all__ = ["attack", "damage"]

# Differences of latents and probabilities below it are nothing.
SAME = 1e-3
_JSON = [name for name in CHECKED_FILES if name.endswith(".json")]
_VALUES = (None, "", "x", True, -1, 0, 3, 1e300, float("nan"), float("inf"), 10**400, [], {}, [[1, 2], [3]],
           "\0\x1b[2J", [None], {"a": 1})


def damage(folder: Path, seed: int) -> str:
    """
    Damage one file of a model folder.

    Parameters
    ----------
    folder : Path
        Changed in place.
    seed : int
        The same seed does the same damage.

    Returns
    -------
    what : str
        In words.
    """
    rng = np.random.default_rng([8, seed])
    kind = (_cut, _flip, _overwrite, _remove, _edit, _edit, _edit, _tensor, _tensor)[rng.integers(9)]
    return kind(folder, rng)


def _pick(folder: Path, rng: np.random.Generator) -> Path:
    return folder / CHECKED_FILES[rng.integers(len(CHECKED_FILES))]


def _cut(folder, rng):
    path = _pick(folder, rng)
    size = int(path.stat().st_size * rng.random() ** 2)
    with open(path, "r+b") as file:
        file.truncate(size)
    return f"{path.name} cut to {size} bytes"


def _flip(folder, rng):
    path, n = _pick(folder, rng), int(2 ** rng.uniform(0, 8))
    data = np.fromfile(path, np.uint8)
    data[rng.integers(len(data), size=n)] ^= np.uint8(1) << rng.integers(8, size=n).astype(np.uint8)
    data.tofile(path)
    return f"{path.name}: {n} bits flipped"


def _overwrite(folder, rng):
    path = _pick(folder, rng)
    data = np.fromfile(path, np.uint8)
    start, n = rng.integers(len(data)), rng.integers(1, 4096)
    data[start:start + n] = rng.integers(256) if rng.random() < 0.5 else 0
    data.tofile(path)
    return f"{path.name}: {n} bytes from {start} overwritten"


def _remove(folder, rng):
    path = _pick(folder, rng)
    path.unlink()
    how = ("removed", "empty", "a folder", "a loop of links")[rng.integers(4)]
    if how == "empty":
        path.touch()
    elif how == "a folder":
        path.mkdir()
    elif how == "a loop of links":
        path.symlink_to(path.name)
    return f"{path.name} is {how}"


def _edit(folder, rng):
    """Replace, drop or repeat one entry somewhere in a tree of JSON."""
    path = folder / _JSON[rng.integers(len(_JSON))]
    tree = node = json.loads(path.read_text(encoding="utf-8"))
    trail = []
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[rng.integers(len(keys))]
        trail.append(str(key))
        deeper = isinstance(node[key], (dict, list)) and len(node[key])
        if not deeper or rng.random() < 0.3:
            break
        node = node[key]
    how = ("replace", "replace", "drop", "repeat")[rng.integers(4)]
    if how == "drop":
        del node[key]
    elif how == "repeat" and isinstance(node, list):
        node.append(node[key])
    else:
        node[key] = _VALUES[rng.integers(len(_VALUES))]
    path.write_text(json.dumps(tree), encoding="utf-8")
    return f"{path.name}: {how} {'.'.join(trail)}"


def _tensor(folder, rng):
    """Change one tensor of the weights, in a file that is sound as such."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "weights.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    name = sorted(tensors)[rng.integers(len(tensors))]
    whole = tensors.pop(name)
    changes: dict[str, Callable] = {
        "NaN": lambda t: t.index_fill(0, torch.tensor(0), float("nan")) if t.is_floating_point() else -t,
        "infinite": lambda t: t * float("inf"), "huge": lambda t: t * 1e30, "zero": lambda t: t * 0,
        "cut": lambda t: t[1:], "turned": lambda t: t.T if t.ndim == 2 else t[None],
        "bytes": lambda t: t.to(torch.uint8),
        "half": lambda t: t.half(), "double": lambda t: t.double()}
    how = [*changes, "absent", "renamed"][rng.integers(len(changes) + 2)]
    if how == "renamed":
        tensors[f"{name}_"] = whole
    elif how != "absent":
        tensors[name] = changes[how](whole).contiguous()
    save_file(tensors, path)
    return f"weights: {name} {how}"


def _probe() -> tuple[EnergyBins, np.ndarray]:
    """Rows on the fine grid, faint and bright."""
    rng = np.random.default_rng(1)
    e_lo, e_hi = (np.broadcast_to(e, (3, N_FINE)) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    area = np.array([[1e6], [3e7], [1e9]]) * np.exp(-0.5 * np.log(e_lo / 1.5) ** 2)
    bins = EnergyBins(
        e_lo=e_lo, e_hi=e_hi, area=area,
        counts=rng.poisson(1e-5 * area * e_lo**-1.7 * (e_hi - e_lo) + 0.1).astype(float),
        background=np.full((3, N_FINE), 0.1), background_error=np.full((3, N_FINE), 0.03),
        resolution=np.full((3, N_FINE), 0.12), valid=e_lo > 0.4)
    return bins, bins.unfolded_weights()


def _answers(model, bins, matrices) -> np.ndarray:
    parts = []
    for posterior in (model.infer(bins, matrices), model.infer(bins.merge([0.5, 1.2, 2.0, 7.0]))):
        parts += [posterior.latent, posterior.class_prob, posterior.nh_density, posterior.outlier[:, None]]
    return np.concatenate([part.ravel() for part in parts])


def attack(n: int, first: int = 0, show: bool = False) -> Counter:
    """
    Damage n copies of the bundled model, load each and let it answer.

    Parameters
    ----------
    n : int
        Number of copies.
    first : int, optional
        First seed.
    show : bool, optional
        Print what was foreign or changed.

    Returns
    -------
    outcomes : Counter
        See the module's text.
    """
    whole, probe = model_folder(DEFAULT), _probe()
    expected = _answers(load_model(whole), *probe)
    outcomes = Counter()
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(first, first + n):
            folder = Path(home) / f"model-{seed}"
            shutil.copytree(whole, folder)
            what = damage(folder, seed)
            outcome, detail = _outcome(folder, probe, expected)
            outcomes[outcome] += 1
            if show and outcome in ("foreign", "changed"):
                print(f"{seed} {outcome}: {what}: {detail}")
            shutil.rmtree(folder)
    return outcomes


def _outcome(folder, probe, expected) -> tuple[str, str]:
    try:
        found = _answers(load_model(folder), *probe)
    except ModelError as error:
        # Which file it is must be said.
        return ("refused", "") if folder.name in str(error) else ("foreign", f"names no file: {error}")
    except Exception as error:  # whatever it is, it is counted
        return "foreign", f"{type(error).__name__}: {error}"
    largest = np.abs(found - expected).max()
    return ("same" if largest < SAME else "changed"), f"{largest:.3g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("n", type=int, nargs="?", default=1000, help="number of damaged folders")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    print(dict(attack(arguments.n, arguments.first, show=True)))
