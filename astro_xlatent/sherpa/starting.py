# Licensed under a 3-clause BSD style license - see LICENSE
"""
Model, starting values and limits for a fit: quantiles of the prediction, and a weight for every family of
models through the class. The counts, on the fine grid with the normalization profiled, then decide between
combinations, and finer grids around the best take the place of correlations that the prediction lacks.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.priors import apply_prior, prior_weights
from astro_xlatent.model.statistics import cash, profile_normalization
from astro_xlatent.physics.absorption import CONVENTIONS, convert_nh, transmission
from astro_xlatent.physics.emission import blackbody, powerlaw
from astro_xlatent.physics.plasma import PLASMA_KT_RANGE, plasma
from astro_xlatent.sherpa._session import Session, check_statistic, resolve, spectrum_of
from astro_xlatent.sherpa.models import NH_UNIT, add_models
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import floored_background

__all__ = ["Guess", "guess"]

# Middle of five parts of equal probability.
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_REFINEMENTS = 6
_LOG_NH_RANGE = (18.0, 24.8)
# Smallest start of a column in 1e22 cm-2: at the limit itself a derivative has one side only.
_NH_FLOOR = 1e-3


class Family(NamedTuple):
    """Sherpa's model without ``xs`` or ``xl``, its shape parameter, soft limits, logarithmic or not."""

    name: str
    component: str
    parameter: str
    limits: tuple
    logarithmic: bool


FAMILIES = (
    Family("power law", "powerlaw", "PhoIndex", (-3.0, 9.0), False),
    Family("black body", "bbodyrad", "kT", (0.02, 20.0), True),
    Family("thermal plasma", "apec", "kT", (0.08, 17.0), True),
)

#: How often each family describes a class best: coronae are plasma, accretion on nuclei and neutron stars
#: power laws, cooling neutron stars black bodies, columns of white dwarfs hot plasma; chosen by hand.
CLASS_WEIGHTS = {
    "AGN": (0.96, 0.01, 0.03),
    "CV": (0.45, 0.05, 0.50),
    "HM-STAR": (0.04, 0.02, 0.94),
    "HMXB": (0.90, 0.08, 0.02),
    "LM-STAR": (0.03, 0.02, 0.95),
    "LMXB": (0.75, 0.20, 0.05),
    "NS": (0.45, 0.50, 0.05),
    "YSO": (0.08, 0.02, 0.90),
    "other": (0.45, 0.10, 0.45),
}


class Candidate(NamedTuple):
    """
    A family with its log posterior up to a constant, its best column in cm-2 (tbabs, Wilms), shape and
    XSPEC's normalization (zero: no source is detected), and counts at ``norm = 1``.
    """

    family: Family
    score: float
    nh: float
    shape: float
    norm: float
    unit_counts: float


