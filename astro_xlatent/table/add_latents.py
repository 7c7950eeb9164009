# Licensed under a 3-clause BSD style license - see LICENSE
"""`add_latents`, the whole journey: chunks of rows with energy bins, their posteriors, columns of these."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from astropy.table import Column, MaskedColumn, Row, Table
from numpy.typing import ArrayLike
from tqdm import tqdm

from astro_xlatent.compare.observations import source_numbers
from astro_xlatent.core.columns import COLUMNS, own_columns
from astro_xlatent.core.errors import MissionError, ParameterError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.core.provenance import provenance_meta
from astro_xlatent.missions.base import Mission, get_mission, identify_mission
from astro_xlatent.model.base import LatentModel
from astro_xlatent.model.checks import unmodeled
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.refined import refine_posterior
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.collect import EnrichedColumns
from astro_xlatent.table.evidence import Evidence, class_prior, prior_name
from astro_xlatent.table.files import flatten_vectors, with_columns
from astro_xlatent.table.sources import measure

__all__ = ["add_latents", "predict_spectra"]

TableLike = TypeVar("TableLike")
# Where data frames come from; narwhals knows more, but is not asked to import for anything else.
_FRAMES = ("pandas", "polars", "pyarrow", "modin", "cudf")


def add_latents(table: TableLike, spectra: str | Path | Mapping | Sequence | None = None, *,
                mission: str | Mission | type[Mission] | None = None,
                model: str | Path | LatentModel | None = None,
                prior: str | Mapping[str, float] | ArrayLike | None = None,
                evidence: str | Sequence[str] | None = None, include: str | Sequence[str] = (),
                group_by: str | None = None, refine: bool = False, checks: bool = False,
                replace: bool = False, relative_error: float | None = None,
                progress: bool = False) -> TableLike:
    """
    Add latents, class, N_H, fluxes and quality to every row of a table.

    Without ``group_by`` rows do not influence one another.

    Parameters
    ----------
    table : `~astropy.table.Table`, QTable, Row, or a data frame
        Any number of rows, none included. It is not changed. Data frames are
        those of pandas and polars and tables of pyarrow, through narwhals.
    spectra : str, path-like, mapping or sequence, optional
        Where the rows' OGIP spectra are: the name of a column of paths; a folder, in which files are found by
        the mission's naming; a mapping from source name or row number to a path or `XraySpectrum` (a value of
        the name column goes before a row number); or a sequence with one path, `XraySpectrum` or None per
        row. Rows without a usable spectrum fall back on the table's band columns, and are flagged.
    mission : str, Mission or its class, optional
        ``"csc"``, ``"erosita"`` or another registered mission, if the columns do not tell.
    model : str, path-like or Model, optional
        See `load_model`.
    prior : None, 'survey', mapping or array_like, optional
        Class prior. None: all nine classes alike. ``"survey"``: what a source of this flux at this position
        is expected to be, from published number counts (`~astro_xlatent.model.priors.survey_weights`), with
        columns ``ra`` and ``dec`` (degrees), or a `SkyCoord` column, and ``nh_gal`` where it is known. A
        mapping from class name to weight (classes left out get 0). An array of shape (9,) or (n, 9), or (n,
        8) without "other". Weights need not be normalized.
    evidence : None, 'xray', 'counterparts', 'all', or sequence of str, optional
        What else counts for the class: columns of the row itself (flux, position, ``nh_gal``, variability),
        columns of counterparts (Gaia, 2MASS, WISE), both, or groups by name (`pieces_of`). The class by the
        spectrum alone is then in ``xl_class_spectrum``.
    include : str or sequence of str, optional
        Optional columns to add, such as ``"xl_latent_cov"``.
    group_by : str, optional
        Column that names the source of which a row is an observation, such as ``"name"`` in a table of
        detections. Latents and class are then joint: every row holds those of its source, the likelihoods of
        all its observations multiplied and the prior entered once. See the notes.
    replace : bool, optional
        Replace the columns that an earlier run has added to the table.
    relative_error : float, optional
        Relative 1-sigma error, between 0 and 1, of fluxes for which the table gives neither an error
        nor counts, significance or likelihood to take it from. Rows that need it are flagged
        ``ERRORS_ASSUMED``; without it they stay masked.
    refine : bool, optional
        Correct latents, N_H, photon index and fluxes by the exact likelihood of the counts, and add
        ``xl_ess``, see `~astro_xlatent.model.refined`; takes seconds a row.
    checks : bool, optional
        Look in spectra for lines, a shifted energy scale, scatter and soft excesses that no latents describe,
        see `~astro_xlatent.model.checks`; named in ``xl_reason`` and flagged ``UNMODELED``.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    enriched : like ``table``
        A copy with the columns of `astro_xlatent.core.columns.COLUMNS`; a row
        without any usable data is masked, flagged and given a reason. Where no
        source is detected only ``xl_nh_ul90`` and the fluxes' upper limits stand. In data frames,
        vectors are split as in `~astro_xlatent.table.files.flatten_vectors`.

    Raises
    ------
    TypeError
        If ``table`` is no table, such as the path of one.
    TableError
        If the table has no usable column and no spectra are given, if
        ``spectra`` does not fit, or if ``xl_`` columns are there already.
    MissionError
        If the mission is unknown or cannot be told.
    ModelError, ParameterError
        If the model or the prior cannot be used.

    Notes
    -----
    With ``group_by`` the table keeps its rows and their order. ``xl_latent``, its errors, ``xl_class``,
    ``xl_class_prob`` and ``xl_class_other`` are equal in all rows of a source, and ``xl_n_obs``,
    ``xl_n_used`` and ``xl_p_change``, the p-value against an unchanged spectrum, come at the end. All else is
    of the row's own observation, for it may truly differ. Where the class prior differs between a source's
    rows, their geometric mean enters. `~astro_xlatent.compare.observations.group_latents` gives one row a
    source instead.

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
    table, hand_back = open_table(table)
    include = _check_columns(table, include, replace)
    include = (*include, "xl_ess") if refine else include
    source = None if group_by is None else source_numbers(table, group_by)[1]
    model = load_model(model)
    mission = _choose_mission(table, mission, spectra, relative_error)
    weights, prior_flags = class_prior(table, prior)
    recipes: Counter[str] = Counter()
    columns = EnrichedColumns(len(table), model, weights, include, joint=source is not None,
                              evidence=None if evidence is None else Evidence(table, evidence, prior))
    with tqdm(total=len(table), disable=not progress, unit="rows", desc="add_latents") as bar:
        for chunk in measure(table, spectra, mission):
            posterior = model.infer(chunk.bins, chunk.matrices) if len(chunk.bins) else None
            if refine and posterior is not None:
                posterior = refine_posterior(model, posterior, chunk.bins, chunk.matrices)
            columns.take(chunk, posterior)
            if checks and chunk.matrices is not None:
                columns.note(chunk, Flag.UNMODELED, unmodeled(model, posterior, chunk.bins, chunk.matrices))
            recipes.update(chunk.recipes.tolist())
            bar.update(len(chunk.rows))
    columns.flags |= prior_flags
    if source is not None:
        columns.join(source)
    return hand_back(columns.columns(), provenance_meta(
        f"{model.name}-{model.version}", model.sha256, latent_space=model.latent_space,
        prior=prior_name(prior, evidence), device=str(model.device))
        | {"XLRECIPE": ", ".join(f"{name} {n}" for name, n in recipes.most_common()) or "none"})


