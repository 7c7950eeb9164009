# Licensed under a 3-clause BSD style license - see LICENSE
"""Scores of a labeled table or of fresh simulations, beside baselines; needs scikit-learn."""
