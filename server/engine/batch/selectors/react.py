"""The loop of thought, action and observation that both Langchain selectors share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.envelope import JsonObject
from server.engine.batch.plugins.plugin import Plugin
from server.engine.batch.selectors.asking import asked, said, text_of
from server.engine.batch.selectors.prompts import (
    DATA_INPUT,
    NO_OPERATION,
    NO_URL,
    NOT_ABSOLUTE,
    NOT_CALLED,
    PLUGIN_TOOL,
    REQUEST_TOOL,
    STOP,
    UNKNOWN_TOOL,
    URL_INPUT,
)
from server.engine.batch.selectors.reading import AROUND_NAMES, detected_at, json_at, plugin_named
from server.engine.batch.selectors.selection import ApiCall, Complete, Detected, Selected, Selection
from server.errors import GreenroomError

MAX_STEPS = 15
MAX_OBSERVATION = 8_000  # characters of an API's answer
FINAL = "Final Answer:"
_METHODS = ("get", "post", "patch", "put", "delete")
_WITH_DATA = ("post", "patch", "put")
_BODIES = ("data", "body", "json", "params")  # under which models give it


@dataclass(frozen=True, slots=True)
class Action:
    """A tool that the model uses; its input is a text, or a JSON value."""

    tool: str
    input: object


@dataclass(frozen=True, slots=True)
class Finish:
    """The end: what the model answers."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a model writes its steps: what it is told, how they are read, and what is said about others."""

    told: Callable[["Tools"], str]
    read: Callable[[str], Action | Finish | None]
    again: str


async def react(selection: Selection, complete: Complete, *, form: Form) -> Selected:
    """Let the model think and act until it answers, at most 15 steps; return the requests that it made."""
    tools = Tools(selection)
    messages = [said("system", form.told(tools)), said("user", f"Question: {selection.prompt}")]
    text, again = "", False
    for _ in range(MAX_STEPS):
        completion = await asked(selection, complete, messages, stop=(STOP,))
        text = text_of(completion).split(STOP, 1)[0]  # not every model takes stop sequences
        step = form.read(text)
        if isinstance(step, Finish) or (step is None and again):
            text = step.text if step else text
            break
        again = step is None
        answer = form.again if step is None else f"Observation: {await tools.use(step)}"
        messages += [said("assistant", text or "Thought:"), said("user", answer)]
    return Selected(final_output=None if tools.detected else text.strip(), detected=tuple(tools.detected))


class Tools:
    """What the model may use: one tool per plugin, which tells about it, and one per HTTP method."""

    def __init__(self, selection: Selection) -> None:
        self.detected: list[Detected] = []
        self._selection = selection
        self._plugins = _labelled(selection.plugins)
        self._methods = {f"requests_{method}": method for method in _METHODS}

    @property
    def described(self) -> list[tuple[str, str, JsonObject]]:
        """Return the tools by name, description and the JSON of their input."""
        listed: list[tuple[str, str, JsonObject]] = [
            (label, PLUGIN_TOOL.format(name=plugin.name, description=plugin.description), {})
            for label, plugin in self._plugins.items()
        ]
        for label, method in self._methods.items():
            data: JsonObject = {"data": "object"} if method in _WITH_DATA else {}
            input_ = DATA_INPUT if data else URL_INPUT
            told = REQUEST_TOOL.format(method=method.upper(), input=input_)
            listed.append((label, told, {"url": "string", **data}))
        return listed

    async def use(self, action: Action) -> str:
        """Return what the model observes after an action."""
        name = action.tool.strip(AROUND_NAMES)
        if method := self._methods.get(name.lower()):
            return await self._request(method, action.input)
        plugin = self._plugins.get(action.tool) or plugin_named(action.tool, self._plugins.values())
        if plugin is None:
            return UNKNOWN_TOOL.format(name=name[:200], names=", ".join([*self._plugins, *self._methods]))
        return f"{plugin.description}\n\n{plugin.document}"

    async def _request(self, method: str, given: object) -> str:
        call = _api_call(method, given)
        if call is None:
            return NO_URL
        found = detected_at(self._selection.plugins, call)
        self.detected.append(found)
        request = self._selection.request
        if request is None:
            return NOT_CALLED
        # What a stranger's document tells the model to request elsewhere is not requested.
        if found.operation is None:
            return NO_OPERATION
        if call.url.startswith("/"):
            return NOT_ABSOLUTE
        try:
            return (await request(call))[:MAX_OBSERVATION]
        except GreenroomError as error:
            return f"The request failed: {error.message}"


def _labelled(plugins: Sequence[Plugin]) -> dict[str, Plugin]:
    """Return the plugins by the names that people read, which a number makes unique."""
    labelled: dict[str, Plugin] = {}
    for plugin in plugins:
        label, number = plugin.name, 1
        while label in labelled:
            number += 1
            label = f"{plugin.name} {number}"
        labelled[label] = plugin
    return labelled


def _api_call(method: str, given: object) -> ApiCall | None:
    """Return the request that an input asks for: a URL, or {url, data}; None without a URL."""
    if isinstance(given, str):
        given = _text_input(given)
    inputs = given if isinstance(given, dict) else {"url": given}
    url = inputs.get("url")
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://", "/")):
        return None
    body = next((inputs[name] for name in _BODIES if inputs.get(name) is not None), None)
    if isinstance(body, str):
        body = _parsed(body, body)
    return ApiCall(method=method, url=url.strip(), body=body)


def _text_input(text: str) -> object:
    """Return what a text is: a JSON object, also in a fence, or else the URL on its first line."""
    bare = text.strip().removeprefix("```json").strip("` \t\r\n")
    first = bare.split("\n", 1)[0].strip(" \t\r`'\"<>")
    return _parsed(bare, first) if bare.startswith("{") else first


def _parsed(text: str, instead: str) -> object:
    try:
        return json_at(text.strip())
    except ValueError:
        return instead
