# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.2": "d3f843d1ff90b50ed871dfed1c7f4add3b692bc994e519c55a3546df54192212",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.2"
