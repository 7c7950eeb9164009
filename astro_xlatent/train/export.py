# Licensed under a 3-clause BSD style license - see LICENSE
"""Writing a model folder, and copying one into the package."""

import json
import shutil
from pathlib import Path

import numpy as np

from astro_xlatent.core.files import building_folder
from astro_xlatent.model.build import build_model
from astro_xlatent.model.bundled import BUNDLED
from astro_xlatent.model.check import FORMAT, file_digests
from astro_xlatent.model.pretrained import folder_digest, save_tensors
from astro_xlatent.simulate.populations import CLASSES
from astro_xlatent.spectra.bins import FINE_EDGES, EnergyBins
from astro_xlatent.train.card import model_card

__all__ = ["bundle", "export_model"]


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
