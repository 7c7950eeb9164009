# Licensed under a 3-clause BSD style license - see LICENSE
"""
`add_latents`: an astropy table in, the same table with new columns out.
"""

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_xlatent.core.columns import COLUMNS, GROUP_COLUMNS, make_column
from astro_xlatent.compare.observations import share_latents, source_numbers
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import (
    MissionError,
    ParameterError,
    TableError,
    XlatentError,
)
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import MissingBandsError, get_mission, identify_mission
from astro_xlatent.model.checks import unmodelled
from astro_xlatent.model.density import density_below
from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.model.posterior import FLUX_BANDS
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.refined import refine_posterior
from astro_xlatent.model.priors import GalacticPrior, apply_prior, prior_weights
from astro_xlatent.compare.positions import position_names
from astro_xlatent.core.provenance import provenance_meta
from astro_xlatent.table.sources import mission_of_spectrum, open_spectrum, resolve_spectra
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["add_latents", "predict_spectra"]

# Net counts below which a row is called faint, and the range of the training.
FEW_COUNTS = 10
TRAINED_COUNTS = (3, 30000)
# Share of 0.5-7 keV, in log energy, that the bins of a row should cover.
MIN_COVERAGE = 0.6
OUTLIER_LEVEL = 0.01
# numpy sizes strings beforehand: the longest class, and all of them joined.
_STRINGS = {"xl_class": "U7", "xl_class_set": "U48"}
_OWN_COLUMNS = ("xl_flag", "xl_reason", "xl_model")
_NOTHING = "no spectrum, and no band columns in the table"
# Rows whose spectra, with their folding matrices, are in memory at once.
SPECTRA_CHUNK = 128


