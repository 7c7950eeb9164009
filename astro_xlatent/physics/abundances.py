# Licensed under a 3-clause BSD style license - see LICENSE
"""
Cosmic abundance sets, by number relative to hydrogen.

The names are XSPEC's: ``wilm`` is the interstellar medium of [1]_ (elements not listed there are absent, as
in XSPEC), ``angr`` the older solar values of [2]_ and ``aspl`` the newer ones of [3]_.

References
----------
.. [1] Wilms, Allen & McCray 2000, ApJ 542, 914, table 2
.. [2] Anders & Grevesse 1989, Geochim. Cosmochim. Acta 53, 197
.. [3] Asplund, Grevesse, Sauval & Scott 2009, ARA&A 47, 481
"""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["ABUNDANCE_SETS", "ELEMENTS", "abundance_vector"]

#: The thirty elements of the plasma table, in order of atomic number.
ELEMENTS = tuple("H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn".split())

#: Number of atoms per hydrogen atom; an element not named has none.
ABUNDANCE_SETS = {
    "wilm": {
        "H": 1.0, "He": 9.77e-2, "C": 2.40e-4, "N": 7.59e-5, "O": 4.90e-4, "Ne": 8.71e-5,
        "Na": 1.45e-6, "Mg": 2.51e-5, "Al": 2.14e-6, "Si": 1.86e-5, "P": 2.63e-7, "S": 1.23e-5,
        "Cl": 1.32e-7, "Ar": 2.57e-6, "Ca": 1.58e-6, "Ti": 6.46e-8, "Cr": 3.24e-7, "Mn": 2.19e-7,
        "Fe": 2.69e-5, "Co": 8.32e-8, "Ni": 1.12e-6,
    },
    "angr": {
        "H": 1.0, "He": 9.77e-2, "Li": 1.45e-11, "Be": 1.41e-11, "B": 3.98e-10, "C": 3.63e-4,
        "N": 1.12e-4, "O": 8.51e-4, "F": 3.63e-8, "Ne": 1.23e-4, "Na": 2.14e-6, "Mg": 3.80e-5,
        "Al": 2.95e-6, "Si": 3.55e-5, "P": 2.82e-7, "S": 1.62e-5, "Cl": 3.16e-7, "Ar": 3.63e-6,
        "K": 1.32e-7, "Ca": 2.29e-6, "Sc": 1.26e-9, "Ti": 9.77e-8, "V": 1.00e-8, "Cr": 4.68e-7,
        "Mn": 2.45e-7, "Fe": 4.68e-5, "Co": 8.32e-8, "Ni": 1.78e-6, "Cu": 1.62e-8, "Zn": 3.98e-8,
    },
    "aspl": {
        "H": 1.0, "He": 8.51e-2, "Li": 1.12e-11, "Be": 2.40e-11, "B": 5.01e-10, "C": 2.69e-4,
        "N": 6.76e-5, "O": 4.90e-4, "F": 3.63e-8, "Ne": 8.51e-5, "Na": 1.74e-6, "Mg": 3.98e-5,
        "Al": 2.82e-6, "Si": 3.24e-5, "P": 2.57e-7, "S": 1.32e-5, "Cl": 3.16e-7, "Ar": 2.51e-6,
        "K": 1.07e-7, "Ca": 2.19e-6, "Sc": 1.41e-9, "Ti": 8.91e-8, "V": 8.51e-9, "Cr": 4.37e-7,
        "Mn": 2.69e-7, "Fe": 3.16e-5, "Co": 9.77e-8, "Ni": 1.66e-6, "Cu": 1.55e-8, "Zn": 3.63e-8,
    },
}  # fmt: skip


def abundance_vector(name, elements=ELEMENTS):
    """Atoms per hydrogen atom in a set of `ABUNDANCE_SETS`, in the order of ``elements``."""
    if name not in ABUNDANCE_SETS:
        raise ParameterError(f"unknown abundance set {name!r}; known are {sorted(ABUNDANCE_SETS)}")
    return np.array([ABUNDANCE_SETS[name].get(element, 0.0) for element in elements])
