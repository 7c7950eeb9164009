# Licensed under a 3-clause BSD style license - see LICENSE
"""
Objects that this and other packages offer through entry-point groups.

Column transforms, of the group ``astro_xlatent.transforms``, are functions: ``transform(table, **options)``
leaves its input untouched and returns a new `~astropy.table.Table` with the same rows in the same order.
"""

import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from astropy.table import Table

from astro_xlatent.core.errors import ParameterError, XlatentError, XlatentWarning

__all__ = ["TRANSFORM_GROUP", "Transform", "available_transforms", "get_transform", "load_plugin",
           "load_plugins", "plugin_names"]

#: Entry-point group that is searched for column transforms.
TRANSFORM_GROUP = "astro_xlatent.transforms"


class Transform(Protocol):
    """What a column transform is: a function from a table to a new one with the same rows."""

    def __call__(self, table: Table, **options: Any) -> Table:
        """Give a table with more columns; the input stays as it is."""


def _origin(entry: EntryPoint) -> str:
    """Name of the distribution that offers an entry point."""
    return entry.dist.name if entry.dist is not None else "an unnamed package"


def plugin_names(group: str) -> list[str]:
    """Names that installed packages offer under a group, sorted; nothing is imported."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load_plugin(group: str, name: str) -> object:
    """
    Load one plugin by its name: that of the package itself, else the first.

    One that cannot be imported, whatever it raises, is an `XlatentError` that names the package.
    """
    return _load(next(entry for entry in _entries(group) if entry.name == name), group)


def _entries(group):
    """Entry points by name, those of the package itself first."""
    return sorted(entry_points(group=group), key=lambda e: (e.name, _origin(e) != "astro_xlatent"))


def _load(entry, group):
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        # A plugin is foreign code: it may raise anything, and must not end the program.
        raise XlatentError(f"{entry.name!r} in {group} ({entry.value} of {_origin(entry)}) could not be "
                           f"loaded: {type(error).__name__}: {error}") from error


def load_plugins(group: str) -> dict[str, object]:
    """
    Load everything that installed packages offer under a group, by name; as for `load_plugin`, but what
    cannot be imported is left out with a warning.
    """
    found: dict[str, object] = {}
    owner: dict[str, tuple[str, str]] = {}
    for entry in _entries(group):
        this = _origin(entry), entry.value
        first = owner.setdefault(entry.name, this)
        if first is this:
            try:
                found[entry.name] = _load(entry, group)
            except XlatentError as error:
                warnings.warn(f"{error}; it is left out", XlatentWarning, stacklevel=2)
        elif first != this:
            # The same distribution can be seen twice, installed and as a checkout on the path.
            msg = (f"{this[0]} offers {entry.name!r} in {group} again; the one of {first[0]} is used. "
                   "Uninstall one of them.")
            warnings.warn(msg, XlatentWarning, stacklevel=2)
    return found


def available_transforms() -> dict[str, Transform]:
    """
    Column transforms of all installed packages, by name.

    One that cannot be loaded is left out with an `~astro_xlatent.core.errors.XlatentWarning`.

    Examples
    --------
    >>> from astro_xlatent import available_transforms
    >>> "latents" in available_transforms()
    True
    """
    return load_plugins(TRANSFORM_GROUP)  # type: ignore[return-value]


def get_transform(name: str) -> Transform:
    """
    One of the `available_transforms`; ParameterError if no installed package offers the name.

    Examples
    --------
    >>> from astro_xlatent import get_transform
    >>> get_transform("latents").__name__
    'add_latents'
    """
    transforms = available_transforms()
    if name not in transforms:
        known = ", ".join(transforms) or "none"
        raise ParameterError(f"name must be an installed column transform, got {name!r}; installed: {known}. "
                             f"Others are found under the entry-point group {TRANSFORM_GROUP}.")
    return transforms[name]
