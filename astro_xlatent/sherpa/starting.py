# Licensed under a 3-clause BSD style license - see LICENSE
"""Model, starting values and limits for a fit, from the prediction."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.priors import apply_prior, prior_weights
from astro_xlatent.physics.absorption import CONVENTIONS, convert_nh
from astro_xlatent.sherpa._candidates import best_candidates
from astro_xlatent.sherpa._session import check_statistic, resolve, spectrum_of
from astro_xlatent.sherpa.models import NH_UNIT, add_models
from astro_xlatent.spectra.binning import bins_from_spectra

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session

__all__ = ["Guess", "guess"]

# Smallest start of a column in 1e22 cm-2: at the limit itself a derivative has one side only.
_NH_FLOOR = 1e-3


@dataclass
class Guess:
    """
    What `guess` did: ``print`` it.

    Attributes
    ----------
    ids, expression, family
        Data sets whose source was set, to which expression, and whether that is a power law, a black body or
        a thermal plasma.
    label, probability
        Most probable class.
    start, limits : dict
        Start values and soft limits by full parameter name.
    nh, convention
        Column in cm-2 in the convention ``"tbabs/wilm"``, and the one of the session's absorption model, into
        which it was converted.
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
        Data sets; several share one source model, whose start comes from the one with the most counts. By
        default the session's default id.
    session : sherpa.astro.ui.utils.Session, optional
        By default that of `sherpa.astro.ui`.
    model : str, path-like or Model, optional
        See `~astro_xlatent.load_model`.
    prior : None, mapping or array_like, optional
        Class prior, see `~astro_xlatent.table.add_latents`.

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
    where the session has XSPEC's models, else those of this package. XSPEC's abundance table is read, never
    changed: the column is converted to it. Limits: N_H up to ten times its value or 1e22 cm-2, the
    normalization a factor of 1000 either way.

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
    found = best_candidates(posterior, model.classes, probability, bins[row], matrices[row],
                            abundances or "wilm")
    if found[0].norm == 0:
        notes.append("no source is detected: the normalization stands for one count")
    convention = f"tbabs/{abundances or 'wilm'}"
    parameters = _parameters(found[0], float(convert_nh(found[0].nh, "tbabs/wilm", convention)))
    expression, start, limits = _set_source(ids, session, prefix, found[0].family, parameters)
    best = int(np.argmax(probability))
    return Guess(ids, expression, found[0].family.name, model.classes[best], float(probability[best]), start,
                 limits, found[0].nh, convention,
                 {c.family.name: c.score - found[0].score for c in found[1:]}, notes)


def _conventions(session):
    """Prefix of model names, XSPEC's abundance table (None if unknown to us), notes."""
    known = set(session.list_models())
    if not {"xstbabs", "xspowerlaw", "xsbbodyrad", "xsapec"} <= known:
        return "xl", "wilm", []
    table = _xspec_abundances()
    if f"tbabs/{table}" in CONVENTIONS:
        return "xs", table, [f"abundance table {table}"]
    return "xs", None, [f"abundance table {table!r} has no conversion: N_H is for wilm"]


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