def add_latents(table, spectra=None, *, mission=None, model=None, prior=None, include=(),
                group_by=None, refine=False, checks=False, overwrite=False, progress=False):
    """
    Add latents, class, N_H, fluxes and quality to every row of a table.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`
        Any number of rows, none included. It is not changed.
    spectra : str, path-like, mapping or sequence, optional
        Where the rows' OGIP spectra are: the name of a column of paths; a
        folder, in which files are found by the mission's naming; a mapping
        from row number or source name to a path or `XraySpectrum`; or a
        sequence with one path, `XraySpectrum` or None per row. Rows without
        a usable spectrum fall back on the table's band columns.
    mission : str or Mission, optional
        ``"csc"``, ``"erosita"`` or another registered mission, if the
        columns do not tell.
    model : str, path-like or Model, optional
        See `load_model`.
    prior : None, 'galactic', mapping or array_like, optional
        Class prior. None: all nine classes alike. ``"galactic"``: from the
        columns ``ra`` and ``dec`` (degrees) and the flux, fitted on sources
        that the literature has classified. A mapping from class name
        to weight (classes left out get 0). An array of shape (9,) or
        (n, 9), or (n, 8) without "other". Weights need not be normalised.
    include : sequence of str, optional
        Optional columns to add, such as ``"xl_latent_cov"``.
    group_by : str, optional
        Column that names the source of which a row is an observation, such
        as ``"name"`` in a table of detections. Latents and class are then
        joint: every row holds those of its source, the likelihoods of all
        its observations multiplied and the prior entered once. See the notes.
    refine : bool, optional
        Correct latents, N_H, photon index and fluxes by the exact likelihood of the
        counts, and add ``xl_ess``, see `~astro_xlatent.model.refined`; takes
        seconds a row.
    checks : bool, optional
        Look in spectra for lines, a shifted energy scale, scatter and soft
        excesses that no latents describe, see `~astro_xlatent.model.checks`; named in
        ``xl_reason`` and flagged ``UNMODELLED``.
    overwrite : bool, optional
        Replace ``xl_`` columns that the table already has.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    enriched : Table or QTable
        A copy with the columns of `astro_xlatent.core.columns.COLUMNS`; a row
        without any usable data is masked, flagged and given a reason.

    Raises
    ------
    TableError
        If the table has no usable column and no spectra are given, if
        ``spectra`` does not fit, or if ``xl_`` columns are there already.
    MissionError
        If the mission is unknown or cannot be told.
    ModelError, ParameterError
        If the model or the prior cannot be used.

    Notes
    -----
    Without ``group_by`` rows do not influence one another: a result depends
    neither on the order nor on the number of rows.

    With ``group_by`` the table keeps its rows and their order. ``xl_latent``,
    its errors, ``xl_class``, ``xl_class_prob`` and ``xl_class_other`` are equal
    in all rows of a source, and ``xl_n_obs``, ``xl_n_used`` and ``xl_p_change``,
    the p-value against an unchanged spectrum, come at the end. N_H, fluxes,
    goodness of fit, class set, flags and reason remain those of the row's own
    observation, for they may truly differ. Where the class prior differs
    between a source's rows, their geometric mean enters.
    `~astro_xlatent.compare.observations.group_latents` gives one row a source instead.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent import add_latents
    >>> t = Table({"flux_aper_s": [1e-14], "flux_aper_lolim_s": [0.8e-14],
    ...            "flux_aper_hilim_s": [1.2e-14], "flux_aper_m": [2e-14],
    ...            "flux_aper_lolim_m": [1.7e-14], "flux_aper_hilim_m": [2.3e-14],
    ...            "flux_aper_h": [9e-14], "flux_aper_lolim_h": [8e-14],
    ...            "flux_aper_hilim_h": [10e-14]})
    >>> add_latents(t)["xl_latent"].shape
    (1, 8)
    """
    table = table if isinstance(table, Table) else Table(table)
    _check_columns(table, include, overwrite)
    if group_by is not None:
        source_numbers(table, group_by)
    model = load_model(model) if model is None or not hasattr(model, "infer") else model
    mission = _choose_mission(table, mission, spectra)
    entries = resolve_spectra(table, spectra, mission)
    wanted = include if group_by is None else (*include, "xl_latent_cov")
    wanted = (*wanted, "xl_ess") if refine else wanted
    result = _Result(len(table), model, _class_prior(table, prior, model), wanted, checks)
    with _progress_bar(len(table), progress) as bar:
        _fill_from_spectra(result, entries, bar)
        _fill_from_bands(result, table, mission, bar, needed=spectra is None)
    enriched = table.copy()
    columns = result.columns()
    enriched.remove_columns([n for n in (*COLUMNS, *GROUP_COLUMNS)
                             if n in enriched.colnames and n not in columns])
    for name, column in columns.items():
        enriched[name] = column
    enriched.meta.update(provenance_meta(
        f"{model.name}-{model.version}", model.sha256, latent_space=model.latent_space,
        prior=_prior_name(prior), device=str(model.device)))
    if group_by is not None:
        enriched = share_latents(enriched, group_by, class_weights=result.weights)
        enriched.keep_columns([n for n in enriched.colnames if n != "xl_latent_cov" or n in include])
    return enriched


def predict_spectra(paths, *, model=None, prior=None, progress=False):
    """
    Results for spectrum files, without a table.

    Parameters
    ----------
    paths : sequence of path-like or XraySpectrum
        OGIP PHA files.
    model, prior, progress
        As for `add_latents`.

    Returns
    -------
    table : `~astropy.table.Table`
        A ``file`` column and those of `add_latents`.
    """
    names = [str(getattr(p, "path", p)) for p in paths]
    table = Table({"file": np.array(names, dtype=str)})
    return add_latents(table, list(paths), model=model, prior=prior, progress=progress)


