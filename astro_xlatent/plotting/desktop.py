# Licensed under a 3-clause BSD style license - see LICENSE
"""Enriched tables to the programs on the desktop, TOPCAT or Aladin, by SAMP."""

from __future__ import annotations

import tempfile
from pathlib import Path

from astropy.table import Table
from astropy.units import UnitsWarning

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.silence import quiet

__all__ = ["send"]

_LOAD = "table.load.votable"


def send(table: Table, name: str = "astro_xlatent", *, timeout: float = 60) -> list[str]:
    """
    Send a table to every program that listens by SAMP and takes tables.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Sent as VOTable with units, UCDs and descriptions.
    name : str, optional
        What the programs shall call it.
    timeout : float, optional
        Seconds that a program has to load it.

    Returns
    -------
    receivers : list of str
        Names of the programs that have loaded it.

    Raises
    ------
    `~astro_xlatent.core.errors.TableError`
        If no hub runs, no program takes tables, or one of them refuses.
    """
    from astropy.io.votable import from_table
    from astropy.io.votable.exceptions import VOWarning

    samp = samp_package()
    client = samp.SAMPIntegratedClient(name="astro_xlatent", description="latents of X-ray sources")
    try:
        client.connect()
    except samp.SAMPHubError as error:
        raise TableError("no SAMP hub is running; start TOPCAT or Aladin, and send again") from error
    try:
        receivers = list(client.get_subscribed_clients(_LOAD))
        if not receivers:
            msg = "no program at the SAMP hub takes tables; start TOPCAT or Aladin, and send again"
            raise TableError(msg)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.vot"
            with quiet(VOWarning, UnitsWarning):  # units outside the standard are kept as they are
                # astropy's writer in C is unsafe.
                from_table(table).to_xml(str(path), _debug_python_based_parser=True)
            message = {"samp.mtype": _LOAD,
                       "samp.params": {"url": path.as_uri(), "name": name, "table-id": name}}
            return [_deliver(samp, client, receiver, message, timeout) for receiver in receivers]
    finally:
        client.disconnect()


def samp_package():
    """Give `pyvo.samp` where it has the client, else `astropy.samp`, from which it comes."""
    try:
        from pyvo import samp
    except ImportError:
        samp = None
    if not hasattr(samp, "SAMPIntegratedClient"):
        with quiet(Warning):  # deprecated since astropy 8 in favor of pyvo, which need not be there
            from astropy import samp
    return samp


def _deliver(samp, client, receiver, message, timeout):
    label = client.get_metadata(receiver).get("samp.name", receiver)
    try:
        answer = client.call_and_wait(receiver, message, str(int(timeout)))
    except samp.SAMPProxyError as error:
        msg = f"{label} did not answer within {timeout} s; look at its window, and send again"
        raise TableError(msg) from error
    if answer.get("samp.status") != "samp.ok":
        reason = answer.get("samp.error", {}).get("samp.errortxt", "it does not say why")
        raise TableError(f"{label} refused the table: {reason}")
    return label
