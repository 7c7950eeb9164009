# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.1": "4711293a4ff7180164658c5b24b92b9b1999cd1636873b4d04aca1a29442798a",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.1"
