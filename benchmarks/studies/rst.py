# Licensed under a 3-clause BSD style license - see LICENSE
"""What pages made of results share: labels of their sections, and reStructuredText."""

import json
import math
import re
from pathlib import Path

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.results import Number, Results

__all__ = ["AGN", "EIGHT", "FOREST", "csv_lines", "escaped", "one_model", "read_results"]

#: Sections of `astro_xlatent.evaluate.real.evaluate_table`, and its baseline.
EIGHT = "8 classes, folds by sky field"
AGN = "AGN against LMXB, HMXB, CV, NS, folds by sky field"
FOREST = "energy-flux hardness, random forest"


def escaped(text):
    """Text with what is special in reStructuredText escaped."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def csv_lines(rows):
    """Rows of a ``csv-table``."""
    return ["   " + ", ".join(f'"{escaped(cell)}"' for cell in row) for row in rows]


def one_model(results, rows):
    """Name of the model that all results are of, where there are rows to tell of it."""
    models = sorted({result.facts.get("model", "?") for result in results})
    if len(models) != 1 or not rows:
        msg = (f"results of the models {', '.join(models) or 'none'} hold {len(rows)} of the numbers wanted; "
               "give files of one model: astro-xlatent evaluate ... -o OUT.json, and "
               "python -m benchmarks.studies.simulated -o OUT.json")
        raise ParameterError(msg)
    return models[0]


def read_results(path):
    """`Results` from what their `write` made of the suffix ``.json``; another file is refused."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        numbers = [Number(**{k: math.nan if v is None else v for k, v in n.items()})
                   for n in content.pop("numbers")]
        return Results(numbers=numbers, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path}: not a file of results ({error}); make one: astro-xlatent evaluate ... -o OUT.json"
        raise ParameterError(msg) from error
