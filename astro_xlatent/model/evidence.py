# Licensed under a 3-clause BSD style license - see LICENSE
"""
Evidence beside the spectrum: small logistic models of a row's other columns.

The posterior is a product. Every *piece* (what X-ray catalogs know beside the spectrum, what counterparts
know) gives a factor for every class: its probability, divided by the class's frequency among the labeled
rows. Factors are raised to exponents that were fitted on fields of the sky that they had not seen, and
multiplied with the spectrum's.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import log_softmax, softmax

from astro_xlatent.core.errors import ModelError, ParameterError

__all__ = ["BUNDLED_EVIDENCE", "PIECES", "EvidenceModel", "Group", "Inputs", "Piece", "load_evidence",
           "pieces_of"]

#: Layout of evidence files that this version reads.
FORMAT = 1
#: The evidence model in the package.
BUNDLED_EVIDENCE = Path(__file__).parent / "weights" / "evidence" / "evidence.json"
#: Its SHA-256; ``astro-xlatent train-evidence --bundle`` prints the new one.
BUNDLED_SHA256 = "c4fb9ede24997086fa73482c47f74cedb52ea6b63948138966467455766ffae9"
#: Groups of columns by piece; the first are the row's own, the second those of other catalogs.
PIECES = {
    "xray": ("flux", "variability", "extent", "latitude", "nh_gal"),
    "counterparts": ("gaia", "2mass", "wise"),
}
#: Chance that a counterpart is not the source's, where no matcher tells.
WRONG_MATCH = 0.1
#: Largest log-odds, against the mean of the classes, that "searched, and none found" may carry.
#: What the labeled sources say (e^2.6 for a neutron star over an AGN) is how their table was made.
NONE_CAP = 1.0
#: Probability that no class falls below, before evidence is multiplied.
_TINY = 1e-6


@dataclass
class Group:
    """
    Columns that are known or unknown together: ``known`` (n,) is False where nobody has looked.

    ``values`` (n, features) are zero where a feature is missing although its group is known.
    """

    names: tuple
    values: np.ndarray
    known: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Group":
        return Group(self.names, self.values[rows], self.known[rows])


@dataclass
class Inputs:
    """
    What is known of every row beside its spectrum: groups by name.

    ``found`` (n,): whether there is a counterpart, ``wrong`` (n,): the chance that it is not the source's.
    """

    groups: dict
    found: np.ndarray
    wrong: np.ndarray

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, rows: np.ndarray) -> "Inputs":
        groups = {name: group[rows] for name, group in self.groups.items()}
        return Inputs(groups, self.found[rows], self.wrong[rows])

    def only(self, names: tuple, keep: np.ndarray | None = None) -> "Inputs":
        """The same rows with other groups, and those where ``keep`` (n, names) is False, unknown."""
        keep = np.ones((len(self), len(names)), bool) if keep is None else keep
        kept = dict(zip(names, keep.T, strict=True))
        groups = {name: Group(group.names, group.values, group.known & kept.get(name, False))
                  for name, group in self.groups.items()}
        return Inputs(groups, self.found, self.wrong)


@dataclass
class Piece:
    """A multinomial logistic model of some groups, which have one feature more, 1 where they are unknown."""

    groups: dict
    mean: np.ndarray
    scale: np.ndarray
    coefficient: np.ndarray
    intercept: np.ndarray

    def __post_init__(self):
        for name in ("mean", "scale", "coefficient", "intercept"):
            setattr(self, name, np.asarray(getattr(self, name), float))

    def log_factor(self, inputs: Inputs) -> np.ndarray:
        """Logarithm of every class's factor, (n, classes); all equal where every group is unknown."""
        logits = (design(inputs, self.groups) - self.mean) / self.scale @ self.coefficient.T + self.intercept
        known = np.any([inputs.groups[name].known for name in self.groups], axis=0)
        return log_softmax(np.where(known[:, None], logits, 0.0), axis=1)


def design(inputs: Inputs, groups: dict) -> np.ndarray:
    """Feature matrix of some groups: values where known, else 0, and a mark for unknown."""
    columns = []
    for name, features in groups.items():
        group = inputs.groups[name]
        if list(group.names) != list(features):
            msg = f"evidence {name!r} has features {list(group.names)}; the model knows {list(features)}"
            raise ModelError(msg)
        columns += [np.where(group.known[:, None], group.values, 0.0), ~group.known[:, None]]
    return np.concatenate(columns, axis=1).astype(float)


