"""Keeps a job's keys out of what is stored of it: an endpoint may repeat in its answer what it was sent."""

from typing import Any

from pydantic import BaseModel

from server.engine.batch.sealing import Keys

HIDDEN = "•••"
LEAST = 8  # characters; what is shorter stands in other words by chance


class Hiding:
    """Replaces the keys of a job by dots."""

    def __init__(self, keys: Keys) -> None:
        given = (keys.openai_api_key, keys.openplugin_api_key)
        found = {key.get_secret_value() for key in given if key is not None}
        self._keys = sorted((key for key in found if len(key) >= LEAST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without keys."""
        for key in self._keys:
            text = text.replace(key, HIDDEN)
        return text

    def value(self, value: Any) -> Any:
        """Return texts, lists, objects and models, also inside of each other, without keys."""
        return self._without(value) if self._keys else value

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._without(name): self._without(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._without(item) for item in value]
        if isinstance(value, BaseModel):
            return type(value).model_validate(self._without(value.model_dump()))
        return value
