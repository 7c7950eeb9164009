# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.1": "ba5218029c009aecd24b47817d4f344e9d98ab46f48bb9a0e473d416bbab90f8",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.1"
