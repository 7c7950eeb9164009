# Licensed under a 3-clause BSD style license - see LICENSE
"""Provenance metadata."""

from datetime import UTC, datetime, timedelta

import pytest
from astropy.io import fits
from astropy.table import Table

from astro_xlatent.core.errors import ModelError
from astro_xlatent.core.provenance import PROVENANCE_KEYS, check_latent_space, provenance_meta


def test_keys_fit_a_fits_header():
    """Every key is a plain FITS keyword and every value fits a card without a warning."""
    meta = provenance_meta("model-1", "0" * 64, latent_space="1", prior="survey")
    header = fits.Header()
    for key, value in meta.items():
        header[key] = value
    assert list(header) == list(PROVENANCE_KEYS)
    assert header["XLSHA256"] == "0" * 64


def test_date_is_utc():
    """The time is now, in UTC."""
    now = datetime.fromisoformat(provenance_meta("m", "0")["XLDATE"]).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=5)


def test_no_prior_is_said():
    """No prior is written as such."""
    assert provenance_meta("m", "0")["XLPRIOR"] == "none"


def test_latent_spaces_are_not_mixed():
    """Tables of different or unknown spaces are refused."""
    one, other, unknown = (Table(meta=meta) for meta in ({"XLSPACE": "a"}, {"XLSPACE": "b"}, {}))
    assert check_latent_space(one, one.copy()) == "a"
    for pair in ((one, other), (one, unknown), (unknown, unknown)):
        with pytest.raises(ModelError, match="enrich all tables with the same model"):
            check_latent_space(*pair)
