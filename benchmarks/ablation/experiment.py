# Licensed under a 3-clause BSD style license - see LICENSE
"""Every variant trained and judged, each result kept as soon as it is there."""


import json
import time
from dataclasses import asdict
from pathlib import Path

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from astro_xlatent.simulate.instruments import default_instruments, load_instruments
from benchmarks.ablation.judging import judge_hardness, judge_variant
from benchmarks.ablation.training import train_variant
from benchmarks.ablation.variants import BASELINE, VARIANTS, AblationSettings, Laboratory

__all__ = ["run_ablation"]


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
            scores = judge_hardness(lab)
        else:
            scores = judge_variant(by_name[name], train_variant(by_name[name], lab), lab)
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
