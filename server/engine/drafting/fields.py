"""Fields of what a model is asked to make: never blank, cut when too long."""

from typing import Annotated

from pydantic import AfterValidator, Field

from server.engine.grading.fields import AtMost, clean


def _filled(value: str) -> str:
    text = clean(value)
    if not text:
        raise ValueError("this should not be blank")
    return text


_Filled = AfterValidator(_filled)
Line = Annotated[str, AtMost(120), _Filled]
Sentence = Annotated[str, AtMost(400), _Filled]
Prose = Annotated[str, AtMost(1_200), _Filled]
Pages = Annotated[str, AtMost(8_000), _Filled]
Place = Annotated[int, Field(ge=1, le=2_000)]  # of a numbered item in the prompt, from 1
