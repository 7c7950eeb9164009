# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.3": "6bc2d46f9f4405eda932a7d04255b8d0672a271af33c67c4a98d650c7909c503",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.3"