@dataclass
class Guess:
    """
    What `guess` did: ``print`` it.

    Attributes
    ----------
    ids, expression, family
        Data sets, the expression that is their source now, and which kind of model that is.
    label, probability
        Most probable class.
    start, limits : dict
        Start values and soft limits by full parameter name.
    nh, convention
        Column in cm-2 (``"tbabs/wilm"``), and the convention of the session's model, to which it was
        converted.
    alternatives : dict
        Log posterior of the other families relative to the chosen one.
    notes : list of str
        What else to know.
    """

    ids: list
    expression: str
    family: str
    label: str
    probability: float
    start: dict
    limits: dict
    nh: float
    convention: str
    alternatives: dict
    notes: list = field(default_factory=list)

    def __str__(self):
        lines = [f"{self.expression}  ({self.family}; {self.label} with probability {self.probability:.2f})"]
        for name, value in self.start.items():
            low, high = self.limits[name]
            lines.append(f"  {name:16s} {value:<10.4g} from {low:.4g} to {high:.4g}")
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def guess(id: int | str | None = None, session: Session | None = None, *, model: Model | str | None = None,
          prior: Any = None) -> Guess:
    """
    Set a source model with starting values and limits from the prediction.

    Parameters
    ----------
    id : int, str, sequence of these or sherpa.astro.datastack.DataStack, optional
        As for `predict`; several share one source model, whose start is from the one with the most counts.
    session, model, prior : optional
        As for `predict`.

    Returns
    -------
    guess : Guess
        What was done; ``print`` it.

    Raises
    ------
    SpectrumError, ResponseError
        If data or response are missing or the filter leaves nothing. The session then is as it was.

    Notes
    -----
    The source becomes absorption times a power law, a black body or a thermal plasma: ``xstbabs`` and so on
    where the session has XSPEC's models, else those of this package. The column is converted to XSPEC's
    abundance table. Limits: N_H up to ten times its value or 1e22 cm-2, the normalization a factor of 1000
    either way.

    Examples
    --------
    >>> from sherpa.astro import ui  # doctest: +SKIP
    >>> from astro_xlatent.sherpa import guess
    >>> print(guess())  # doctest: +SKIP
    >>> ui.fit()  # doctest: +SKIP
    """
    ids, session = resolve(id, session)
    bins, matrices = bins_from_spectra([spectrum_of(i, session) for i in ids])
    for i in ids:
        check_statistic(i, session)
    model = load_model(model)
    row = int(np.argmax(bins.net_counts))
    posterior = model.infer(bins[row], matrices[row:row + 1])
    probability = apply_prior(posterior.class_prob, prior_weights(prior, 1))[0]
    prefix, abundances, notes = _conventions(session)
    found = _best_candidates(posterior, model.classes, probability, bins[row], matrices[row], abundances)
    if found[0].norm == 0:
        notes.append("no source is detected: the normalization stands for one count")
    convention = f"tbabs/{abundances}"
    parameters = _parameters(found[0], float(convert_nh(found[0].nh, "tbabs/wilm", convention)))
    expression, start, limits = _set_source(ids, session, prefix, found[0].family, parameters)
    best = int(np.argmax(probability))
    return Guess(ids, expression, found[0].family.name, model.classes[best], float(probability[best]), start,
                 limits, found[0].nh, convention,
                 {c.family.name: c.score - found[0].score for c in found[1:]}, notes)


def _conventions(session):
    """Prefix of model names, XSPEC's abundance table (Wilms's if it is unknown to us), notes."""
    known = set(session.list_models())
    if not {"xstbabs", "xspowerlaw", "xsbbodyrad", "xsapec"} <= known:
        return "xl", "wilm", []
    table = _xspec_abundances()
    if f"tbabs/{table}" in CONVENTIONS:
        return "xs", table, [f"abundance table {table}"]
    return "xs", "wilm", [f"abundance table {table!r} has no conversion: N_H is for wilm"]


def _xspec_abundances():
    """Name of XSPEC's abundance table."""
    from sherpa.astro import xspec

    return xspec.get_xsabund()


def _parameters(candidate, nh):
    """Value and limits of every parameter, component by component."""
    nh = max(nh / NH_UNIT, _NH_FLOOR)
    norm = candidate.norm or 1 / candidate.unit_counts
    low, high = candidate.family.limits
    shape = float(np.clip(candidate.shape, low, high))
    return {"nH": (nh, 0.0, max(10 * nh, 1.0)), candidate.family.parameter: (shape, low, high),
            "norm": (norm, 1e-3 * norm, 1e3 * norm)}


def _set_source(ids, session, prefix, family, parameters):
    """Make the components, set them, and give the session its source."""
    if prefix == "xl":
        add_models(session)
    suffix = re.sub(r"\W", "_", str(ids[0]))
    absorber = _component(session, f"{prefix}tbabs", f"abs{suffix}")
    emitter = _component(session, f"{prefix}{family.component}", f"src{suffix}")
    start, limits = {}, {}
    for name, (value, low, high) in parameters.items():
        par = getattr(absorber if name == "nH" else emitter, name)
        # Limits first to XSPEC's hard ones, which some of ours exceed.
        low, high = max(low, par.hard_min), min(high, par.hard_max)
        par.set(val=min(max(value, low), high), min=low, max=high, frozen=False)
        start[par.fullname], limits[par.fullname] = par.val, (low, high)
    for i in ids:
        session.set_source(i, absorber * emitter)
    return (absorber * emitter).name, start, limits


