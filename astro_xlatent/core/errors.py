# Licensed under a 3-clause BSD style license - see LICENSE
"""
Exceptions and warnings of the package.

Every message names the argument or file, what arrived, what is allowed and the remedy; `XlatentError` of one
of many rows or files becomes a flag and a reason for that row alone.
"""

from astropy.utils.exceptions import AstropyUserWarning

from astro_xlatent.core.text import printable

__all__ = ["ArchiveError", "MissionError", "ModelError", "ParameterError", "RegionError", "ResponseError",
           "SpectrumError", "TableError", "XlatentError", "XlatentWarning"]


class XlatentError(ValueError):
    """Base class of all errors that a user's input can cause; its text is `printable`."""

    def __str__(self) -> str:
        return printable(super().__str__())


class SpectrumError(XlatentError):
    """A spectrum file or object cannot be used."""


class RegionError(XlatentError):
    """A region or region file cannot be used."""


class ResponseError(XlatentError):
    """An ARF, RMF or their combination cannot be used."""


class MissionError(XlatentError):
    """A mission is unknown, ambiguous, or lacks what was asked of it."""


class TableError(XlatentError):
    """A table lacks usable columns or holds contradictory ones."""


class ModelError(XlatentError):
    """A model is unknown, damaged, or of another latent space."""


class ParameterError(XlatentError):
    """A physical or numerical parameter lies outside its allowed range."""


class ArchiveError(XlatentError):
    """An archive cannot be reached, refuses, or sends what cannot be used."""


class XlatentWarning(AstropyUserWarning):
    """Something was done that the user should know of."""
