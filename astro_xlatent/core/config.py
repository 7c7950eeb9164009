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
        "", "Name of the model that is used when none is given; empty: the newest shipped one.")
    batch_size = ConfigItem(4096, "Rows that go through the network at once. Results do not depend on it.",
                            cfgtype="integer(min=1)")
    device = ConfigItem(["cpu", "auto", "cuda", "mps"],
                        "Where the network runs; auto: on a GPU if torch finds one.")
    threads = ConfigItem(0, "Threads torch may use on the CPU; 0: as torch was told by its environment.",
                         cfgtype="integer(min=0)")

    table_max_mb = ConfigItem(
        500.0, "Memory in MB that a table's file may take although it is more than fiftyfold smaller.",
        cfgtype="float(min=0)")

    csc_tap_url = ConfigItem("https://cda.cfa.harvard.edu/csc21tap",
                             "TAP service of the Chandra Source Catalog 2.1.")
    csc20_tap_url = ConfigItem("https://cda.cfa.harvard.edu/csc2tap",
                               "TAP service of the Chandra Source Catalog 2.0.")
    csc_package_url = ConfigItem("https://cda.cfa.harvard.edu/csccli",
                                 "Package interface to the files of the CSC.")
    csc_release = ConfigItem("rel2.1", "Release of the CSC whose files are fetched.")
    vizier_tap_url = ConfigItem("https://tapvizier.cds.unistra.fr/TAPVizieR/tap", "TAP service of VizieR.")
    gaia_tap_url = ConfigItem("https://gea.esac.esa.int/tap-server/tap", "TAP service of the Gaia archive.")
    erosita_url = ConfigItem("https://erosita.mpe.mpg.de/dr1/erodat",
                             "eROSITA's data release 1: cone search and source products.")
    xmatch_url = ConfigItem("http://cdsxmatch.u-strasbg.fr/xmatch/api/v1/sync",
                            "Cross-match service of the CDS.")
    archive_connections = ConfigItem(
        3, "Connections to one archive at a time.", cfgtype="integer(min=1, max=8)")
    archive_timeout = ConfigItem(
        60.0, "Seconds without an answer after which a request is given up.", cfgtype="float(min=0.01)")
    archive_max_time = ConfigItem(
        3600.0, "Longest time in seconds that one answer of an archive may take.", cfgtype="float(min=1)")
    archive_retries = ConfigItem(4, "How often a request that failed for a passing reason is sent again.",
                                 cfgtype="integer(min=0, max=20)")
    archive_backoff = ConfigItem(
        1.0, "Seconds before the first retry; doubled before every further one.", cfgtype="float(min=0)")
    archive_max_wait = ConfigItem(
        300.0, "Longest wait in seconds that a server may ask for before a retry.", cfgtype="float(min=0)")
    archive_max_mb = ConfigItem(2000.0, "Largest single answer of an archive in MB.", cfgtype="float(min=0)")
    archive_batch = ConfigItem(50, "Detections of the CSC whose files are asked for in one request.",
                               cfgtype="integer(min=1, max=500)")


conf = Conf()
