# Licensed under a 3-clause BSD style license - see LICENSE
"""
What made the columns of a table, as table metadata.

The keys are flat and at most eight characters long, for FITS headers. VOTable drops all of ``table.meta``,
which is why ``xl_model`` is a column as well.
"""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from astro_xlatent.core.errors import ModelError

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["PROVENANCE_KEYS", "check_latent_space", "package_version", "provenance_meta"]

#: Metadata keys and what they hold.
PROVENANCE_KEYS = {
    "XLMODEL": "name of the model",
    "XLVERS": "version of astro_xlatent",
    "XLSHA256": "sha256 of the model's weights",
    "XLSPACE": "latent space; tables of different spaces cannot be compared",
    "XLPRIOR": "class prior",
    "XLDEVICE": "where the network ran",
    "XLDATE": "when, UTC",
}


def package_version(name: str = "astro_xlatent", absent: str = "unknown") -> str:
    """Version of an installed package, or ``absent``, as in a bare source tree."""
    try:
        return version(name)
    except PackageNotFoundError:
        return absent


def provenance_meta(model_name: str, sha256: str, *, latent_space: str = "", prior: str | None = None,
                    device: str = "cpu") -> dict[str, str]:
    """
    Describe a run in metadata that survives FITS, ECSV and Parquet: the `PROVENANCE_KEYS`, in that order.

    ``model_name`` includes the version, ``sha256`` is that of the weights, ``prior`` is in words.
    """
    values = (model_name, package_version(), sha256, latent_space, "none" if prior is None else prior, device,
              datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    return dict(zip(PROVENANCE_KEYS, map(str, values), strict=True))


def check_latent_space(*tables: "Table") -> str:
    """The latent space that enriched tables share; ModelError if they differ, or lack ``XLSPACE``."""
    spaces = [str(table.meta.get("XLSPACE", "")) for table in tables]
    if len(set(spaces)) != 1 or not spaces[0]:
        msg = (f"the tables' latent spaces are {spaces} (XLSPACE in table.meta); latents compare only "
               "within one space: enrich all tables with the same model")
        raise ModelError(msg)
    return spaces[0]
