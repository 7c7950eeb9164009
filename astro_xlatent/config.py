# Licensed under a 3-clause BSD style license - see LICENSE
"""
Settings, through astropy's configuration system.

Set one for a session (``astro_xlatent.conf.device = "auto"``), for a block
(``with astro_xlatent.conf.set_temp("threads", 1): ...``), or for good in
``astro_xlatent.cfg`` in astropy's configuration folder.
"""

from astropy.config import ConfigItem, ConfigNamespace

__all__ = ["Conf", "conf"]


class Conf(ConfigNamespace):
    """Settings of `astro_xlatent`."""

    rootname = "astro_xlatent"

    default_model = ConfigItem(
        "", "Name of the model that is used when none is given; empty: the newest shipped one.",
        cfgtype="string")
    batch_size = ConfigItem(
        1024, "Rows that go through the network at once. Results do not depend on it.",
        cfgtype="integer(min=1)")
    device = ConfigItem(
        ["cpu", "auto", "cuda", "mps"],
        "Where the network runs; auto: on a GPU if torch finds one.")
    threads = ConfigItem(
        0, "Threads torch may use on the CPU; 0: as torch was told by its environment.",
        cfgtype="integer(min=0)")


conf = Conf()
