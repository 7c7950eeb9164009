# Licensed under a 3-clause BSD style license - see LICENSE
"""
Names of things: columns, flags, errors, settings, provenance, plug-ins.

Read `~astro_xlatent.core.columns` first.
"""
