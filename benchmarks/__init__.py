# Licensed under a 3-clause BSD style license - see LICENSE
"""Speed of the package, and studies of a model by its makers; not in the wheel."""
