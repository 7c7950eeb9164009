# Licensed under a 3-clause BSD style license - see LICENSE
"""What a row's columns, and a prior, say of its class beside the spectrum; classes may be a user's own."""

from collections.abc import Callable

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_xlatent.compare.positions import position_names
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.missions._columns import Columns
from astro_xlatent.model.evidence import PIECES, EvidenceModel, Group, Inputs, load_evidence, pieces_of
from astro_xlatent.model.priors import prior_weights, survey_weights
from astro_xlatent.table.counterparts import read_counterparts

__all__ = ["classify_rows"]

# Zero points of features: fluxes in 10^-13.5 erg/s/cm2, columns in 10^21 /cm2.
_FLUX, _COLUMN = -13.5, 21.0
_SPREAD = 6.0
#: Where slopes change: fluxes, and log(|b| + 1) of 2, 5, 10 and 30 degrees.
_FLUX_KNOTS, _LATITUDE_KNOTS = (-0.5, 0.0, 0.5, 1.0, 1.5), tuple(np.log10([3.0, 6.0, 11.0, 31.0]))
_GALACTIC = ("nh_gal", "nhgal", "nh_galactic")
_VARIABILITY = (("kp_intra_prob_b", "kp_prob_b", "ks_intra_prob_b"), ("var_inter_prob_b",))


