"""Build text for messages."""

__all__ = ["ROW_NUMBERING_NOTE", "shorten"]

# Follows row numbers in messages: a step of a pipeline gets only a part of the rows.
ROW_NUMBERING_NOTE = (
    "of those given to this step (in cross-validation the rows of a fold)"
)


def shorten(items, separator=", "):
    """Join the first ten items, and the number of the others, as text."""
    items = list(items)
    shown = separator.join(map(str, items[:10]))
    more = len(items) - 10
    return f"{shown}{separator}and {more} more" if more > 0 else shown