@dataclass
class EvidenceModel:
    """Pieces of evidence, and how they multiply."""

    name: str
    classes: tuple
    pieces: dict[str, Piece]
    #: By choice (a piece's name, or ``"all"``): those of ``"spectrum"`` and of each piece.
    exponents: dict[str, dict[str, float]]
    #: Provenance: rows, columns with their sources and licenses, scores.
    card: dict = field(default_factory=dict)

    def log_factors(self, inputs: Inputs) -> dict:
        """Factors of all pieces by name, with the floor and the cap, before exponents; (n, classes)."""
        return {name: guarded(piece.log_factor(inputs), inputs, name) for name, piece in self.pieces.items()}

    def powers(self, factors: dict) -> dict:
        """Exponent of the spectrum and of each factor by row, (n,); 0 of a factor that says nothing."""
        speaks = {name: np.ptp(factor, axis=1) > 0 for name, factor in factors.items()}
        number = sum(speaks.values())
        found = {name: np.zeros(len(number)) for name in factors} | {"spectrum": np.ones(len(number))}
        for choice in ("all", *factors):
            rows = number > 1 if choice == "all" else speaks[choice] & (number == 1)
            if rows.any():
                for name, power in found.items():
                    power[rows] = self.exponents[choice].get(name, 0.0)
        return found

    def combine(self, spectrum: np.ndarray, factors: dict) -> np.ndarray:
        """
        Class probabilities for equal priors from the spectrum's and some of `log_factors`, all (n, classes).

        Rows about which no piece knows anything keep the spectrum's.
        """
        powers = self.powers(factors)
        terms = factors | {"spectrum": np.log(np.maximum(spectrum, _TINY))}
        return softmax(sum(powers[name][:, None] * term for name, term in terms.items()), axis=1)

    def write(self, path: Path | str) -> None:
        """Write the model as JSON."""
        stored = {"format": FORMAT, "name": self.name, "classes": self.classes, "exponents": self.exponents,
                  "card": self.card, "pieces": {name: vars(piece) for name, piece in self.pieces.items()}}
        text = json.dumps(stored, indent=1, default=lambda array: np.round(array, 5).tolist())
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text + "\n", encoding="utf-8")


def guarded(log_factor: np.ndarray, inputs: Inputs, piece: str) -> np.ndarray:
    """
    Bound what a counterpart may say: it is the source's only with some probability.

    Where none was found, the log-odds are cut at `NONE_CAP`.
    """
    if piece != "counterparts":
        return log_factor
    right = np.where(inputs.found, 1 - inputs.wrong, 1.0)[:, None]
    mixed = np.log(right * np.exp(log_factor) + (1 - right) / log_factor.shape[1])
    odds = log_factor - log_factor.mean(axis=1, keepdims=True)
    none = log_softmax(np.clip(odds, -NONE_CAP, NONE_CAP), axis=1)
    return np.where(inputs.found[:, None], mixed, none)


def load_evidence(path: Path | str | None = None) -> EvidenceModel:
    """
    Read an evidence model by ``astro-xlatent train-evidence``, by default the package's own.

    Raises
    ------
    ModelError
        If the file is not there, damaged, or of another format.
    """
    bundled, path = path is None, BUNDLED_EVIDENCE if path is None else Path(path)
    try:
        raw = path.read_bytes()
        if bundled and (digest := hashlib.sha256(raw).hexdigest()) != BUNDLED_SHA256:
            raise ModelError(f"{path}: sha256 is {digest}, expected {BUNDLED_SHA256}; the file is damaged, "
                             "install astro_xlatent again")
        stored = json.loads(raw)
        if stored["format"] != FORMAT:
            raise ModelError(f"{path}: evidence format {stored['format']!r}, this version reads {FORMAT}")
        pieces = {name: Piece(**parts) for name, parts in stored["pieces"].items()}
        for piece in pieces.values():
            n_features = sum(len(names) + 1 for names in piece.groups.values())
            if piece.coefficient.shape != (len(stored["classes"]), n_features):
                msg = f"{path}: coefficients of shape {piece.coefficient.shape} do not fit its features"
                raise ModelError(msg)
        return EvidenceModel(stored["name"], tuple(stored["classes"]), pieces, stored["exponents"],
                             stored["card"])
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: not an evidence model ({error}); make one with astro-xlatent train-evidence"
        raise ModelError(msg) from error


def pieces_of(evidence: str | list | tuple) -> dict:
    """
    Groups by piece that a choice names: ``"all"``, a piece, or pieces and groups of `PIECES`.

    Raises
    ------
    ParameterError
        If a name is unknown, or none is given.

    Examples
    --------
    >>> pieces_of(["gaia", "flux"])
    {'xray': ('flux',), 'counterparts': ('gaia',)}
    """
    names = [evidence] if isinstance(evidence, str) else list(evidence)
    groups = [name for members in PIECES.values() for name in members]
    unknown = [name for name in names if name not in (*PIECES, *groups, "all")]
    if unknown or not names:
        raise ParameterError(f"evidence names {unknown or 'nothing'}; allowed: None, 'all', "
                             f"{', '.join(map(repr, PIECES))}, or a list of these and of {', '.join(groups)}")
    chosen = {piece: tuple(members) if {"all", piece} & set(names) else
              tuple(name for name in members if name in names) for piece, members in PIECES.items()}
    return {piece: members for piece, members in chosen.items() if members}
