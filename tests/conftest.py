# Licensed under a 3-clause BSD style license - see LICENSE
"""Fixtures that several test files use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real spectra, responses, labels and physics tables beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("XLATENT_SHARED", default))
    if not folder.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not on this machine")
    return folder
