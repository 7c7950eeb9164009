# Licensed under a 3-clause BSD style license - see LICENSE
"""Text for terminals."""

__all__ = ["aligned", "printable"]


def aligned(rows) -> str:
    """
    Lay rows of words, all of one length, out in columns.

    Examples
    --------
    >>> from astro_xlatent.core.text import aligned
    >>> print(aligned([("name", "class"), ("M31 X-1", "LMXB")]))
    name     class
    M31 X-1  LMXB
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))
             for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def printable(text) -> str:
    r"""
    Text that a terminal only shows: control characters as escapes.

    File names, headers and answers of archives are strangers' text.

    Examples
    --------
    >>> from astro_xlatent.core.text import printable
    >>> print(printable("a" + chr(27) + "[2Jb"))
    a\x1b[2Jb
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
                   for c in str(text))
