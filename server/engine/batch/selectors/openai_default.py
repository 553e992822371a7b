"""OpenAI/default: the operations are offered as tools, and the calls of one answer are taken."""

from dataclasses import dataclass
from typing import get_args

from schemas.batch import CaseType
from schemas.content import ToolCall
from schemas.envelope import JsonObject
from server.engine.batch.plugins.operations import unique_names
from server.engine.batch.plugins.plugin import Operation, Plugin
from server.engine.batch.selectors.asking import asked, said, text_of
from server.engine.batch.selectors.prompts import NO_FUNCTIONS, notes
from server.engine.batch.selectors.reading import object_of
from server.engine.batch.selectors.selection import Complete, Detected, Group, Selected, Selection

MAX_DESCRIPTION = 1_024  # longer ones are refused by OpenAI
Named = dict[str, tuple[Plugin, Operation]]


@dataclass(frozen=True, slots=True)
class _Offer:
    """Operations by the names of the functions that stand for them, as tools and with notes on them."""

    named: Named
    tools: tuple[JsonObject, ...]
    notes: dict[CaseType, str | None]


async def select(selection: Selection, complete: Complete) -> Selected:
    """Return the functions that the model calls; their APIs are not."""
    offer = selection.plugins.once(_offer)
    if not offer.named:
        return Selected(final_output=NO_FUNCTIONS, detected=())
    told = offer.notes[selection.case_type]
    messages = [said("system", told)] if told else []
    messages.append(said("user", selection.prompt))
    completion = await asked(selection, complete, messages, tools=offer.tools)
    if not completion.calls:
        return Selected(final_output=text_of(completion), detected=())
    detected = tuple(_detected(call, offer.named) for call in completion.calls)
    return Selected(final_output=None, detected=detected)


def _offer(group: Group) -> _Offer:
    named = unique_names(group)
    operations = [(name, operation) for name, (_, operation) in named.items()]
    return _Offer(
        named,
        tuple(_tool(name, plugin, operation) for name, (plugin, operation) in named.items()),
        {case_type: notes(case_type, operations) for case_type in get_args(CaseType)},
    )


def _tool(name: str, plugin: Plugin, operation: Operation) -> JsonObject:
    texts = dict.fromkeys(filter(None, (operation.summary, operation.description)))
    description = f"{plugin.name}: {' '.join(texts)}" if texts else f"{plugin.name}: {plugin.description}"
    function = {
        "name": name,
        "description": description[:MAX_DESCRIPTION],
        "parameters": operation.schema,
    }
    return {"type": "function", "function": function}


def _detected(call: ToolCall, named: Named) -> Detected:
    """Return a call; arguments that are no JSON object are none, and the call counts all the same."""
    plugin, operation = named.get(call.name, (None, None))
    return Detected(
        plugin=plugin,
        operation=operation,
        target=call.name,
        method=operation.method if operation else None,
        parameters=object_of(call.arguments),
    )