def _check_columns(table, include, overwrite):
    optional = [name for name, spec in COLUMNS.items() if spec.optional]
    unknown = [name for name in include if name not in optional]
    if unknown:
        msg = f"include names {', '.join(unknown)}; allowed: {', '.join(optional)}"
        raise TableError(msg)
    present = [name for name in (*COLUMNS, *GROUP_COLUMNS) if name in table.colnames]
    if present and not overwrite:
        msg = (f"the table already has {', '.join(present[:4])}; give overwrite=True to replace "
               "them, or rename them to keep both")
        raise TableError(msg)


def _choose_mission(table, mission, spectra):
    """The mission of the band columns; None where spectra make up for it."""
    if mission is not None:
        return get_mission(mission) if isinstance(mission, str) else mission
    try:
        return identify_mission(table)
    except MissionError:
        if spectra is None and len(table.colnames):
            raise
        return None


def _prior_name(prior):
    if prior is None or isinstance(prior, str):
        return prior
    return "given by the user"


def _class_prior(table, prior, model):
    """Weights (rows, 9), or a `GalacticPrior` that finds them row by row."""
    if not (isinstance(prior, str) and prior == "galactic"):
        return prior_weights(prior, len(table))
    if "galactic_prior" not in model.calibration.tables:
        msg = f"prior='galactic': model {model.name} has none; use None or a mapping"
        raise ParameterError(msg)
    names = {name.lower(): name for name in table.colnames}
    found = position_names(names)
    if found is None:
        msg = "prior='galactic' needs columns ra and dec (degrees); add them or use another prior"
        raise TableError(msg)
    ra, dec = (_degrees(table[names[key]]) for key in found)
    known = np.isfinite(ra) & (np.abs(dec) <= 90)
    galactic = SkyCoord(np.where(known, ra, 0), np.where(known, dec, 0), unit="deg").galactic
    lon, lat = (np.where(known, angle.deg, np.nan) for angle in (galactic.l, galactic.b))
    return GalacticPrior(model.calibration.tables["galactic_prior"], lon, lat)


def _degrees(column):
    """An angle column as plain degrees, NaN where masked."""
    values = getattr(column, "unmasked", column)
    unit = getattr(column, "unit", None) or u.deg
    degrees = u.Quantity(np.ma.getdata(np.ma.asarray(getattr(values, "value", values))).astype(float),
                         unit).to_value(u.deg)
    return np.where(np.asarray(getattr(column, "mask", False), bool), np.nan, degrees)


def _progress_bar(total, show):
    from tqdm import tqdm

    return tqdm(total=total, disable=not show, unit="rows", desc="add_latents")


def _fill_from_spectra(result, entries, bar):
    rows = [row for row, entry in enumerate(entries) if entry is not None]
    for start in range(0, len(rows), SPECTRA_CHUNK):
        chunk = rows[start:start + SPECTRA_CHUNK]
        opened = {row: spectrum for row in chunk
                  if (spectrum := _open_and_note(result, row, entries[row])) is not None}
        bar.update(len(opened))
        usable, bins, matrices = _bin_rows(result, opened)
        for row in usable:
            result.check_mission(row, mission_of_spectrum(opened[row]), opened[row].instrument)
        if len(usable):
            result.infer(usable, bins, matrices)


def _open_and_note(result, row, entry):
    """The spectrum of a row, or None; flags and reason are noted."""
    spectrum, flags, reason = open_spectrum(entry)
    result.note(row, flags, reason)
    return spectrum


def _bin_rows(result, spectra):
    """Rows that can be used, with bins and folding matrices; one that cannot stays alone with it."""
    rows = np.array(list(spectra), int)
    try:
        bins, matrices = bins_from_spectra(list(spectra.values()))
    except XlatentError as error:
        if len(rows) == 1:
            result.note(rows[0], Flag.SPECTRUM_UNREADABLE, str(error))
            return rows[:0], None, None
        parts = [_bin_rows(result, {row: spectrum}) for row, spectrum in spectra.items()]
        parts = [part for part in parts if len(part[0])]
        if not parts:
            return rows[:0], None, None
        rows, bins, matrices = zip(*parts, strict=True)
        return np.concatenate(rows), EnergyBins.concatenate(bins), np.concatenate(matrices)
    seen = np.any(bins.valid & (bins.area > 0), axis=1)
    for row in rows[~seen]:
        reason = f"{spectra[row].path or 'spectrum'}: no effective area between 0.3 and 10 keV"
        result.note(row, Flag.SPECTRUM_UNREADABLE, reason)
    return (rows, bins, matrices) if seen.all() else (rows[seen], bins[seen], matrices[seen])


