# Licensed under a 3-clause BSD style license - see LICENSE
"""
Physical families of X-ray sources, from which populations are mixed: functions of a `Draw` to a `Draft`.

References are listed in `astro_xlatent.simulate.families.parameters`.
"""
