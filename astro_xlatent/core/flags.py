# Licensed under a 3-clause BSD style license - see LICENSE
"""The bits of the ``xl_flag`` column, of which `decode_flags` and the documentation are made."""

from enum import IntFlag

import numpy as np

__all__ = ["FLAGS", "Flag", "decode_flags"]


class Flag(IntFlag):
    """
    One bit of ``xl_flag``, an integer with a name, a ``bit`` and a ``text``: ``column & Flag.BANDS_ONLY``.
    Bits never change their meaning; a new one is added at the end with the next bit; 63 fit the column.
    """

    text: str

    def __new__(cls, bit, text):
        """Make a member of the number of its bit and its text."""
        member = int.__new__(cls, 1 << bit)
        member._value_ = 1 << bit
        member.text = text
        return member

    NO_DATA = 0, "no usable counts or band: all results are masked"
    FEW_COUNTS = 1, "fewer than 10 net counts: results lean on the prior"
    DEFAULT_RESPONSE = 2, "ARF or RMF missing: the mission's default response was used"
    GRID_INTERPOLATED = 3, "ARF and RMF energy grids differ: the ARF was interpolated"
    NO_BACKGROUND = 4, "no background measurement: background taken as zero"
    BANDS_ONLY = 5, "band measurements of the catalog were used, no spectrum"
    NO_SOURCE = 6, "no positive normalization: the source is not detected in these bins"
    SATURATED = 7, "the catalog flags the source as saturated or on a readout streak"
    PILEUP = 8, "the catalog flags photon pile-up"
    CONFUSED = 9, "the catalog flags source confusion"
    EXTENDED = 10, "the catalog flags the source as extended"
    POOR_FIT = 11, "the decoded spectrum does not describe the counts (see xl_gof)"
    OUTLIER = 12, "unlike the simulated sources of the training (see xl_outlier)"
    NH_UPPER_LIMIT = 13, "N_H is compatible with zero: quote xl_nh_ul90"
    OUTSIDE_ENERGY = 14, "the data cover too little of the trained energy range"
    OUTSIDE_COUNTS = 15, "more or fewer counts than in the training"
    OUTSIDE_MISSION = 16, "the model was not trained on this mission or instrument"
    SPECTRUM_UNREADABLE = 17, "a spectrum was named but could not be used (see xl_reason)"
    PARTIAL_BANDS = 18, "some of the mission's bands are missing or unusable"
    LIMITS_MISSING = 19, "no flux limits: counts follow from symmetric errors"
    NO_BACKSCALE = 20, "no usable BACKSCAL: background taken at face value"
    UNTRAINED_RECIPE = 21, ("read from columns on which the model was not trained as the catalog defines "
                            "them: class and N_H may be biased")
    AREA_ASSUMED = 22, ("chip or date of the observation unknown: the area's slope is that of the default "
                        "chip in a middle year")
    RESPONSE_EXTRAPOLATED = 23, ("the default response is of a year beyond the measured ones: its area is "
                                 "extrapolated, with the error that follows")
    NOT_THIS_MODEL = 24, ("the model does not describe these counts at all: its class and N_H are not "
                          "to be trusted, and their probabilities are tempered towards flat")
    RESPONSE_GUESSED = 25, "ARF, RMF or background not named by the header but found by a rule of names"
    FILE_MENDED = 26, "a file departs from its standard or its checksum: read by an assumption"
    IMPLAUSIBLE = 27, "area, exposure, energies, channels or rate beyond what the instrument can have"
    AGAINST_SPECTRUM = 28, ("evidence or the class prior gives a class outside those that hold 90 % of the "
                            "spectrum's probability")
    COUNTERPART_ODD = 29, ("a counterpart's value is impossible or too far away and left out, or was read in "
                           "another unit")
    COUNTERPART_AMBIGUOUS = 30, "a counterpart is one of several, or far away but explained by its motion"
    COUNTERPART_ASSUMED_NONE = 31, "counterpart columns are empty: taken as searched and none found"
    EVIDENCE_UNKNOWN = 32, "evidence or prior asked for, but not in this row: it says nothing about the class"
    UNMODELED = 33, "a check of the counts found what no decoded spectrum holds (see xl_reason)"
    ERRORS_ASSUMED = 34, ("the catalog gives no error for a band: its counts follow from those of other "
                          "columns of the row, or from the relative error that was granted")
    FROM_HARDNESS = 35, "no band is published: they follow from hardness ratios and a broad flux or exposure"

    @property
    def bit(self) -> int:
        """Position of the bit, 0 for the lowest."""
        return self.bit_length() - 1


#: All flags in the order of their bits.
FLAGS: tuple[Flag, ...] = tuple(Flag)


def decode_flags(value, *, text: bool = False) -> list:
    """
    Say in words what the bits of ``xl_flag`` mean.

    Parameters
    ----------
    value : int or array_like of int
        One flag value or a column of them. Masked elements decode to nothing.
    text : bool, optional
        Give the explanation of each bit instead of its name.

    Returns
    -------
    names : list of str, or list of list of str
        In the order of the bits. One list for a scalar, else one list a row.

    Raises
    ------
    TypeError
        If ``value`` is not of integer type.
    ValueError
        If a value is negative or has a bit that no flag uses.

    Examples
    --------
    >>> from astro_xlatent import decode_flags
    >>> decode_flags(34)
    ['FEW_COUNTS', 'BANDS_ONLY']
    """
    filled = np.asarray(np.ma.filled(np.ma.asarray(value), 0))
    if filled.dtype.kind not in "iu" and filled.size:
        raise TypeError(f"value must be an integer or integers, got dtype {filled.dtype}")
    known = sum(FLAGS)
    if filled.size and (np.any(filled < 0) or np.any(filled & ~known)):
        raise ValueError(f"value has bits that no flag uses; the largest valid value is {known}")
    words = [[flag.text if text else flag.name for flag in FLAGS if int(v) & flag] for v in filled.ravel()]
    return words if filled.ndim else words[0]
