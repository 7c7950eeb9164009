# Licensed under a 3-clause BSD style license - see LICENSE
"""The real sample with its split, and the responses to compare it with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labels import Labeled, load_sources
from benchmarks.sky import SkySplit, load_sky
from benchmarks.studies.discriminator import Rows

__all__ = ["Sample", "csc_instruments", "load_sample", "power_law_fits"]

# The gratings' zeroth order, and one ARF that is anomalously low: not what the catalog uses.
_NOT_IMAGING = ("3c273", "obs2")


@dataclass
class Sample:
    """
    Labeled sources with fields and responses.

    Attributes
    ----------
    labeled : Labeled
    rows : Rows
        Band fluxes of the same rows.
    field : ndarray of int, shape (n,)
    split : ndarray of str, shape (n,)
    sky : SkySplit
        Of labeled sources, detections and real spectra together.
    instruments : list of Instrument
        Chandra responses.
    """

    labeled: Labeled
    rows: Rows
    field: np.ndarray
    split: np.ndarray
    sky: SkySplit
    instruments: list


def load_sample(data):
    """
    Load labeled sources, split the sky, and prepare Chandra's responses.

    Parameters
    ----------
    data : path-like
        Folder with ``labels/``, ``responses/`` and ``spectra/``.

    Returns
    -------
    sample : Sample
    """
    data = Path(data)
    sources = load_sources(data / "labels" / "csc2_labelled_sources.csv")
    sky = load_sky(data)
    position = sources.column("ra"), sources.column("dec")
    field, split = sky.assign(*position), sky.side(*position)
    return Sample(sources, Rows.of_sources(sources), field, split, sky, csc_instruments(data))


def power_law_fits(labeled):
    """
    The catalog's fits of absorbed power laws.

    Parameters
    ----------
    labeled : Labeled
        From `~benchmarks.labels.load_sources`.

    Returns
    -------
    fits : ndarray, shape (n, 3)
        Photon index, its error, and the log of the column in 1/cm2,
        converted to this package's convention; NaN where there is none.
    """
    from astro_xlatent.physics.absorption import convert_nh

    nh = labeled.column("powlaw_nh_mean") * 1e20
    nh = convert_nh(np.where(nh > 0, nh, np.nan), "phabs/angr", "tbabs/wilm")
    index, error = labeled.column("powlaw_gamma_mean"), labeled.column("e_powlaw_gamma_mean")
    return np.stack([index, error, np.log10(nh)], axis=1)


def csc_instruments(data):
    """
    Chandra imaging responses below a folder.

    Parameters
    ----------
    data : path-like

    Returns
    -------
    instruments : list of Instrument
    """
    from astro_xlatent.simulate.instruments import load_instruments

    found = load_instruments(data, log=lambda line: None)
    return [item for item in found if item.mission == "csc" and not item.name.startswith(_NOT_IMAGING)]
