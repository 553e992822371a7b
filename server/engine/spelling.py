"""Tells which known name was meant by one that is written almost right."""

from difflib import get_close_matches
from functools import cache

from pydantic import BaseModel

NEAR = 0.82  # expected_api is expected_api_used, but top_k is not top_p
PLURALS = ("s", "es")  # of a short name too far off by NEAR: passes is pass
LONGEST = 64  # characters of a name that is looked at
MAX_NAMES = 1_000  # unknown names that are looked at: each takes a fraction of a millisecond


@cache
def names_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a model's fields as they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


class NearNames:
    """Finds what unknown names of one document stand for."""

    def __init__(self) -> None:
        self._near: dict[tuple[type[BaseModel], str], str | None] = {}

    def meant(self, name: object, model: type[BaseModel]) -> str | None:
        """Return the field of a model that an unknown name is near to, None where there is none."""
        if not isinstance(name, str) or len(name) > LONGEST:
            return None
        key = (model, name)
        if key not in self._near:
            if len(self._near) >= MAX_NAMES:
                return None
            self._near[key] = _near(name.lower(), names_of(model))
        return self._near[key]


def _near(name: str, known: tuple[str, ...]) -> str | None:
    plural = (one for one in known if name in [one + end for end in PLURALS])
    return next(iter([*plural, *get_close_matches(name, known, n=1, cutoff=NEAR)]), None)
