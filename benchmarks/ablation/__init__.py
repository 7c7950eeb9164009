# Licensed under a 3-clause BSD style license - see LICENSE
"""What each part of the model is worth: training runs with one thing changed."""
