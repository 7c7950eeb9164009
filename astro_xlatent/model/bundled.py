# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.1": "f880d2d163b0449e36dc3b32e0aafe5ec602871728b23fc3489223169d261068",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.1"
