# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated catalogs in memory: batches of bins, and tables.

See `astro_xlatent.simulate.chunks` for how rows are numbered and drawn.
"""

from dataclasses import replace
from itertools import chain

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.simulate.chunks import CHUNK, check_arguments, observed_chunks
from astro_xlatent.simulate.conditions import MISSION_SHARE
from astro_xlatent.simulate.rows import make_table, truth_columns
from astro_xlatent.simulate.rows_csc import csc_columns
from astro_xlatent.simulate.rows_erosita import erosita_columns
from astro_xlatent.simulate.rows_xmm import xmm_columns
from astro_xlatent.spectra.binning import observed_fields
from astro_xlatent.spectra.bins import N_FINE, EnergyBins

__all__ = ["MODES", "batch", "catalog_part", "fine_bins", "simulate_catalog"]

MODES = ("bands", "spectra")
_COLUMNS = {"csc": csc_columns, "erosita": erosita_columns, "xmm": xmm_columns}


def batch(seed, n, *, start=0, mission=None, mode=None, classes=None):
    """
    Simulate observed sources with the truth about them.

    Parameters
    ----------
    seed, n : int
        0 or more; ``n`` is the number of rows.
    start : int, optional
        Number of the first row.
    mission : {'csc', 'erosita', 'xmm'}, optional
        Of all rows; by default half of them Chandra's, a quarter each of the others.
    mode : {'spectra', 'bands'}, optional
        Spectra on the fine grid (default), or the bands that are read out of catalog rows.
    classes : sequence of str, or mapping of str to float, optional
        Classes to draw, or their relative frequencies; default all nine alike.

    Returns
    -------
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        With n rows. Background regions are measured for every row.
    truth : `~astropy.table.Table`
        What the rows are, see its column descriptions.

    Raises
    ------
    ParameterError, MissionError
        With the allowed values.

    Notes
    -----
    A row depends on its number, the seed and the arguments alone, never on ``n`` or ``start``. Both modes
    show the same observations if ``mission`` is given. Bit for bit on one machine and numpy; elsewhere
    sums may round differently.

    Examples
    --------
    >>> from astro_xlatent.simulate import batch
    >>> bins, truth = batch(1, 3, mission="csc", mode="bands")
    >>> bins.counts.shape, len(truth), str(truth["mission"][0])
    ((3, 3), 3, 'csc')
    """
    check_arguments(seed, n, start, mission)
    if mode not in (None, *MODES):
        msg = f"mode is {mode!r}; allowed: {', '.join(MODES)}"
        raise ParameterError(msg)
    bands = mode == "bands"
    shares = MISSION_SHARE if mission is None else {mission: 1.0}
    width = N_FINE if not bands else max(len(get_mission(m).bands) for m in shares)
    pieces, rows = [EnergyBins.empty(0, width)], []
    chunks = observed_chunks(seed, n, start=start, missions=shares, classes=classes)
    for observed in chain.from_iterable(chunks):
        if bands:
            table = make_table([(observed.row, catalog_part(observed))])
            pieces.append(get_mission(observed.mission).read_bands(table).bins)
        else:
            pieces.append(fine_bins(observed))
        rows.append((observed.row, truth_columns(observed)))
    order = np.argsort(np.concatenate([row for row, _ in rows]))
    cut = slice(start % CHUNK, start % CHUNK + n)
    return EnergyBins.concatenate(pieces)[order[cut]], make_table(rows)[cut]


def simulate_catalog(seed, n, mission, *, classes=None):
    """
    Simulate a catalog in the mission's own columns: it and the truth, row by row, see `batch`.

    Positions, names and numbers are made up.

    Examples
    --------
    >>> from astro_xlatent.simulate.catalog import simulate_catalog
    >>> catalog, truth = simulate_catalog(1, 2, "erosita")
    >>> [name for name in catalog.colnames if name.endswith("_P1")][:3]
    ['APE_CTS_P1', 'APE_BKG_P1', 'APE_EXP_P1']
    """
    check_arguments(seed, n, 0, mission, needed=True)
    chunks = observed_chunks(seed, n, missions={mission: 1.0}, classes=classes)
    rows = [(o.row, catalog_part(o), truth_columns(o)) for o in chain.from_iterable(chunks)]
    return make_table([r[:2] for r in rows])[:n], make_table([r[::2] for r in rows])[:n]


def catalog_part(observed):
    """Catalog columns of observed rows, name to ``(values, unit, description)``."""
    return _COLUMNS[observed.mission](observed)


def fine_bins(observed):
    """Fine bins of observed spectra, what the OGIP reader makes of the spectra on disk."""
    detector, p = observed.detector, observed.pointings
    seconds = p.exposure[:, None]
    fine = replace(detector.unit, area=1.0)  # one square centimeter; the rows' areas differ
    counts, off = observed.counts @ detector.into_fine, observed.off_counts @ detector.into_fine
    area = detector.unit.fine_area(observed.area) * seconds
    return EnergyBins(**observed_fields(fine, counts, area, off, p.scale[:, None]))