def _fill_from_bands(result, table, mission, bar, needed=True):
    """Rows without a usable spectrum; band columns must be there only if no spectra were given."""
    rows = np.nonzero(~result.done)[0]
    for start in range(0, len(rows), conf.batch_size):
        chunk = rows[start:start + conf.batch_size]
        bar.update(len(chunk))
        if mission is None or not mission.bands:
            for row in chunk:
                result.note(row, Flag.NO_DATA, "" if result.reasons[row] else _NOTHING)
            continue
        try:
            measured = mission.read_bands(table[chunk])
        except MissingBandsError:
            if needed:
                raise
            for row in chunk:
                result.note(row, Flag.NO_DATA, "" if result.reasons[row] else _NOTHING)
            continue
        for row, flags, reason in zip(chunk, measured.flags, measured.reason, strict=True):
            result.note(row, int(flags), reason)
        usable = measured.bins.valid.any(axis=1)
        result.flags[chunk[usable]] |= Flag.BANDS_ONLY
        for row in chunk[~usable]:
            result.note(row, Flag.NO_DATA, "")
        if usable.any():
            result.infer(chunk[usable], measured.bins[usable], None)
            for row in chunk[usable]:
                result.check_mission(row, mission)


class _Result:
    """Column values, flags and reasons of all rows, filled piece by piece."""

    def __init__(self, n_rows, model, prior, include, checks=False):
        self.model = model
        self.checks = checks
        self.prior = prior
        self.weights = np.full((n_rows, len(model.classes)), 1 / len(model.classes))
        self.flags = np.zeros(n_rows, np.int32)
        self.reasons = [""] * n_rows
        self.done = np.zeros(n_rows, bool)
        self.values = {
            name: np.zeros((n_rows, *spec.shape), _STRINGS.get(name, spec.dtype))
            for name, spec in COLUMNS.items()
            if name not in _OWN_COLUMNS and (name in include or not spec.optional)
        }

    def note(self, row, flags, reason):
        """Add flags and a reason to a row."""
        self.flags[row] |= flags
        if reason:
            self.reasons[row] = f"{self.reasons[row]}; {reason}" if self.reasons[row] else reason

    def check_mission(self, row, mission, instrument=None):
        """Flag what the model was not trained on."""
        known = mission is not None and mission.name in self.model.missions
        if known and instrument and mission.instruments:
            known = any(instrument.upper().startswith(i) for i in mission.instruments)
        if not known:
            self.flags[row] |= Flag.OUTSIDE_MISSION

    def infer(self, rows, bins, matrices):
        """Run the model on some rows and flag what the counts tell."""
        posterior = self.model.infer(bins, matrices)
        if "xl_ess" in self.values:
            posterior = refine_posterior(self.model, posterior, bins, matrices)
        if self.checks and matrices is not None:
            for row, reason in zip(rows, unmodelled(self.model, posterior, bins, matrices), strict=True):
                self.note(row, Flag.UNMODELLED if reason else 0, reason)
        self.done[rows] = True
        weights = self.prior
        if isinstance(weights, GalacticPrior):
            flux = posterior.flux["05_2"][:, 1] + posterior.flux["2_7"][:, 1]
            weights = weights.weights(rows, flux)
        else:
            weights = weights[rows]
        self.weights[rows] = weights
        found = _posterior_values(posterior, weights, self.model.classes)
        for name, values in self.values.items():
            values[rows] = found[name]
        net = bins.net_counts
        flag_where = [
            (Flag.FEW_COUNTS, net < FEW_COUNTS),
            (Flag.OUTSIDE_COUNTS, (net < TRAINED_COUNTS[0]) | (net > TRAINED_COUNTS[1])),
            (Flag.OUTSIDE_ENERGY, _coverage(bins) < MIN_COVERAGE),
            (Flag.NO_SOURCE, ~posterior.detected),
            (Flag.NH_UPPER_LIMIT, density_below(posterior.nh_density, LOG_NH_RANGE, 20.0) > 0.05),
            (Flag.OUTLIER, posterior.outlier < OUTLIER_LEVEL),
        ]
        if matrices is not None:
            poor = self.model.calibration.poor_fit(net, posterior.gof, OUTLIER_LEVEL)
            flag_where.append((Flag.POOR_FIT, poor))
        for flag, where in flag_where:
            self.flags[rows[where]] |= flag

    def columns(self):
        """All output columns by name."""
        columns = {}
        for name, values in self.values.items():
            missing = ~self.done
            if values.dtype.kind == "f" and values.ndim == 1:
                missing = missing | ~np.isfinite(values)
            columns[name] = make_column(name, values, missing)
        label = f"{self.model.name}-{self.model.version}"
        columns["xl_flag"] = make_column("xl_flag", self.flags)
        columns["xl_reason"] = make_column("xl_reason", np.array(self.reasons, dtype=str))
        columns["xl_model"] = make_column("xl_model", np.full(len(self.flags), label))
        return columns


