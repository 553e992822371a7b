"""Gives memory back to the system."""

import ctypes


def give_back() -> None:
    """Return what the C library keeps for later; does nothing where it is not glibc.

    Each sync writes words in threads of its own, and glibc keeps what they freed: measured, 20 small syncs
    of 10,000 chunks left 200 MB. It takes some milliseconds, without the interpreter's lock.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