def predict_spectra(paths: Sequence[str | Path | XraySpectrum], *,
                    model: str | Path | LatentModel | None = None,
                    prior: str | Mapping[str, float] | ArrayLike | None = None,
                    progress: bool = False) -> Table:
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
    table = Table({"file": np.array([str(getattr(p, "path", p)) for p in paths], dtype=str)})
    return add_latents(table, list(paths), model=model, prior=prior, progress=progress)


def _check_columns(table, include, replace):
    """The names of optional columns; refuse unknown ones, and columns that are there already."""
    include = (include,) if isinstance(include, str) else tuple(include)
    optional = [name for name, spec in COLUMNS.items() if spec.optional]
    if unknown := [str(name) for name in include if name not in optional]:
        raise TableError(f"include names {', '.join(unknown)}; allowed: {', '.join(optional)}")
    present = own_columns(table.colnames)
    if present and not replace:
        raise TableError(f"the table already has {', '.join(present[:4])}; give replace=True to replace "
                         "them, or rename them to keep both")
    return include


def _choose_mission(table, mission, spectra, relative_error):
    """The mission of the band columns, or a copy of it that knows an error to assume; None without one."""
    try:
        mission = identify_mission(table) if mission is None else get_mission(mission)
    except MissionError:
        if mission is not None or spectra is None and len(table.colnames):
            raise
    if relative_error is None or mission is None:
        return mission
    if not 0 < relative_error < 1:
        raise ParameterError(f"relative_error must lie between 0 and 1, such as 0.2, got {relative_error!r}")
    mission = copy(mission)
    mission.relative_error = float(relative_error)
    return mission


