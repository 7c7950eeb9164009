# Licensed under a 3-clause BSD style license - see LICENSE
"""Text for terminals."""

__all__ = ["aligned", "printable"]


def aligned(rows) -> str:
    """Lay rows of words, all of one length, out in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def printable(text) -> str:
    """Text of strangers (file names, headers, answers), control characters as escapes, for a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
                   for c in str(text))
