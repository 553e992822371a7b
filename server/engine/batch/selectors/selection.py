"""What a selector is given and what it returns."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar, cast

from schemas.batch import CaseType, Llm
from schemas.envelope import JsonObject
from server.engine.batch.plugins.plugin import Operation, Plugin
from server.llm.completions import Completion, CompletionAsk

T = TypeVar("T")
Complete = Callable[[CompletionAsk], Awaitable[Completion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """A request that a model wants made."""

    method: str
    url: str
    body: object = None


Request = Callable[[ApiCall], Awaitable[str]]


class Group(tuple[Plugin, ...]):
    """Plugins among which a model chooses; many runs share one."""

    def once(self, make: Callable[["Group"], T]) -> T:
        """Return what a function makes of these plugins; it is called for the first run only."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    @cached_property
    def _made(self) -> dict[object, object]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A prompt, the plugins to choose from, and how the model is to be asked.

    `request` makes a model's API calls and returns their answers as text; None while they are not allowed.
    """

    prompt: str
    case_type: CaseType
    plugins: Group
    llm: Llm
    request: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """A call that a model has made; plugin and operation are None when it is none of the plugins'.

    `target` is what the model named: an address or a function.
    """

    plugin: Plugin | None
    operation: Operation | None
    target: str
    method: str | None = None
    parameters: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What a model came to: its text when it made no call, and its calls in their order."""

    final_output: str | None
    detected: Sequence[Detected]


class Selector(Protocol):
    """Asks a model to choose; raises GreenroomError when the model fails. Cancelling is safe."""

    async def __call__(self, selection: Selection, complete: Complete) -> Selected:
        """Return what the model chose."""