def _coverage(bins):
    """Share of ln(7 / 0.5) that the valid bins of every row cover."""
    low, high = np.clip(bins.e_lo, 0.5, 7.0), np.clip(bins.e_hi, 0.5, 7.0)
    width = np.where(bins.valid, np.log(high / low), 0.0)
    return width.sum(axis=1) / np.log(7.0 / 0.5)


def _posterior_values(posterior, weights, classes):
    """Column values by name for the rows of a posterior."""
    probability = apply_prior(posterior.class_prob, weights)
    other = probability[:, -1]
    eight = probability[:, :-1] / np.maximum(1 - other, 1e-12)[:, None]
    quantiles = posterior.nh_quantiles([0.5, 0.16, 0.84, 0.05, 0.95, 0.90])
    variance = np.diagonal(posterior.latent_cov, axis1=1, axis2=2)
    values = {
        "xl_latent": posterior.latent,
        "xl_latent_err": np.sqrt(variance),
        "xl_latent_cov": posterior.latent_cov,
        "xl_class": np.array(classes)[probability.argmax(axis=1)],
        "xl_class_prob": eight,
        "xl_class_set": [",".join(classes[k] for k in row) for row in posterior.class_set],
        "xl_class_other": other,
        "xl_gof": posterior.gof,
        "xl_ess": getattr(posterior, "ess", np.full(len(other), np.nan)),
        "xl_outlier": posterior.outlier,
    }
    names = ("xl_nh", "xl_nh_lolim", "xl_nh_hilim", "xl_nh_lolim90", "xl_nh_hilim90", "xl_nh_ul90")
    values.update(zip(names, quantiles.T, strict=True))
    for name, found in (("xl_photon_index", posterior.index_quantiles([0.5, 0.16, 0.84])),
                        ("xl_kt", posterior.kt_quantiles([0.5, 0.16, 0.84]))):
        values |= dict(zip((name, f"{name}_lolim", f"{name}_hilim"), found.T, strict=True))
    for band in FLUX_BANDS:
        low, median, high = posterior.flux[band].T
        values |= {f"xl_flux_{band}": median, f"xl_flux_{band}_lolim": low,
                   f"xl_flux_{band}_hilim": high}
    return values
