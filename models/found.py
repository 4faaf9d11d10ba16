"""How a sentence about a wrong value names what was found."""

_LONGEST = 60


def found(value: object, written: str = "") -> str:
    """What stands there, in words: `0.99 (a number)`, `"mixd"`, `a list`, `nothing`.

    Args:
        value: as a JSON reader gives it.
        written: the text of the file, where it is known: 0.30 and 0.3 are the same number, but not
            the same version.
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{written or str(value).lower()} (a boolean)"
        case int() | float():
            return f"{shortened(written or str(value))} (a number)"
        case str():
            return f'"{shortened(value)}"'
        case dict():
            return "a mapping"
        case _:
            return "a list"


def shortened(text: str) -> str:
    """The start of a text, with what cannot be printed spelled out: a sentence is for one line of a terminal."""
    start = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in start)


def expect_text(value: object, wanted: str) -> str:
    """The value, which must be text on the wire.

    Raises: ValueError: it is not; the sentence says what to write.
    """
    match value:
        case str():
            return value
        case _:
            raise ValueError(f"found {found(value)}; write {wanted}")
