"""The model behind a caller: it says something, and may hang up by a tool."""

from collections.abc import Sequence
from contextlib import aclosing

import orjson

from schemas.content import Tool, ToolCall
from schemas.envelope import Usage
from server.engine.conversation.parties import ModelParty
from server.engine.evaluator.callers.manners import MAX_SAID, Spoken
from server.llm import ChatTurn, Models, ToolsRefused, summed
from server.llm.providers import is_small

SMALL_TOKENS = 60  # of one answer of the embedded model, which otherwise rambles

END_CALL = Tool(
    name="end_call",
    description=(
        "Hang up. Call it once your goal is reached or you see that it cannot be, and the other side has"
        " answered all that you asked. What you say with it are your last words: ask nothing with them."
    ),
    parameters={
        "type": "object",
        "properties": {
            "all_answered": {
                "type": "boolean",
                "description": "Whether the other side has answered the last thing that you asked for.",
            }
        },
        "required": ["all_answered"],
        "additionalProperties": False,
    },
)
ENDS_BY_TOOL = (
    "You end the call by calling end_call, in the same answer as your goodbye or without any words; nothing"
    " else ends it. Do not hang up before you have said what you call for and your last request was answered:"
    " when you are asked to wait, say that you wait. Say goodbye once, and only together with end_call."
)
ENDS_BY_GOODBYE = (
    "Once your goal is reached, or you see that it cannot be, say goodbye: that ends the call. Do not say"
    " goodbye before your last request was answered."
)
STAYS = "Do not say goodbye and do not hang up now."


class Voice:
    """Speaks for a caller by a model; `tools` is False once the model turned out to have none."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._limit = SMALL_TOKENS if is_small(models.name) else None
        self.tools = True
        self.usage = Usage()

    async def speak(self, prompt: str, turns: Sequence[ChatTurn], *, may_end: bool = True) -> Spoken:
        """Return what the model says next; raises Upstream."""
        tools = (END_CALL,) if self.tools and may_end else ()
        ending = (ENDS_BY_TOOL if self.tools else ENDS_BY_GOODBYE) if may_end else STAYS
        system = ChatTurn(role="system", content=f"{prompt}\n\n{ending}")
        party = ModelParty(self._models, [system, *turns], tools=tools, max_tokens=self._limit)
        try:
            text = await _words(party)
        except ToolsRefused:
            self.tools = False
            return await self.speak(prompt, turns, may_end=may_end)
        finally:
            self.spent(party.usage)
        calls = [call for call in party.tool_calls if call.name == END_CALL.name]
        return Spoken(text, ends=bool(calls), waits=any(_waits(call) for call in calls))

    def spent(self, usage: Usage | None) -> None:
        """Add what an answer used."""
        if usage is not None:
            self.usage = usage if self.usage == Usage() else summed(self.usage, usage)


async def _words(party: ModelParty) -> str:
    parts: list[str] = []
    length = 0
    async with aclosing(party.speak()) as words:
        async for text in words:
            parts.append(text)
            length += len(text)
            if length > 4 * MAX_SAID:
                break
    return "".join(parts)


def _waits(call: ToolCall) -> bool:
    """Tell whether a call says that something is unanswered; what cannot be read says nothing."""
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return False
    return isinstance(arguments, dict) and arguments.get("all_answered") is False
