# Licensed under a 3-clause BSD style license - see LICENSE
"""Model folders: loaded as they are now, refused when damaged, and nothing global touched."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from astro_xlatent import load_model
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.base import LatentModel
from astro_xlatent.model.build import (
    check_calibration,
    file_digests,
    numbers,
    read_json,
)
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.posterior import torch_threads
from astro_xlatent.model.pretrained import (
    DEFAULT,
    available_models,
    model_folder,
    selftest,
)
from benchmarks.attack.models import attack


@pytest.fixture
def folder(tmp_path):
    """A copy of the bundled model, the user's own."""
    return Path(shutil.copytree(model_folder(DEFAULT), tmp_path / "mine"))


def edit(path, change):
    """Change a JSON file in place, and let ``config.json`` vouch for the folder anew."""
    tree = json.loads(path.read_text())
    tree = change(tree) or tree
    path.write_text(json.dumps(tree))
    vouch(path.parent)


def vouch(folder):
    """Write the digests of the files as they are."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"files": file_digests(folder)}))


def test_selftest_of_the_released_model():
    """It gives what it gave when it was made."""
    assert selftest() < 1e-4
    assert available_models()[0] == DEFAULT


def test_a_model_is_a_model():
    """What is loaded has all that a model must have; a model given is returned as it is."""
    model = load_model()
    assert isinstance(model, LatentModel)
    assert load_model(model) is model
    assert load_model() is model
    with pytest.raises(ModelError, match="model is a int without name, version.*decode; give a name"):
        load_model(3)


def test_loading_and_inference_touch_nothing_global(folder, fine_rows):
    """Torch's and numpy's generators and torch's threads are as before, with any setting."""
    torch.manual_seed(3)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    with conf.set_temp("threads", 2):
        load_model(folder).infer(*fine_rows)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    assert torch.get_num_threads() == before[2]


def test_threads_are_restored_by_the_last_to_leave():
    """Of two inside at once, in either order of leaving, the first number comes back."""
    before = torch.get_num_threads()
    one, two = torch_threads(before + 1), torch_threads(before + 2)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    two.__exit__(None, None, None)
    assert torch.get_num_threads() == before


def test_no_rows_give_an_empty_posterior(fine_rows):
    """Shapes as with rows, for bands and for spectra."""
    bins, matrices = fine_rows
    model = load_model()
    for empty in (model.infer(bins[:0]), model.infer(bins[:0], matrices[:0])):
        assert len(empty) == 0
        assert empty.latent.shape == (0, 8)
        assert empty.class_prob.shape == (0, 9)
        assert empty.nh_quantiles([0.5]).shape == (0, 1)
        assert empty.flux["2_7"].shape == (0, 3)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_unknown_devices_are_refused(device):
    """By a message that says which, except none, which is the setting's."""
    if not device:
        assert str(load_model(device=device).device) == "cpu"
        return
    with pytest.raises(ModelError, match=f"device is '{device}'.*'cpu'"):
        load_model(device=device)


@pytest.mark.parametrize("name", ["no-such-model", "x" * 5000, "a\0b", "/dev/null"])
def test_unknown_names_list_the_known(name):
    """Whatever the name, the answer is which models there are."""
    with pytest.raises(ModelError, match=f"available: {DEFAULT}"):
        load_model(name)


def test_nan_in_weights_is_refused(folder):
    """The tensor is named."""
    tensors = {k: v.clone() for k, v in load_file(folder / "weights.safetensors").items()}
    tensors["decoder.continuum.bias"][3] = float("nan")
    save_file(tensors, folder / "weights.safetensors")
    vouch(folder)
    with pytest.raises(ModelError, match=r"weights.safetensors: decoder.continuum.bias holds NaN"):
        load_model(folder)


def test_other_weights_than_vouched_for_are_refused(folder):
    """Sound tensors, but not those that the configuration was written with."""
    tensors = {k: v.clone() for k, v in load_file(folder / "weights.safetensors").items()}
    tensors["decoder.continuum.bias"] += 0.01
    save_file(tensors, folder / "weights.safetensors")
    with pytest.raises(ModelError, match="weights.safetensors: sha256 is .* but config.json says"):
        load_model(folder)
    vouch(folder)
    load_model(folder)


def test_weights_that_answer_otherwise_are_refused(folder):
    """Finite weights of the right shape that fail the folder's own test rows."""
    tensors = {k: v.clone() for k, v in load_file(folder / "weights.safetensors").items()}
    tensors["encoder.embed.weight"] *= 1.5
    save_file(tensors, folder / "weights.safetensors")
    vouch(folder)
    with pytest.raises(ModelError, match="own test rows the model deviates by"):
        load_model(folder)