def _component(session, kind, name):
    """A fresh component; a name that the user gave to another kind of model is left alone."""
    taken = session.list_model_components()
    while name in taken and not session.get_model_component(name).name.startswith(f"{kind}."):
        name += "_"
    return session.create_model_component(kind, name)


def _best_candidates(posterior, classes, class_prob, bins, matrix, abundances):
    """The best parameters of every family for one row and its class probabilities (9,), best first."""
    weights = _family_weights(classes, class_prob)
    log_nh = np.log10(posterior.nh_quantiles(_QUANTILES)[0])
    index, log_kt = posterior.index_quantiles(_QUANTILES)[0], np.log10(posterior.kt_quantiles(_QUANTILES)[0])
    found = []
    for family, weight in zip(FAMILIES, weights, strict=True):
        start = log_kt if family.logarithmic else index
        found.append(_search(family, weight, log_nh, start, bins, matrix, abundances))
    return sorted(found, key=lambda c: -c.score)


def _family_weights(classes, class_prob):
    missing = [name for name in classes if name not in CLASS_WEIGHTS]
    if missing:
        raise ModelError(f"the model's classes {', '.join(missing)} have no spectral model; "
                         f"known: {', '.join(CLASS_WEIGHTS)}")
    return np.asarray(class_prob) @ np.array([CLASS_WEIGHTS[name] for name in classes])


def _search(family, weight, log_nh, shape, bins, matrix, abundances):
    """Quantiles first, then ever finer grids around the best."""
    low, high = (np.log10(v) if family.logarithmic else v for v in family.limits)
    axes = [log_nh, shape]
    for _ in range(_REFINEMENTS + 1):
        axes = [np.clip(axes[0], *_LOG_NH_RANGE), np.clip(axes[1], low, high)]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        nh, values = 10 ** nodes[:, 0], 10 ** nodes[:, 1] if family.logarithmic else nodes[:, 1]
        statistic, norm, unit = _statistics(_spectra(family, nh, values, abundances), bins, matrix)
        best = int(np.argmin(statistic))
        axes = [_around(axis, node) for axis, node in zip(axes, nodes[best], strict=True)]
    score = np.log(max(weight, 1e-9)) - 0.5 * statistic[best]
    return Candidate(family, float(score), *(float(column[best]) for column in (nh, values, norm, unit)))


def _around(axis, best):
    """Five values around the best: closer than before, unless that was at an end."""
    step = np.clip(np.ptp(axis) / 4, 0.01, 0.5)
    at_end = best in (axis[0], axis[-1])
    return best + (step if at_end else 0.5 * step) * np.arange(-2, 3)


def _spectra(family, nh, shape, abundances):
    """Absorbed incident spectra of unit normalization, (n, n_energy)."""
    if family.component == "powerlaw":
        emitted = powerlaw(shape)
    elif family.component == "bbodyrad":
        emitted = blackbody(shape)
    else:
        emitted = plasma(np.clip(shape, *PLASMA_KT_RANGE), abundances=abundances)
    return emitted * transmission(nh)


def _statistics(spectra, bins, matrix):
    """Cash statistic, best normalization and counts at unit norm of every spectrum."""
    source = spectra @ matrix.T.astype(float)
    unit = np.maximum(source[:, bins.valid[0]].sum(axis=1), 1e-300)
    shape = source / unit[:, None]
    background = floored_background(bins.background, bins.background_error) + 1e-6
    counts, background, valid = (torch.as_tensor(np.broadcast_to(a, shape.shape).copy())
                                 for a in (bins.counts, background, bins.valid))
    norm = profile_normalization(counts, torch.as_tensor(shape), background, valid).numpy()
    model = norm[:, None] * shape + background.numpy()
    statistic = np.where(bins.valid, cash(bins.counts, model), 0.0).sum(axis=1)
    return statistic, norm / unit, unit
