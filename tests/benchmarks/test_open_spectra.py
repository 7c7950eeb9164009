# Licensed under a 3-clause BSD style license - see LICENSE
"""Real spectra beside reference fits."""

import csv

import numpy as np
import pytest

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from benchmarks.studies.open_spectra import (
    Compared,
    compare_spectra,
    evidence_table,
    result_table,
    spectra_numbers,
)
from benchmarks.studies.reference import MODELS, ReferenceFit


def test_tables_and_numbers(shared_data, tmp_path, random_model):
    """One spectrum is compared, one refused by name; the summary counts both right."""
    with open(shared_data / "spectra" / "inventory.csv", newline="") as stream:
        entries = {row["folder"].rpartition("/")[2]: row for row in csv.DictReader(stream)}
    chosen = [entries["acisf07867_000N001_r0002_pha3"], entries["hrcf24564_000N030_r0001_pha3"]]
    (tmp_path / "spectra").mkdir()
    with open(tmp_path / "spectra" / "inventory.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, chosen[0].keys())
        writer.writeheader()
        writer.writerows(row | {"folder": str(shared_data / row["folder"])} for row in chosen)
    compared = compare_spectra(tmp_path, model=random_model)
    table = result_table(compared)
    assert table["spectrum"].tolist() == ["acisf07867_000N001_r0002_pha3"]
    # The fit of an absorbed power law in the literature: quasar, no column above the Galactic one.
    assert compared[0].fit.model.name == "power law"
    assert compared[0].fit.interval90[1] < 21.3
    reasons = evidence_table(compared)["evidence, or reason of refusal"].tolist()
    assert "HRC" in reasons[1]
    assert not reasons[0].startswith("REFUSED")
    numbers = spectra_numbers(compared, np.random.default_rng(1))
    assert {n.n for n in numbers if n.subset == "all that were read"} == {1}


def compared(limits, flag, best, interval):
    """A spectrum with given 90 % limits of the model, and a reference fit."""
    names = ("xl_nh_lolim90", "xl_nh_hilim90", "xl_nh_ul90", "xl_flag")
    found = dict(zip(names, (10 ** limits[0], 10 ** limits[1], 10 ** (limits[1] - 0.1), flag), strict=True))
    fit = ReferenceFit(MODELS[0], best, np.array([2.0]), 5.0, 100.0, 0.0, interval90=interval)
    return Compared({"folder": "a/b", "src_class": "AGN"}, found=found, fit=fit)


def test_agreement():
    """Measured columns must lie inside; of upper limits the intervals must overlap."""
    assert compared((21.0, 22.0), 0, 21.5, (21.4, 21.6)).inside
    assert not compared((21.0, 22.0), 0, 22.1, (21.9, 22.2)).inside
    assert compared((20.5, 21.0), 0, 18.0, (18.0, 20.6)).inside
    assert not compared((20.5, 21.0), 0, 18.0, (18.0, 20.4)).inside
    assert compared((20.5, 21.0), Flag.NH_UPPER_LIMIT, 18.0, (18.0, 19.0)).inside
    assert not compared((20.5, 21.0), Flag.NH_UPPER_LIMIT, 20.95, (20.9, 21.1)).inside


def test_no_inventory(tmp_path):
    """A folder without an inventory is an error that names it."""
    with pytest.raises(TableError, match="inventory.csv"):
        compare_spectra(tmp_path)


def test_probability_of_the_class_in_the_literature():
    """Of nine equal priors; where the literature allows several classes, of all of them; never zero."""
    from astro_xlatent.core.columns import CLASSES

    found = {"xl_class_other": 0.5, "xl_class_prob": np.where(np.isin(CLASSES, ("AGN", "YSO")), 0.5, 0.0)}

    def log_probability(name):
        return Compared({"folder": "a/b", "src_class": name}, found=found).log_probability

    assert log_probability("AGN") == log_probability("star/YSO") == pytest.approx(np.log(0.25))
    assert log_probability("SNR") == pytest.approx(np.log(0.5))
    assert log_probability("LMXB") == pytest.approx(np.log(1e-4))