class Evidence:
    """
    Evidence beside the spectrum for rows of a table, as `~astro_xlatent.model.evidence.pieces_of` chooses.
    The class prior ``"survey"`` knows flux and position already: those groups are then left out.
    """

    def __init__(self, table: Table, choice, prior=None):
        self.table, self.model, self.chosen = table, load_evidence(), pieces_of(choice)
        known = ("flux", "latitude", "nh_gal") if _is_survey(prior) else ()
        self.groups = tuple(name for names in self.chosen.values() for name in names if name not in known)

    def weigh(self, rows: np.ndarray, probability: np.ndarray, flux: np.ndarray,
              nh: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """
        What multiplies the spectrum's probabilities of rows (n, 9); what each piece adds to log odds, zero if
        silent, (n, 2, 8); and flags (n,). Of row numbers, probabilities for equal priors (n, 9), absorbed
        flux 0.5-7 keV in erg/cm2/s and the spectrum's column in 1/cm2. "other" keeps its probability: no
        labeled source is one.
        """
        # A run of rows is seen in place; picking rows copies every column.
        run = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        part = self.table[rows[0]:rows[-1] + 1] if run else self.table[rows]
        inputs, odd = evidence_inputs(part, flux, nh)
        inputs = inputs.only(self.groups)
        factors = {name: factor for name, factor in self.model.log_factors(inputs).items()
                   if name in self.chosen}
        eight = np.maximum(probability[:, :-1], 1e-12)
        joint = self.model.combine(eight / eight.sum(axis=1, keepdims=True), factors)
        flags = odd if "counterparts" in self.chosen else np.zeros_like(odd)
        flags[np.all([np.ptp(f, axis=1) == 0 for f in factors.values()], axis=0)] |= Flag.EVIDENCE_UNKNOWN
        weights = np.ones_like(probability, dtype=float)
        weights[:, :-1] = joint * eight.sum(axis=1, keepdims=True) / eight
        weights /= weights.sum(axis=1, keepdims=True)
        log_odds, powers = np.zeros((len(rows), len(PIECES), len(CLASSES))), self.model.powers(factors)
        for number, name in enumerate(PIECES):
            if name in factors:
                odds = factors[name] - factors[name].mean(axis=1, keepdims=True)
                log_odds[:, number] = powers[name][:, None] * odds
        return weights, log_odds, flags


def evidence_inputs(table, flux, nh) -> tuple[Inputs, np.ndarray]:
    """Features of all groups that the package knows, and flags; flux and column as for `Evidence.weigh`."""
    columns = Columns(table)
    bright = np.log10(np.where(flux > 0, flux, np.nan)) - _FLUX
    column = np.log10(np.clip(nh, 1e18, None)) - _COLUMN
    position = galactic_position(table)
    latitude = np.full(len(table), np.nan) if position is None else np.log10(np.abs(position[1]) + 1)
    radius = columns.number("err_ellipse_r0", u.arcsec, default=0.0)
    found = read_counterparts(table, np.clip(np.nan_to_num(radius), 0.0, 10.0))
    groups = {"flux": _group({"flux": bright, "flux^2": bright**2, "nh": column}
                             | _bends("flux", bright, _FLUX_KNOTS), np.isfinite(bright)),
              "variability": _variability(columns),
              # The CSC's flag, which in crowded fields and off axis says little.
              "extent": _group({"extended": columns.boolean("extent_flag")},
                               columns.text("extent_flag") != ""),
              "latitude": _group({"log b": latitude, "log b^2": latitude**2, "flux log b": bright * latitude,
                                  "nh log b": column * latitude}
                                 | _bends("log b", latitude, _LATITUDE_KNOTS), np.isfinite(latitude)),
              "nh_gal": _nh_gal(table, bright, latitude, nh),
              "gaia": _gaia(found, bright), "2mass": _two_mass(found, bright), "wise": _wise(found, bright)}
    return Inputs(groups, np.any(list(found.found.values()), axis=0), found.wrong), found.flags


def _bends(name, value, knots):
    return {f"{name} > {knot:.2f}": np.maximum(value - knot, 0.0) for knot in knots}


def _group(features, known) -> Group:
    values = np.stack(list(features.values()), axis=1).astype(float)
    values = np.clip(np.where(np.isfinite(values), values, 0.0), -_SPREAD**2, _SPREAD**2)
    return Group(tuple(features), values, np.asarray(known, bool))


def _variability(columns):
    """Chances that the flux is not constant, within and between observations, as log(1 - p)."""
    features = {}
    for label, names in zip(("within", "between"), _VARIABILITY, strict=True):
        chance = columns.number(columns.spelled(*names))
        chance = np.where((chance >= 0) & (chance <= 1), chance, np.nan)
        features |= {label: -np.log10(np.clip(1 - chance, 1e-3, 1)), f"has {label}": np.isfinite(chance)}
    return _group(features, features["has within"] | features["has between"])


def galactic_position(table) -> tuple[np.ndarray, np.ndarray] | None:
    """Galactic longitude and latitude of every row, degrees, NaN where unknown; None without positions."""
    columns = Columns(table)
    names = position_names(columns)
    coords = [name for name in table.colnames if isinstance(table[name], SkyCoord)]
    if names is not None:
        ra, dec = (columns.number(name, u.deg) for name in names)
    elif len(coords) == 1:
        position = table[coords[0]].icrs
        ra, dec = (plain_floats(angle, u.deg) for angle in (position.ra, position.dec))
    else:
        return None
    known = np.isfinite(ra) & (np.abs(dec) <= 90)
    sky = SkyCoord(np.where(known, ra, 0.0), np.where(known, dec, 0.0), unit="deg").galactic
    return np.where(known, sky.l.deg, np.nan), np.where(known, sky.b.deg, np.nan)


def galactic_column(table) -> np.ndarray:
    """The column through the Galaxy in 1/cm2, given so or in 1e20/cm2 as the CSC does; NaN where unknown."""
    columns = Columns(table)
    name = columns.spelled(*_GALACTIC)
    unit, given = getattr(columns.raw(name), "unit", None) if name else None, columns.number(name)
    if unit is not None and u.Unit(unit).is_equivalent(1 / u.cm**2):
        given = columns.number(name, 1 / u.cm**2)
    else:
        # No line of sight has 1e15 times 1e20, and none has less than 1e15.
        given = np.where(given < 1e15, given * 1e20, given)
    return np.where((given > 5e18) & (given < 5e24), given, np.nan)


def _nh_gal(table, bright, latitude, nh):
    galactic = np.log10(galactic_column(table)) - _COLUMN
    excess = np.clip(np.log10(np.where(nh > 0, nh, np.nan)) - _COLUMN - galactic, -2, 2)
    return _group({"nh": galactic, "nh^2": galactic**2, "nh log b": galactic * latitude,
                   "nh flux": galactic * bright, "excess": excess}, np.isfinite(galactic))


def _scaled(value, center, width, order=1):
    return np.clip((value - center) / width, -_SPREAD, _SPREAD) ** order


def _gaia(found, bright):
    v = found.values
    color, significance = v["BP"] - v["RP"], np.clip(v["Plx"] / v["e_Plx"], -3, 20)
    # A distance from a parallax that is measured: below four sigma its inverse is biased.
    parallax = np.where(significance > 4, np.clip(v["Plx"], 0.05, None), np.nan)
    absolute = v["G"] + 5 * np.log10(parallax) - 10
    motion = np.clip(v["PM"], 0.05, None)
    return _group({
        "found": found.found["gaia"], "G": _scaled(v["G"], 16, 3), "G^2": _scaled(v["G"], 16, 3, 2),
        "BP-RP": _scaled(color, 1.5, 1), "(BP-RP)^2": _scaled(color, 1.5, 1, 2),
        "has parallax": np.isfinite(significance), "parallax/error": np.arcsinh(significance) / 2,
        "has distance": np.isfinite(absolute), "M_G": _scaled(absolute, 5, 3),
        "M_G (BP-RP)": _scaled(absolute, 5, 3) * _scaled(color, 1.5, 1),
        "L_X": bright - 2 * np.log10(parallax), "motion": np.log10(motion),
        "motion/error": np.log10(np.clip(motion / v["e_PM"], 0.3, None)),
        "X/G": _scaled(v["G"] / 2.5 + bright, 6.5, 1)}, found.known["gaia"])


def _two_mass(found, bright):
    v = found.values
    red = v["H"] - v["K"]
    return _group({
        "found": found.found["2mass"], "J": _scaled(v["J"], 14, 2), "J-H": _scaled(v["J"] - v["H"], 0.7, 0.3),
        "H-K": _scaled(red, 0.4, 0.3), "(H-K)^2": np.clip(_scaled(red, 0.4, 0.3, 2), 0, 25),
        "X/K": _scaled(v["K"] / 2.5 + bright, 5, 1), "has G-J": np.isfinite(v["G"] - v["J"]),
        "G-J": _scaled(v["G"] - v["J"], 2, 1)}, found.known["2mass"])


def _wise(found, bright):
    v = found.values
    color = v["W1"] - v["W2"]
    return _group({
        "found": found.found["wise"], "W1": _scaled(v["W1"], 13, 2), "W1-W2": _scaled(color, 0.5, 0.4),
        "(W1-W2)^2": np.clip(_scaled(color, 0.5, 0.4, 2), 0, 25), "has W3": np.isfinite(v["W3"]),
        "W2-W3": _scaled(v["W2"] - v["W3"], 2.5, 1), "X/W1": _scaled(v["W1"] / 2.5 + bright, 5, 1),
        "has G-W1": np.isfinite(v["G"] - v["W1"]), "G-W1": _scaled(v["G"] - v["W1"], 4, 2),
        "K-W1": _scaled(v["K"] - v["W1"], 0.3, 0.5)}, found.known["wise"])


def flat_prior(table) -> bool:
    """Whether the classes of an enriched table are the spectrum's alone."""
    return str(table.meta.get("XLPRIOR", "none")) == "none"


def row_inputs(table, own=()) -> tuple[Inputs, np.ndarray]:
    """Inputs of an enriched table: the package's groups, the spectrum's classes, and a user's own columns."""
    columns = Columns(table)
    if missing := [name for name in own if name not in columns]:
        raise TableError(f"no column {', '.join(missing)}; the table has {', '.join(table.colnames[:20])}")
    if "xl_class_prob" not in table.colnames:
        raise TableError("the table has no xl_class_prob; enrich it first with add_latents")
    if not flat_prior(table):
        raise TableError(f"the table's classes have the prior {table.meta['XLPRIOR']!r} in them (XLPRIOR in "
                         "table.meta); enrich it with neither prior nor evidence")
    flux = columns.number("xl_flux_05_2") + columns.number("xl_flux_2_7")
    inputs, flags = evidence_inputs(table, flux, columns.number("xl_nh"))
    given = plain_floats(table["xl_class_prob"])
    inputs.groups["spectrum"] = _group(
        {f"log p({name})": np.log(np.maximum(given[:, k], 1e-6)) for k, name in enumerate(CLASSES)},
        np.isfinite(given).all(axis=1))
    if own:
        values = np.stack([columns.number(name) for name in own], axis=1)
        there = np.isfinite(values)
        inputs.groups["own"] = Group((*own, *(f"has {name}" for name in own)), np.concatenate(
            [np.where(there, values, 0.0), there], axis=1), there.any(axis=1))
    return inputs, flags


def classify_rows(table, model) -> Table:
    """
    Classes of a user's own evidence model.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows enriched by `~astro_xlatent.add_latents`, with the columns that the model was trained on.
    model : EvidenceModel or path-like
        By ``astro-xlatent train-evidence``.

    Returns
    -------
    classes : `~astropy.table.Table`
        ``class`` and one column ``prob_CLASS`` for each of the model's classes, for equal priors.
    """
    model = model if isinstance(model, EvidenceModel) else load_evidence(model)
    own = [name for piece in model.pieces.values() for name in piece.groups.get("own", ())
           if not name.startswith("has ")]
    inputs, _ = row_inputs(table, own)
    ours = model.classes == CLASSES
    spectrum = np.exp(inputs.groups["spectrum"].values) if ours else np.ones((len(table), len(model.classes)))
    probability = model.combine(spectrum, model.log_factors(inputs))
    found = Table({"class": np.array(model.classes)[probability.argmax(axis=1)]})
    for k, name in enumerate(model.classes):
        found[f"prob_{name}"] = probability[:, k]
    return found


def _is_survey(prior):
    return isinstance(prior, str) and prior == "survey"


def prior_name(prior, evidence=None) -> str | None:
    """The class prior in words, for the provenance; with evidence, which differs by row as priors do."""
    name = prior if prior is None or isinstance(prior, str) else "given by the user"
    if evidence is None:
        return name
    chosen = evidence if isinstance(evidence, str) else ", ".join(evidence)
    return f"{name or 'none'}; evidence {chosen}"


def class_prior(table: Table, prior) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], np.ndarray]:
    """
    Class weights (n, 9), rows sum to one, as a function of row numbers and fluxes 0.5-7 keV in erg/cm2/s,
    and flags (n,) of rows of which the prior ``"survey"`` knows nothing for lack of a position.
    """
    if not _is_survey(prior):
        fixed = prior_weights(prior, len(table))
        return lambda rows, flux: fixed[rows], np.zeros(len(table), np.int64)
    position, column = galactic_position(table), galactic_column(table)
    if position is None:
        raise TableError("prior='survey' needs columns ra and dec (degrees), or one SkyCoord column: add "
                         "them or use another prior")
    lon, lat = position
    flags = np.where(np.isfinite(lon), 0, int(Flag.EVIDENCE_UNKNOWN))
    return lambda rows, flux: survey_weights(lon[rows], lat[rows], flux, column[rows]), flags