CONFIG = {
    "format 2": (lambda c: c | {"format": 2}, "model format 2.*reads 1"),
    "no name": (lambda c: c.pop("name") and None, "'name' is missing"),
    "name of spaces": (lambda c: c | {"name": "  "}, "'name' is empty"),
    "classes": (lambda c: c | {"classes": ["AGN"]}, r"classes are \['AGN'\]"),
    "missions": (lambda c: c | {"missions": [3]}, "missions are not all names"),
    "unknown size": (lambda c: c["network"].update(depth=3), r"unknown sizes \['depth'\]"),
    "huge": (lambda c: c["network"].update(width=10**9), "network width is 1000000000"),
    "heads": (lambda c: c["network"].update(n_heads=7), "width 96 is no multiple of n_heads 7"),
    "latents": (lambda c: c["network"].update(n_latent=9), "n_latent is 9, not an integer within 8 to 8"),
    "list": (lambda c: [], "holds no JSON object"),
    "truth": (lambda c: c["network"].update(n_layers=True), "n_layers is True"),
}


@pytest.mark.parametrize("case", CONFIG)
def test_damaged_configurations_are_refused(folder, case):
    """By the name of the file and of the entry."""
    change, message = CONFIG[case]
    path = folder / "config.json"
    tree = json.loads(path.read_text())
    changed = change(tree)
    path.write_text(json.dumps(tree if changed is None else changed))
    with pytest.raises(ModelError, match=f"config.json: .*{message}"):
        load_model(folder)


def at_nodes(tables, value):
    """The same value at every node."""
    return [value] * len(tables["nodes"])


CALIBRATION = {
    "no nodes": (lambda t: t.pop("nodes") and None, "nodes has shape"),
    "nodes fall": (lambda t: t | {"nodes": t["nodes"][::-1]}, "nodes do not increase"),
    "short": (lambda t: t["bands"].update(latent_scale=[1.0]), "bands latent_scale has shape"),
    "negative": (lambda t: t["bands"].update(latent_scale=at_nodes(t, -1.0)), "not within 0.0001 to 10000"),
    "ragged": (lambda t: t["spectra"]["gof"].__setitem__(0, [1.0]), "spectra gof has rows of unequal"),
    "words": (lambda t: t["bands"].update(class_level=at_nodes(t, "a")), "class_level holds something"),
    "disordered": (lambda t: t["spectra"]["gof"][0].reverse(), "spectra gof is not in order"),
    "no share": (lambda t: t["bands"].update(nh_share=at_nodes(t, [t["levels"]])),
                 "bands nh_share has shape"),
    "shares": (lambda t: t["bands"].update(nh_share=at_nodes(t, [t["levels"][::-1]] * 9)),
               "nh_share is not in order"),
    "weights": (lambda t: t["mixture"]["weight"].__setitem__(0, 0.9), "mixture weight does not sum"),
    "covariance": (lambda t: t["mixture"]["covariance"][0][0].__setitem__(0, -1), "is no covariance"),
    "prior": (lambda t: t["prior"]["nh"].__setitem__(0, 0.9), "prior nh does not sum to one"),
    "no mode": (lambda t: t.pop("bands") and None, "'bands' is missing"),
    "huge": (lambda t: t | {"levels": [0, 10**400]}, "levels holds something that is no number"),
}


@pytest.mark.parametrize("case", CALIBRATION)
def test_damaged_calibrations_are_refused(folder, case):
    """By the name of the file and of the table."""
    change, message = CALIBRATION[case]
    edit(folder / "calibration.json", change)
    with pytest.raises(ModelError, match=f"calibration.json: .*{message}"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "{", "[NaN]", '{"a": Infinity}', "[" * 100_000, "\xff"])
def test_broken_json_is_refused(tmp_path, text):
    """Of every kind by one error."""
    path = tmp_path / "broken.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="broken.json: "):
        read_json(path)


def test_numbers_keep_what_is_right(tmp_path):
    """Integers become floats; a free length takes any but none."""
    np.testing.assert_array_equal(numbers(tmp_path, "n", [[1, 2], [3, 4]], (None, 2)), [[1, 2], [3, 4]])
    assert numbers(tmp_path, "n", 3, ()) == 3
    with pytest.raises(ModelError, match=r"n has shape \(0,\), not any"):
        numbers(tmp_path, "n", [], (None,))


def test_calibration_round_trip(tmp_path, fine_rows, random_model):
    """Written and read again it corrects alike, and the tables of a new model pass the checks."""
    model = load_model()
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(model.calibration.tables))
    tables = read_json(path)
    check_calibration(path, tables, model.config)
    again = Calibration(tables)
    net = np.geomspace(1, 1e6, 30)
    for mode in ("bands", "spectra"):
        np.testing.assert_array_equal(again.at(mode, "latent_scale", net),
                                      model.calibration.at(mode, "latent_scale", net))
        logits = np.random.default_rng(1).normal(size=(30, 58))
        alike = np.random.default_rng(2).dirichlet(np.ones(9), 30)
        np.testing.assert_array_equal(again.density("nh", mode, net, logits, alike),
                                      model.calibration.density("nh", mode, net, logits, alike))
    check_calibration(path, json.loads(json.dumps(random_model.calibration.tables)), random_model.config)


@pytest.mark.filterwarnings("error")
def test_sixty_damaged_folders():
    """Refused or as the whole one, never another error, never another answer."""
    outcomes = attack(60)
    assert set(outcomes) <= {"refused", "same"}
    assert outcomes["refused"] > 30
