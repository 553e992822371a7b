"""What the database can hold of JSON that others have written."""

MAX_DEPTH = 40
MAX_NUMBER = 2**63


def check_storable(value: object, depth: int = 0) -> object:
    """Return a JSON value as it is; raises ValueError for one that cannot be stored as it is."""
    if depth > MAX_DEPTH:
        raise ValueError(f"this is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "replace").decode() != value):
        raise ValueError("a text has a character in it that is none")
    if isinstance(value, int | float) and not -MAX_NUMBER <= value < MAX_NUMBER:
        raise ValueError("a number is too large")
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in inner:
        check_storable(item, depth + 1)
    return value
