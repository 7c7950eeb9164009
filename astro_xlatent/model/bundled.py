# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.3": "3326deb3226e052593b15ee98c71c336afc12151010db4cc5e9c19756e32a553",
    "xlatent-0.4": "88726a1e9c190a4035de96b5690356c1ca6970390a5344601371c5647f8594cf",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.4"
