# Licensed under a 3-clause BSD style license - see LICENSE
"""Studies of a model by its makers: real rows, oddities, repeats, transfer; see ``run_all.py``."""
