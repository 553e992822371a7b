"""What an answer must keep besides its schema: numbers that exist, and answers for every item."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, create_model, model_validator

from server.engine.drafting.resources_sets import Order, ScenarioRubrics
from server.engine.drafting.resources_talk import Options, Standards

M = TypeVar("M", bound=BaseModel)
Sizes = Mapping[str, int]  # how many numbered items a field may refer to


def checked(asked: type[M], sizes: Sizes) -> type[M]:
    """Return a schema that refuses answers which the items do not allow, so that the model repairs them."""

    def check(self: Any) -> Any:
        problems = [*_numbers(self.model_dump(), sizes), *_whole(self, sizes)]
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return self

    validators: dict[str, Callable[..., Any]] = {"check": model_validator(mode="after")(check)}  # type: ignore[dict-item]
    return create_model(asked.__name__, __base__=asked, __doc__=asked.__doc__, __validators__=validators)


def _numbers(value: Any, sizes: Sizes) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item, sizes)
    elif isinstance(value, dict):
        for name, item in value.items():
            size = sizes.get(name)
            for number in item if isinstance(item, list) else [item]:
                if size is not None and isinstance(number, int) and number > size:
                    yield f"{name} {number} does not exist, there are {size}"
            if not isinstance(item, list) or size is None:
                yield from _numbers(item, sizes)


def _whole(answer: BaseModel, sizes: Sizes) -> Iterator[str]:
    """Yield what is missing in an answer that is about every numbered item."""
    if isinstance(answer, Options):
        yield from _options(answer, sizes.get("question", 0))
    elif isinstance(answer, Standards):
        yield from _standards(answer, sizes.get("group", 0))
    elif isinstance(answer, Order) and len(set(answer.order)) != len(answer.order):
        yield "an item comes more than once"
    elif isinstance(answer, ScenarioRubrics):
        count = len(answer.rubrics)
        yield from (f"rubric {i.rubric} does not exist" for i in answer.assigned if i.rubric > count)


def _options(answer: Options, count: int) -> Iterator[str]:
    given = {o.question: o.options for o in answer.options}
    yield from (f"question {n} has no options" for n in range(1, count + 1) if n not in given)
    for number, options in given.items():
        if not any(o.is_correct for o in options):
            yield f"no option of question {number} is right"


def _standards(answer: Standards, count: int) -> Iterator[str]:
    counts = Counter(s.group for s in answer.standards)
    levels = Counter((s.group, s.level) for s in answer.standards)
    yield from (f"group {n} needs at least two standards" for n in range(1, count + 1) if counts[n] < 2)
    yield from (f"group {g} has level {level} more than once" for (g, level), n in levels.items() if n > 1)
