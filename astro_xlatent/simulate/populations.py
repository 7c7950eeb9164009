# Licensed under a 3-clause BSD style license - see LICENSE
"""
Populations of X-ray sources: incident spectra with the truth about them.

Every class is a mixture of physical families (`astro_xlatent.simulate.families`):

========  =====================================================================
AGN       power law, Fe K, soft excess; half to two thirds with little
          intrinsic absorption, the others 1e21.5-1e24 with scattered light
CV        cooling plasma: magnetic ones behind partial covering, others bare
HM-STAR   wind shocks 0.2-1 keV; colliding winds with 1.5-6 keV
HMXB      hard cut-off power laws: dense winds with Fe K, or Be binaries
LM-STAR   coronae of 0.3 and 0.9 keV; active ones reach 2-4 keV
LMXB      disk states, hard and faint states, quiescent neutron stars, spiders
NS        pulsars with nebulae, thermal neutron stars, magnetars
YSO       coronae of 0.8 and 3 keV behind their clouds; embedded protostars
other     clusters, galaxies, supernova remnants, ULXs, supersoft sources
========  =====================================================================
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core import columns
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.bestfit import equivalent_column
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, N_ENERGY
from astro_xlatent.simulate.families import compact, extragalactic, stars
from astro_xlatent.simulate.families.generic import generic
from astro_xlatent.simulate.families.tools import Draw
from astro_xlatent.simulate.ranges import read_ranges

__all__ = ["CLASSES", "FAMILIES", "FLUX_BANDS", "LITERATURE", "TUNED", "Sources", "absorb", "draw_sources"]

#: Classes in the order of the probability columns; "other" is last.
CLASSES = (*columns.CLASSES, columns.OTHER)

#: class -> parameter -> (initial value, low, high, unit, reference in `families`), columns in 1/cm2 and
#: temperatures in keV; and at most six values a class that match simulated hardness of catalog rows to
#: that of real ones in the MATCH fields (``benchmarks/sky.py``), inside the literature's ranges. HMXB have
#: a dozen rows there and "other" none: they keep the literature.
LITERATURE, TUNED = read_ranges("populations")

# class -> (family, name of the parameter that is its share); None takes what is left
_MIXTURES = {
    "AGN": ((extragalactic.agn, None),),
    "CV": ((compact.cv_magnetic, "magnetic"), (compact.cv_boundary, None)),
    "HM-STAR": ((stars.colliding_winds, "hard"), (stars.massive_star, None)),
    "HMXB": ((compact.supergiant, "supergiant"), (compact.be_hmxb, None)),
    "LM-STAR": ((stars.active_star, "active"), (stars.cool_star, None)),
    "LMXB": ((compact.lmxb_soft, "bright"), (compact.lmxb_quiescent, "quiescent"),
             (compact.spider, "spider"), (compact.lmxb_faint, None)),
    "NS": ((compact.thermal_neutron_star, "thermal"), (compact.magnetar, "magnetar"), (compact.pulsar, None)),
    "YSO": ((stars.embedded_young_star, "embedded"), (stars.young_star, None)),
    "other": ((extragalactic.cluster, "cluster"), (extragalactic.galaxy, "galaxy"),
              (extragalactic.remnant, "remnant"), (extragalactic.ulx, "ulx"),
              (extragalactic.soft_source, None)),
}

#: Names of the families; ``truth["family"]`` is an index into it.
FAMILIES = (*(f.__name__ for mixture in _MIXTURES.values() for f, _ in mixture), "generic")

#: Names and edges (keV) of the fluxes in the truth table.
FLUX_BANDS = {"flux_05_2": (0.5, 2.0), "flux_2_7": (2.0, 7.0), "flux_02_23": (0.2, 2.3)}
_OF_DRAFT = ("nh_gal", "nh_int", "redshift", "photon_index", "kt")
#: Bins of the grid between 2 and 7, and between 0.3 and 8 keV.
_HARD, _BROAD = (slice(*np.searchsorted(ENERGY_MID, band)) for band in ((2.0, 7.0), (0.3, 8.0)))
# rows worked on at a time: their arrays should fit the cache
_CHUNK = 256
# absorbed energy flux that every spectrum gets between 0.3 and 8 keV, erg/cm2/s
_FLUX = 1e-13


@dataclass
class Sources:
    """
    Simulated sources.

    Attributes
    ----------
    spectrum : ndarray of float32, shape (n, N_ENERGY)
        Incident, absorbed photons/cm2/s per bin, normalized to 1e-13 erg/cm2/s between 0.3 and 8 keV.
    class_index : ndarray of int64, shape (n,)
        Index into `CLASSES`, -1 for generic sources.
    truth : dict of ndarray, shape (n,)
        ``nh`` (z = 0 equivalent, see `astro_xlatent.physics.bestfit`), ``nh_gal``, ``nh_int`` in 1/cm2,
        ``redshift``, ``photon_index``, ``kt`` (keV; NaN where there is none), ``family`` (index into
        `FAMILIES`), absorbed ``flux_*`` in erg/cm2/s for this normalization.
    """

    spectrum: np.ndarray
    class_index: np.ndarray
    truth: dict

    def __len__(self):
        return len(self.class_index)

    def __getitem__(self, rows):
        truth = {name: values[rows] for name, values in self.truth.items()}
        return Sources(self.spectrum[rows], self.class_index[rows], truth)


def draw_sources(class_index, rng, *, tuned=True, parameters=None):
    """
    Draw `Sources` of given classes, in their order.

    Parameters
    ----------
    class_index : array_like of int, shape (n,)
        Indices into `CLASSES`; -1 draws a generic source.
    rng : numpy.random.Generator
        The result depends on it and on ``class_index`` alone.
    tuned : bool, optional
        Use parameters matched to the catalog, else the literature's.
    parameters : dict of dict of float, optional
        Values that replace some of a class's parameters: ``{"AGN": {"obscured": 0.4}}``.

    Raises
    ------
    ParameterError
        If a class is unknown or a parameter lies outside the literature's range.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.simulate.populations import CLASSES, draw_sources
    >>> sources = draw_sources([CLASSES.index("YSO")] * 3, np.random.default_rng(1))
    >>> sources.spectrum.shape, bool((sources.truth["nh"] > 0).all())
    ((3, 1190), True)
    """
    class_index = _checked_classes(class_index)
    values, n = _all_parameters(tuned, parameters or {}), class_index.size
    truth = {name: np.full(n, np.nan) for name in ("nh", *_OF_DRAFT, *FLUX_BANDS)}
    truth |= {"family": np.full(n, -1, np.int64)}
    sources = Sources(np.empty((n, N_ENERGY), np.float32), class_index, truth)
    for label in np.unique(class_index):
        rows = np.flatnonzero(class_index == label)
        for start in range(0, rows.size, _CHUNK):
            _draw_class(sources, rows[start : start + _CHUNK], int(label), rng, values)
    return sources


def _checked_classes(class_index):
    index = np.asarray(class_index)
    whole = index.ndim == 1 and (not index.size or index.dtype.kind in "iu")
    if not whole or np.any((index < -1) | (index >= len(CLASSES))):
        named = ", ".join(f"{i} {name}" for i, name in enumerate(CLASSES))
        msg = f"class_index is {class_index!r:.200}; allowed is a list of the integers -1 generic, {named}"
        raise ParameterError(msg)
    return index.astype(np.int64)


def _all_parameters(tuned, changed):
    """Parameters of every class: those matched to the catalog, or the literature's, but for the changed."""
    values = {label: {name: row[0] for name, row in rows.items()} | (TUNED.get(label, {}) if tuned else {})
              for label, rows in LITERATURE.items()}
    for label, given in changed.items():
        if label not in values:
            raise ParameterError(f"parameters names class {label!r}; allowed: {', '.join(CLASSES)}")
        for name, value in given.items():
            if name not in values[label]:
                msg = f"class {label} has no parameter {name!r}; allowed: {', '.join(values[label])}"
                raise ParameterError(msg)
            low, high = LITERATURE[label][name][1:3]
            if not low <= value <= high:
                msg = f"{label} {name} is {value:g}; the literature allows {low:g} to {high:g}"
                raise ParameterError(msg)
        values[label] = values[label] | given
    return values


