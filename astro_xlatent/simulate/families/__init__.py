# Licensed under a 3-clause BSD style license - see LICENSE
"""
Physical families of X-ray sources, from which populations are mixed.

Each module holds functions ``family(n, rng, p) -> Draft``: ``n`` sources drawn
with the generator ``rng`` and the class's parameters ``p`` (a dict of
`astro_xlatent.simulate.families.parameters`).
"""
