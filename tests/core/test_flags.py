# Licensed under a 3-clause BSD style license - see LICENSE
"""The registry of flags and its decoder."""

import numpy as np
import pytest

from astro_xlatent.core.flags import FLAGS, Flag, decode_flags


def test_bits_and_names_are_unique():
    """No two flags share a bit or a name, and all fit a signed 32-bit column."""
    assert len({f.bit for f in FLAGS}) == len({f.name for f in FLAGS}) == len(FLAGS)
    assert all(0 <= f.bit < 63 for f in FLAGS)


def test_released_bits_keep_their_meaning():
    """Bits that tables in the wild rely on."""
    assert (Flag.NO_DATA, Flag.BANDS_ONLY, Flag.NH_UPPER_LIMIT) == (1, 32, 8192)


@pytest.mark.parametrize("flag", FLAGS, ids=lambda f: f.name)
def test_every_flag_decodes_to_itself(flag):
    """Constant, name and text agree."""
    value = getattr(Flag, flag.name)
    assert decode_flags(value) == [flag.name]
    assert decode_flags(value, text=True) == [flag.text]


def test_column_decodes_row_by_row():
    """An array gives one list for each element, a masked one an empty list."""
    column = np.ma.MaskedArray([0, 5, 1], mask=[False, False, True])
    assert decode_flags(column) == [[], ["NO_DATA", "DEFAULT_RESPONSE"], []]
    assert decode_flags(np.array([], dtype=int)) == []


@pytest.mark.parametrize("value", [-1, 1 << 62, [1, 1 << 61]])
def test_unused_bits_are_refused(value):
    """A value with bits of no flag comes from elsewhere."""
    with pytest.raises(ValueError, match="no flag uses"):
        decode_flags(value)


def test_type_is_checked():
    """A float column is no flag column."""
    with pytest.raises(TypeError, match="must be an integer"):
        decode_flags([1.0])


def test_unknown_constant():
    """A typo in a flag's name is an error."""
    with pytest.raises(AttributeError, match="NO_DATUM"):
        Flag.NO_DATUM  # noqa: B018
