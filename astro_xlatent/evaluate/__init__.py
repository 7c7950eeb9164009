# Licensed under a 3-clause BSD style license - see LICENSE
"""Scores of a labelled table or of fresh simulations, beside baselines; needs scikit-learn."""
