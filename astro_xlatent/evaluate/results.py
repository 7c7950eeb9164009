# Licensed under a 3-clause BSD style license - see LICENSE
"""Results of an evaluation: numbers with intervals, and notes, as text, JSON or ECSV."""

import json
import math
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.text import aligned

__all__ = ["Number", "Results"]


@dataclass(frozen=True)
class Number:
    """
    The analysis (``section``), what was measured, of which method with its features, on which rows and how
    many; value and 90 % interval, NaN where there is none.
    """

    section: str
    quantity: str
    method: str
    subset: str
    n: int
    value: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, section, quantity, method, subset, n, value, interval=(math.nan, math.nan)):
        """Make a number of numpy scalars."""
        return cls(section, quantity, method, subset, int(n), float(value), *(float(x) for x in interval))

    def text(self):
        """Value with interval, in words."""
        if not math.isfinite(self.value):
            return "-"
        value = f"{self.value:.3f}"
        return value if math.isnan(self.low) else f"{value} [{self.low:.3f}, {self.high:.3f}]"


@dataclass
class Results:
    """
    Numbers; facts on model, input and command; notes on what was left out, and why; matrices and curves
    (nested lists) for figures.
    """

    title: str
    facts: dict = field(default_factory=dict)
    numbers: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    arrays: dict = field(default_factory=dict)

    def add(self, numbers):
        """Append numbers."""
        self.numbers.extend(numbers)

    def find(self, section=None, quantity=None, method=None, subset=None):
        """Numbers that match all given names exactly."""
        wanted = {"section": section, "quantity": quantity, "method": method, "subset": subset}
        return [n for n in self.numbers if all(v in (None, getattr(n, k)) for k, v in wanted.items())]

    def text(self):
        """The report for a terminal."""
        lines = [self.title, "=" * len(self.title), ""]
        lines += [f"{name}: {value}" for name, value in self.facts.items()]
        for section in dict.fromkeys(n.section for n in self.numbers):
            lines += ["", section, "-" * len(section)]
            rows = [(n.quantity, n.method, n.subset, str(n.n), n.text()) for n in self.find(section)]
            lines.append(aligned([("quantity", "method", "rows", "n", "value [90 % interval]"), *rows]))
        if self.notes:
            lines += ["", "Notes", "-----", *(f"* {note}" for note in self.notes)]
        return "\n".join(lines)

    def write(self, path):
        """Write ``.json`` (everything) or ``.ecsv`` (the numbers); an existing file is replaced."""
        from astropy.table import Table

        path = Path(path)
        if path.suffix not in (".json", ".ecsv"):
            raise ParameterError(f"{path}: results are written as .json or .ecsv; give such a name")
        content = asdict(self)
        with replacing(path) as temporary:
            if path.suffix == ".ecsv":
                table = Table(rows=[astuple(n) for n in self.numbers] or None,
                              names=[f.name for f in fields(Number)],
                              meta={"title": self.title, **self.facts, "notes": self.notes})
                table.write(temporary, format="ascii.ecsv")
                return
            for number in content["numbers"]:
                number |= {k: None for k in ("value", "low", "high") if not math.isfinite(number[k])}
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
