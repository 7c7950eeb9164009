# Licensed under a 3-clause BSD style license - see LICENSE
"""
The bits of the ``xl_flag`` column.

One registry, `FLAGS`, from which the constants, `decode_flags` and the table
in the documentation are made. Bits never change their meaning.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FLAGS", "Flag", "FlagDefinition", "decode_flags"]


@dataclass(frozen=True)
class FlagDefinition:
    """One bit of ``xl_flag``: its position, name and meaning."""

    bit: int
    name: str
    text: str

    @property
    def value(self):
        """The integer with only this bit set."""
        return 1 << self.bit


FLAGS = tuple(
    FlagDefinition(bit, name, text)
    for bit, name, text in [
        (0, "NO_DATA", "no usable counts or band: all results are masked"),
        (1, "FEW_COUNTS", "fewer than 10 net counts: results lean on the prior"),
        (2, "DEFAULT_RESPONSE", "ARF or RMF missing: the mission's default response was used"),
        (3, "GRID_INTERPOLATED", "ARF and RMF energy grids differ: the ARF was interpolated"),
        (4, "NO_BACKGROUND", "no background measurement: background taken as zero"),
        (5, "BANDS_ONLY", "band measurements of the catalogue were used, no spectrum"),
        (6, "NO_SOURCE", "no positive normalisation: the source is not detected in these bins"),
        (7, "SATURATED", "the catalogue flags the source as saturated or on a readout streak"),
        (8, "PILEUP", "the catalogue flags photon pile-up"),
        (9, "CONFUSED", "the catalogue flags source confusion"),
        (10, "EXTENDED", "the catalogue flags the source as extended"),
        (11, "POOR_FIT", "the decoded spectrum does not describe the counts (see xl_gof)"),
        (12, "OUTLIER", "unlike the simulated sources of the training (see xl_outlier)"),
        (13, "NH_UPPER_LIMIT", "N_H is compatible with zero: quote xl_nh_ul90"),
        (14, "OUTSIDE_ENERGY", "the data cover too little of the trained energy range"),
        (15, "OUTSIDE_COUNTS", "more or fewer counts than in the training"),
        (16, "OUTSIDE_MISSION", "the model was not trained on this mission or instrument"),
        (17, "SPECTRUM_UNREADABLE", "a spectrum was named but could not be used (see xl_reason)"),
        (18, "PARTIAL_BANDS", "some of the mission's bands are missing or unusable"),
        (19, "LIMITS_MISSING", "no flux limits: counts follow from symmetric errors"),
        (20, "NO_BACKSCALE", "no usable BACKSCAL: background taken at face value"),
        (21, "UNTRAINED_RECIPE", "read from columns on which the model was not trained as the catalogue defines "
                                 "them: class and N_H may be biased"),
        (22, "AREA_ASSUMED", "chip or date of the observation unknown: the area's slope is that of the default "
                             "chip in a middle year"),
        (25, "RESPONSE_EXTRAPOLATED", "the default response is of a year beyond the measured ones: its area is "
         "extrapolated, with the error that follows"),
    ]
)


class _Constants:
    """Flag values by name, ``Flag.NO_DATA == 1``; made from `FLAGS`."""

    def __getattr__(self, name):
        for flag in FLAGS:
            if flag.name == name:
                return flag.value
        msg = f"unknown flag {name!r}; known: {', '.join(f.name for f in FLAGS)}"
        raise AttributeError(msg)

    def __dir__(self):
        return [flag.name for flag in FLAGS]


Flag = _Constants()


def decode_flags(value, *, text=False):
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
        msg = f"value must be an integer or integers, got dtype {filled.dtype}"
        raise TypeError(msg)
    known = sum(flag.value for flag in FLAGS)
    if filled.size and (np.any(filled < 0) or np.any(filled & ~known)):
        msg = f"value has bits that no flag uses; the largest valid value is {known}"
        raise ValueError(msg)
    label = "text" if text else "name"
    if filled.ndim == 0:
        return [getattr(f, label) for f in FLAGS if int(filled) & f.value]
    return [[getattr(f, label) for f in FLAGS if int(v) & f.value] for v in filled.ravel()]
