"""Fields of structured outputs that shorten what is too long instead of refusing it."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class AtMost:
    """Limit a text or list: the schema tells the model, and a longer one is cut.

    A plain maximum would refuse the answer of a model whose endpoint does not enforce schemas, for the sake
    of one word too many.
    """

    limit: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._cut, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        return {**schema, ("maxItems" if schema["type"] == "array" else "maxLength"): self.limit}

    def _cut(self, value: Any) -> Any:
        return value[: self.limit]


def clean(text: str) -> str:
    """Remove control characters, which terminals would obey, and surrounding white space."""
    return _CONTROL.sub("", text).strip()


Reference = Annotated[str, BeforeValidator(str), AtMost(12)]
# Room for what the prompts ask for and little more: a small model fills what it is given, slowly.
Span = Annotated[str, AtMost(120)]
Title = Annotated[str, AtMost(60)]
Prose = Annotated[str, AtMost(280)]
Paragraph = Annotated[str, AtMost(400)]


class QuoteClaim(BaseModel):
    """A quote as a model claims it: m1, m2, … and words copied from that message."""

    message: Reference
    text: Span