def _draw_class(sources, rows, label, rng, values):
    """Fill ``rows`` with sources of one class."""
    if label < 0:
        _fill(sources, rows, generic(Draw(rows.size, rng)), FAMILIES.index("generic"))
        return
    name = CLASSES[label]
    mixture, p = _MIXTURES[name], values[name]
    share = np.array([p[key] if key else 0.0 for _, key in mixture])
    share[-1] = max(1.0 - share.sum(), 0.0)
    kind = rng.choice(len(mixture), rows.size, p=share / share.sum())
    for number, (family, _) in enumerate(mixture):
        mine = rows[kind == number]
        if mine.size:
            _fill(sources, mine, family(Draw(mine.size, rng, p)), FAMILIES.index(family.__name__))


def _fill(sources, rows, draft, family):
    """Absorb a draft and store spectra and truth."""
    spectrum, nh = _incident(draft)
    flux = spectrum[:, _BROAD] @ (ENERGY_MID[_BROAD] * KEV_TO_ERG).astype(np.float32)
    spectrum *= (_FLUX / np.maximum(flux, 1e-35))[:, None]
    sources.spectrum[rows] = spectrum
    sources.truth["nh"][rows], sources.truth["family"][rows] = nh, family
    for name in _OF_DRAFT:
        sources.truth[name][rows] = getattr(draft, name)
    for name, band in FLUX_BANDS.items():
        inside = slice(*np.searchsorted(ENERGY_MID, band))
        sources.truth[name][rows] = spectrum[:, inside] @ (ENERGY_MID[inside] * KEV_TO_ERG).astype(np.float32)


def _incident(draft):
    """Absorbed spectrum and equivalent column of a draft: exact at z = 0, else that of a fit."""
    primary = absorb(absorb(draft.primary, draft.nh_gal), draft.nh_int, draft.redshift)
    # the column of a redshifted absorber shrinks about as (1 + z)^-2.5
    nh = draft.nh_gal + draft.nh_int / (1.0 + draft.redshift) ** 2.5
    fit = np.flatnonzero((draft.redshift > 1e-3) & (draft.nh_int > 0.01 * draft.nh_gal))
    if fit.size:
        nh[fit] = equivalent_column(primary[fit], draft.primary[fit], nh[fit])
    if draft.secondary is None:
        return primary, nh
    secondary = absorb(draft.secondary, draft.nh_gal)
    leaking = secondary[:, _HARD].sum(axis=1) > primary[:, _HARD].sum(axis=1)
    return primary + secondary, np.where(leaking, draft.nh_gal, nh)


def absorb(spectrum, nh, redshift=0.0):
    """Send spectra (n, N_ENERGY) through cold gas of a column ``nh`` in 1/cm2 at a redshift."""
    sigma = bin_cross_section(redshift=redshift).astype(np.float32)
    column = np.asarray(nh, np.float32)[..., None]
    return (spectrum * np.exp(-column * sigma)).astype(np.float32)
