"""Rows of text in columns of one width."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, n_left: int = 1) -> list[str]:
    """Lines: the first columns to the left, the others, which are figures, to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
