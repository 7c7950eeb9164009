# Licensed under a 3-clause BSD style license - see LICENSE
"""Fixtures that several test files use."""

import os
from pathlib import Path

import pytest
from ogip_files import load_sherpa, ogip, sherpa_folder  # noqa: F401


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real spectra, responses, labels and physics tables beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("XLATENT_SHARED", default))
    if not folder.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def random_model():
    """Networks as they are before training: what does not depend on the weights."""
    import numpy as np
    import torch

    from astro_xlatent.model.calibration import Calibration
    from astro_xlatent.model.network import Config, Decoder, Encoder, Teacher
    from astro_xlatent.model.posterior import Model
    from astro_xlatent.physics.absorption import absorption_cross_section
    from astro_xlatent.physics.grid import ENERGY_MID

    torch.manual_seed(4)
    config = Config(width=32, n_layers=2)
    energy = torch.as_tensor(ENERGY_MID, dtype=torch.float32)
    sigma = torch.as_tensor(np.array(absorption_cross_section(ENERGY_MID)), dtype=torch.float32)
    info = {"name": "random", "version": "0", "latent_space": "none", "missions": ["csc"],
            "classes": ["AGN", "CV", "HM-STAR", "HMXB", "LM-STAR", "LMXB", "NS", "YSO", "other"]}
    return Model(info, Encoder(config), Decoder(config, energy, sigma), Teacher(config),
                 Calibration.identity(config))


@pytest.fixture
def archive(tmp_path_factory):
    """A server on loopback in place of all archives; every address in the settings is its own."""
    from archive_servers import HOSTS, Archive

    from astro_xlatent import conf
    from astro_xlatent.archive import web

    server, send = Archive(), web._PoliteAdapter.send

    def redirected(adapter, request, **kwargs):
        for host in HOSTS:
            request.url = request.url.replace(f"https://{host}", f"{server.url}/{host}")
        return send(adapter, request, **kwargs)

    settings = {
        "csc_tap_url": f"{server.url}/csc21tap",
        "csc20_tap_url": f"{server.url}/csc2tap",
        "csc_package_url": f"{server.url}/csccli",
        "vizier_tap_url": f"{server.url}/TAPVizieR/tap",
        "gaia_tap_url": f"{server.url}/gaia/tap",
        "xmatch_url": f"{server.url}/xmatch",
        "erosita_url": f"{server.url}/dr1/erodat",
        "archive_backoff": 0.01,
        "archive_timeout": 5.0,
        "archive_retries": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(conf, name, value)
        patch.setattr(web._PoliteAdapter, "send", redirected)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield server
    server.close()
    assert server.errors == []
