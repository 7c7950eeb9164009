# Licensed under a 3-clause BSD style license - see LICENSE
"""
Objects that this and other packages offer through entry-point groups.

Column transforms are functions that take a table and return one with new
columns. astropy has no registry for these; any installed package can offer one
under the entry-point group ``astro_xlatent.transforms``::

    [project.entry-points."astro_xlatent.transforms"]
    mycolumns = "mypackage.module:add_mycolumns"

A transform is called as ``transform(table, **options)``, leaves its input
untouched and returns a new `~astropy.table.Table` with the same rows in the
same order. `~astro_xlatent.add_latents` is the transform ``latents``.
"""

import warnings
from importlib.metadata import entry_points

from astro_xlatent.core.errors import ParameterError, XlatentWarning

__all__ = ["TRANSFORM_GROUP", "available_transforms", "get_transform", "load_plugins"]

#: Entry-point group that is searched for column transforms.
TRANSFORM_GROUP = "astro_xlatent.transforms"


def _origin(entry):
    """Name of the distribution that offers an entry point."""
    return entry.dist.name if entry.dist is not None else "an unnamed package"


def load_plugins(group):
    """
    Load everything that installed packages offer under a group.

    A plugin that cannot be imported is left out with a warning that names it,
    so that one broken package does not take the others down. Of two plugins
    with one name the package's own, else the first, is kept.

    Parameters
    ----------
    group : str
        Entry-point group, for example ``"astro_xlatent.transforms"``.

    Returns
    -------
    plugins : dict of str to object
        Sorted by name.

    Examples
    --------
    >>> from astro_xlatent.core.plugins import load_plugins
    >>> load_plugins("astro_xlatent.no_such_group")
    {}
    """
    entries = sorted(entry_points(group=group), key=lambda e: (e.name, _origin(e) != "astro_xlatent"))
    found, owner = {}, {}
    for entry in entries:
        if entry.name in owner:
            # The same distribution can be seen twice, installed and as a checkout on the path.
            if owner[entry.name] != (_origin(entry), entry.value):
                msg = (f"{_origin(entry)} offers {entry.name!r} in {group} again; the one of "
                       f"{owner[entry.name][0]} is used. Uninstall one of them.")
                warnings.warn(msg, XlatentWarning, stacklevel=2)
            continue
        owner[entry.name] = (_origin(entry), entry.value)
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            # A plugin is foreign code: whatever it raises must not stop the others.
            msg = (f"{entry.name!r} in {group} ({entry.value} of {_origin(entry)}) could not be "
                   f"loaded and is left out: {type(error).__name__}: {error}")
            warnings.warn(msg, XlatentWarning, stacklevel=2)
    return found


def available_transforms():
    """
    Find the column transforms of all installed packages.

    Returns
    -------
    transforms : dict of str to callable
        By name. One that cannot be loaded is left out with an
        `~astro_xlatent.core.errors.XlatentWarning`.

    Examples
    --------
    >>> from astro_xlatent import available_transforms
    >>> "latents" in available_transforms()
    True
    """
    return load_plugins(TRANSFORM_GROUP)


def get_transform(name):
    """
    Give one column transform by its name.

    Parameters
    ----------
    name : str
        A key of `available_transforms`.

    Returns
    -------
    transform : callable
        ``transform(table, **options)`` returns a new table.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If no installed package offers the name.

    Examples
    --------
    >>> from astro_xlatent.core.plugins import get_transform
    >>> get_transform("latents").__name__
    'add_latents'
    """
    transforms = available_transforms()
    if name not in transforms:
        known = ", ".join(transforms) or "none"
        msg = (f"name must be an installed column transform, got {name!r}; installed: {known}. "
               f"Others are found under the entry-point group {TRANSFORM_GROUP}.")
        raise ParameterError(msg)
    return transforms[name]
