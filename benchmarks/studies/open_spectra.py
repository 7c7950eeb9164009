# Licensed under a 3-clause BSD style license - see LICENSE
"""
Real spectra: class, N_H and goodness of fit beside reference fits and literature.

The answers come from `~astro_xlatent.add_latents` with flat class prior, the
references from `benchmarks.studies.reference`. Spectra that are refused
are named with the reason.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, OTHER
from astro_xlatent.core.errors import TableError, XlatentError
from astro_xlatent.core.flags import Flag
from astro_xlatent.evaluate.results import Number
from astro_xlatent.spectra.spectrum import XraySpectrum
from benchmarks.studies.coverage import mean_with_interval
from benchmarks.studies.reference import LOG_NH, OnOff, best_reference_fit

__all__ = ["Compared", "compare_spectra", "evidence_table", "result_table", "spectra_numbers",
           "with_answers"]

#: Band of the reference fits in keV by mission; Chandra's calibration is good in the default.
BANDS = {"XMM-Newton": (0.3, 8.0), "eROSITA": (0.3, 8.0)}
DEFAULT_BAND = (0.5, 7.0)
#: Probabilities are not taken for smaller than this.
LEAST = 1e-4
#: Below this log N_H a fit's interval contains no absorption.
NO_COLUMN = 20.0
_CLASSES = {
    "AGN": ("AGN",), "LMXB": ("LMXB",), "NS/pulsar": ("NS",), "star/YSO": ("LM-STAR", "HM-STAR", "YSO"),
    "SNR": ("other",), "ULX": ("other",), "cluster/galaxy": ("other",),
}
_INCLUDE = ("xl_nh_lolim90", "xl_nh_hilim90", "xl_class_set")


@dataclass
class Compared:
    """
    One spectrum with the model's answer and the reference.

    Attributes
    ----------
    entry : dict of str
        The inventory's line.
    refused : str
        Why it could not be read, else empty.
    spectrum : XraySpectrum or None
    found : `~astropy.table.Row` or None
        Of the enriched table.
    data : OnOff or None
    fit : ReferenceFit or None
    spread : tuple of float
        Range of log N_H of all families that describe the spectrum almost as well.
    """

    entry: dict
    refused: str = ""
    spectrum: object = None
    found: object = None
    data: object = None
    fit: object = None
    spread: tuple = (np.nan, np.nan)

    @property
    def name(self):
        """Name of the folder."""
        return Path(self.entry["folder"]).name

    @property
    def classes(self):
        """Classes that the literature allows; empty where unknown."""
        return _CLASSES.get(self.entry["src_class"], ())

    @property
    def log_probability(self):
        """Log probability, for nine equal priors, of the classes that the literature allows together."""
        other = float(self.found["xl_class_other"])
        given = dict(zip(CLASSES, (1 - other) * np.asarray(self.found["xl_class_prob"], float), strict=True))
        return float(np.log(max(sum((given | {OTHER: other})[name] for name in self.classes), LEAST)))

    @property
    def limits(self):
        """The 90 % interval of log N_H; open below where N_H is an upper limit."""
        low, high = (float(np.log10(self.found[f"xl_nh_{end}lim90"])) for end in ("lo", "hi"))
        if self.found["xl_flag"] & Flag.NH_UPPER_LIMIT:
            return LOG_NH[0], float(np.log10(self.found["xl_nh_ul90"]))
        return low, high

    @property
    def width68(self):
        """Width of the 68 % interval in dex."""
        return float(np.log10(self.found["xl_nh_hilim"] / self.found["xl_nh_lolim"]))

    @property
    def measured(self):
        """Whether the reference's 90 % interval excludes no absorption."""
        return self.fit.interval90[0] > NO_COLUMN

    @property
    def inside(self):
        """
        Whether N_H agrees.

        The reference's best value lies in the 90 % interval; if the reference
        is an upper limit, the two 90 % intervals overlap.
        """
        low, high = self.limits
        if self.measured:
            return low <= self.fit.log_nh <= high
        return low <= self.fit.interval90[1] and self.fit.interval90[0] <= high


def compare_spectra(data, model=None, log=None):
    """
    Infer and fit every spectrum of the inventory.

    Parameters
    ----------
    data : path-like
        Folder with ``spectra/inventory.csv``.
    model : optional
        See `~astro_xlatent.load_model`.
    log : callable, optional
        Receives a line a spectrum.

    Returns
    -------
    compared : list of Compared

    Raises
    ------
    TableError
        If there is no inventory.
    """
    inventory = Path(data) / "spectra" / "inventory.csv"
    if not inventory.is_file():
        msg = f"{inventory} is not a file; give the folder that holds spectra/inventory.csv"
        raise TableError(msg)
    with open(inventory, newline="", encoding="utf-8") as stream:
        compared = [Compared(entry) for entry in csv.DictReader(stream)]
    for item in compared:
        item.spectrum = _read(item, Path(data))
    for item in with_answers([item for item in compared if item.spectrum is not None], model):
        item.data = OnOff(item.spectrum, BANDS.get(item.entry["mission"], DEFAULT_BAND))
        item.fit, fits = best_reference_fit(item.data)
        alike = [fit.log_nh for fit in fits if fit.criterion < item.fit.criterion + 4]
        item.spread = (min(alike), max(alike))
        if log:
            log(f"{item.name}: {item.fit.model.name}, log N_H {item.fit.log_nh:.2f}")
    return compared


