# Licensed under a 3-clause BSD style license - see LICENSE
"""Evaluation on real data: sky split, labels, comparisons; needs scikit-learn."""
