# Licensed under a 3-clause BSD style license - see LICENSE
"""
Models inside the package and their checksums.

Written by ``astro-xlatent train --bundle``; do not edit by hand.
"""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.1": "16cffa3c109acc3bb83d36a7391f5e1438001d12921beae40a282fcedfdc0897",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.1"