def open_table(data) -> tuple[Table, Callable]:
    """A table, maybe ``data``, and the way back ``hand_back(columns, meta)``; TypeError if it has no rows."""
    if isinstance(data, Row):
        rows = data.table[data.index:data.index + 1]
        return rows, lambda columns, meta: with_columns(rows, columns, meta)[0]
    if isinstance(data, Mapping) or (isinstance(data, np.ndarray) and data.dtype.names):
        data = Table(data)
    if isinstance(data, Table):
        return data, partial(with_columns, data)
    if type(data).__module__.partition(".")[0] in _FRAMES:
        frame = _narwhals().from_native(data, eager_only=True, pass_through=True)
        if isinstance(frame, _narwhals().DataFrame):
            return Table([_column(frame[name]) for name in frame.columns]), partial(_enriched_frame, frame)
    msg = f"table is a {type(data).__name__}; an astropy Table, a Row or a data frame is needed"
    if isinstance(data, str | bytes) or hasattr(data, "__fspath__"):
        msg += f": read it first, astropy.table.Table.read({str(data)!r})"
    elif hasattr(data, "collect"):
        msg += ": call its collect() first"
    raise TypeError(msg)


def _narwhals():
    try:
        import narwhals
    except ImportError as error:
        raise ImportError("table is a data frame, which needs narwhals (pip install narwhals), or convert it "
                          "to an astropy Table") from error
    return narwhals


def _column(series):
    """A column of a data frame, masked where it is null."""
    nw = _narwhals()
    kind, missing = series.dtype, series.is_null().to_numpy()
    if kind.is_numeric() or kind == nw.Boolean:
        values = series.fill_null(False if kind == nw.Boolean else 0).to_numpy()
    elif kind in (nw.String, nw.Categorical, nw.Enum):
        values = np.array(series.cast(nw.String).fill_null("").to_list(), str)
    else:
        values = np.empty(len(series), object)
        values[:] = series.to_list()
    if values.dtype.kind == "O" or not missing.any():
        return Column(values, name=series.name)
    return MaskedColumn(values, mask=missing, name=series.name)


def _enriched_frame(frame, columns, meta):
    """The same for a data frame: vectors are split, and what is masked is null."""
    nw, added = _narwhals(), []
    for column in flatten_vectors(Table(list(columns.values()))).itercols():
        values, masked = np.ma.getdata(column), np.ma.getmaskarray(column)
        if masked.any():
            values = np.where(masked, np.nan if values.dtype.kind == "f" else None, values)
        if values.dtype.kind in "UO":
            added.append(nw.new_series(column.name, values.tolist(), nw.String, backend=frame.implementation))
        else:
            values = nw.new_series(column.name, np.ascontiguousarray(values), backend=frame.implementation)
            added.append(values.fill_nan(None) if masked.any() else values)
    native = frame.drop(own_columns(frame.columns)).with_columns(added).to_native()
    if isinstance(getattr(native, "attrs", None), dict):
        native.attrs.update(meta)
    return native