def with_answers(compared, model):
    """The same spectra with the answers of a model."""
    from astro_xlatent.table.add_latents import add_latents

    table = add_latents(Table({"name": [item.name for item in compared]}),
                        [item.spectrum for item in compared], model=model, include=_INCLUDE)
    for item, row in zip(compared, table, strict=True):
        item.found = row
    return compared


def _read(item, data):
    try:
        return XraySpectrum.read(data / item.entry["folder"] / item.entry["pha"])
    except XlatentError as error:
        item.refused = str(error).rpartition(f"{item.entry['pha']}: ")[2].removeprefix("extension SPECTRUM: ")
        return None


def _log_interval(low, high):
    if high < LOG_NH[0] + 0.01:
        return "0"
    return f"{max(low, 0):.2f}-{high:.2f}" if low > LOG_NH[0] else f"< {high:.2f}"


def result_table(compared):
    """
    One line a spectrum that was read.

    Returns
    -------
    table : `~astropy.table.Table`
        Logarithms of N_H in 1/cm2; "model" is the package's, "fit" the
        reference.
    """
    lines = []
    for item in compared:
        if item.refused:
            continue
        found, fit = item.found, item.fit
        own = [np.log10(found[n]) for n in ("xl_nh", "xl_nh_lolim", "xl_nh_hilim")]
        lines.append({
            "spectrum": item.name, "instrument": item.entry["mission"],
            "net counts": f"{item.data.net_counts:.0f}",
            "literature": item.entry["src_class"], "class": found["xl_class"],
            "ln p": f"{item.log_probability:.2f}" if item.classes else "-",
            "set": "yes" if set(item.classes) & set(found["xl_class_set"].split(",")) else
                   "no" if item.classes else "-",
            "N_H model": f"{own[0]:.2f}", "68 %": f"{own[1]:.2f}-{own[2]:.2f}",
            "90 %": _log_interval(*item.limits),
            "best fit": fit.model.name, "N_H fit": f"{fit.log_nh:.2f}" if fit.log_nh > 18.01 else "0",
            "68 % of fit": _log_interval(*fit.interval68), "90 % of fit": _log_interval(*fit.interval90),
            "like fits": _log_interval(*item.spread),
            "inside": "yes" if item.inside else "NO",
            "gof model": f"{found['xl_gof']:.1f}", "gof fit": f"{fit.gof:.1f}",
            "C of fit": f"{fit.statistic:.0f} / {item.data.counts.size}",
        })
    return Table(rows=lines)


def evidence_table(compared):
    """What the literature says of every spectrum, and why some were refused."""
    lines = [{"spectrum": item.name, "object": item.entry["object"], "literature": item.entry["src_class"],
              "published N_H": item.entry["published_nh"] or "-",
              "evidence, or reason of refusal": f"REFUSED: {item.refused}" if item.refused
              else item.entry["class_evidence"]} for item in compared]
    return Table(rows=lines)


def spectra_numbers(compared, rng):
    """
    The summary: agreement of N_H, widths, classes.

    Returns
    -------
    numbers : list of Number
        With bootstrap intervals over spectra.
    """
    read = [item for item in compared if not item.refused]
    section = "real open spectra"
    numbers = []

    def share(quantity, method, subset, values):
        value, limits = mean_with_interval(np.array(values, float), rng)
        numbers.append(Number.of(section, quantity, method, subset, len(values), value, limits))

    agree = "share with N_H inside the 90 % interval"
    share(agree, "xl_nh", "all that were read", [item.inside for item in read])
    share(agree, "xl_nh", "N_H of the fit measured", [item.inside for item in read if item.measured])
    share(agree, "xl_nh", "N_H of the fit an upper limit",
          [item.inside for item in read if not item.measured])
    share("share with the fit's best N_H inside", "xl_nh", "all that were read, limits taken as values",
          [item.limits[0] <= item.fit.log_nh <= item.limits[1] for item in read])
    bright = [item for item in read if item.data.net_counts > 500 and item.measured and item.fit.log_nh > 21]
    widths = np.array([item.width68 for item in bright])
    value, limits = mean_with_interval(widths, rng, statistic=np.median)
    subset = "> 500 net counts, N_H of the fit > 1e21"
    numbers.append(Number.of(section, "median width of the 68 % interval, dex", "xl_nh", subset,
                             len(widths), value, limits))
    known = [item for item in read if item.classes]
    share("class as in the literature", "xl_class", "class known",
          [item.found["xl_class"] in item.classes for item in known])
    value, limits = mean_with_interval(np.array([item.log_probability for item in known]), rng)
    numbers.append(Number.of(section, "mean log probability of the class in the literature", "xl_class_prob",
                             "class known", len(known), value, limits))
    share("class in the conformal set", "xl_class_set", "class known",
          [bool(set(item.classes) & set(item.found["xl_class_set"].split(","))) for item in known])
    share("reference fit acceptable (gof < 3)", "reference", "all that were read",
          [item.fit.gof < 3 for item in read])
    share("decoded spectrum acceptable (gof < 3)", "xl_gof", "all that were read",
          [item.found["xl_gof"] < 3 for item in read])
    return numbers
