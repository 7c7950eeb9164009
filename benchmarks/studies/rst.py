# Licensed under a 3-clause BSD style license - see LICENSE
"""What pages in reStructuredText need."""

import re

__all__ = ["escaped"]


def escaped(text):
    """Text with what is special in reStructuredText escaped."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)
