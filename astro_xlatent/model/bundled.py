# Licensed under a 3-clause BSD style license - see LICENSE
"""Models inside the package; written by ``astro-xlatent train --bundle``, not by hand."""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.5": "9fb4ddeb94171a8e58c734c470bc806553b72ace2f40c0042509ab7b5b8cb87e",
    "xlatent-0.3": "3326deb3226e052593b15ee98c71c336afc12151010db4cc5e9c19756e32a553",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.5"
