# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.1": "5863677e08878df1fe24ffa347a64223d536f5eb81bd29eb3a985c02f6f1cc62",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.1"
