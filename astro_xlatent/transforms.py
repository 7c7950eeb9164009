# Licensed under a 3-clause BSD style license - see LICENSE
"""
Column transforms: functions that take a table and return one with new columns.

astropy has no registry for these. Any installed package can offer one under
the entry-point group ``astro_xlatent.transforms``::

    [project.entry-points."astro_xlatent.transforms"]
    mycolumns = "mypackage.module:add_mycolumns"

A transform is called as ``transform(table, **options)``, leaves its input
untouched and returns a new `~astropy.table.Table` with the same rows in the
same order. `~astro_xlatent.add_latents` is the transform ``latents``.
"""

from astro_xlatent.errors import ParameterError
from astro_xlatent.plugins import load_plugins

__all__ = ["TRANSFORM_GROUP", "available_transforms", "get_transform"]

#: Entry-point group that is searched for column transforms.
TRANSFORM_GROUP = "astro_xlatent.transforms"


def available_transforms():
    """
    Find the column transforms of all installed packages.

    Returns
    -------
    transforms : dict of str to callable
        By name. One that cannot be loaded is left out with an
        `~astro_xlatent.errors.XlatentWarning`.

    Examples
    --------
    >>> from astro_xlatent import transforms
    >>> "latents" in transforms.available_transforms()
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
    `~astro_xlatent.errors.ParameterError`
        If no installed package offers the name.

    Examples
    --------
    >>> from astro_xlatent.transforms import get_transform
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
