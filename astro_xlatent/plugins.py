# Licensed under a 3-clause BSD style license - see LICENSE
"""Objects that this and other packages offer through entry-point groups."""

import warnings
from importlib.metadata import entry_points

from astro_xlatent.errors import XlatentWarning

__all__ = ["load_plugins"]


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
    >>> from astro_xlatent.plugins import load_plugins
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
