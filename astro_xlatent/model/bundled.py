# Licensed under a 3-clause BSD style license - see LICENSE
"""Models inside the package; written by ``astro-xlatent train --bundle``, not by hand."""

__all__ = ["BUNDLED", "DEFAULT"]

#: Digest of every bundled model folder, by model name.
BUNDLED = {
    "xlatent-0.6": "191df9a126f1b5414be276ddaddee82f984aa8733c742b23cdb01ba216ec19df",
    "xlatent-0.3": "3326deb3226e052593b15ee98c71c336afc12151010db4cc5e9c19756e32a553",
}

#: The model that is used unless another is named.
DEFAULT = "xlatent-0.6"
