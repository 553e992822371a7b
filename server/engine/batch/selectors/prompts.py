"""What models are told by the selectors; every word of it counts as tokens in every run."""

from collections.abc import Iterable, Sequence

from schemas.batch import CaseType
from server.engine.batch.plugins.plugin import Operation, Plugin

NO_FUNCTIONS = "No functions found"
STOP = "\nObservation:"
NOT_CALLED = "The request was noted; its answer is not available here. Finish with your final answer."
NO_OPERATION = "No plugin has an operation at this address; nothing was requested."
NOT_ABSOLUTE = "Nothing was requested: give the whole address, with https:// and the host."

_EXAMPLES = "Each function below stands over requests that it serves. Call one only if the request needs it."
_HELPERS = "Each name below stands over notes on its arguments. Keep to them when you call it."
_CHOOSE = """\
Decide which of these plugins are needed to serve the user's request.

{plugins}

Answer with one line, naming plugins exactly as above:
Action: name[, name]
If none of them is needed, answer:
Action: None"""
_WRITE = """\
Write the HTTP request with which the plugin {name} serves the user's request.

{description}
{helpers}
Its OpenAPI document:
{document}

Answer with one line and nothing else: the method, a space, and the whole URL with its query, values \
percent-encoded. If the operation takes a body, put it behind the URL as JSON.
<VERB> <URL>"""
_REACT = """\
Answer the question with the help of these tools:

{tools}

Use exactly this form:

Question: what you have to answer
Thought: what to do next
Action: one of [{names}]
Action Input: what the tool is given
Observation: what the tool answered
(Thought, Action, Action Input and Observation may be repeated)
Thought: I know the answer
Final Answer: the answer to the question

Read about a plugin before you request anything of its API. Never write an Observation yourself."""
_STRUCTURED = """\
Answer the question with the help of these tools; args are the JSON of their input:

{tools}

Each of your messages is one thought and one action, written as JSON in a fenced block:

Thought: what to do next
```json
{{"action": one of [{names}, "Final Answer"], "action_input": the input}}
```

You are then given the Observation: what the tool answered. To end, use the action "Final Answer" with your \
answer as its input. Read about a plugin before you request anything of its API."""
REQUEST_TOOL = "Sends a {method} request. Input: {input}"
URL_INPUT = "the URL, or JSON with url"
DATA_INPUT = "JSON with url and data, the body; or the URL"
PLUGIN_TOOL = "Tells what the plugin {name} can do and how its API is called. {description}"
UNKNOWN_TOOL = "There is no tool {name}; use one of {names}."
NO_URL = "Nothing was requested: the input has no URL."
AGAIN_TEXT = 'No action and no answer was found. Write "Action:" and "Action Input:", or "Final Answer:".'
AGAIN_JSON = 'No action was found. Answer with one fenced JSON block that has "action" and "action_input".'


def notes(case_type: CaseType, operations: Iterable[tuple[str, Operation]]) -> str | None:
    """Return the usage examples of named operations, for signature cases their helpers; None without any."""
    plugin_case = case_type == "plugin_selector"
    lines: list[str] = []
    for name, operation in operations:
        given = operation.examples if plugin_case else operation.helpers
        if given:
            lines += [f"\n{name}:", *(f"- {text}" for text in given)]
    return "\n".join([_EXAMPLES if plugin_case else _HELPERS, *lines]) if lines else None


def choose(plugins: Sequence[Plugin]) -> str:
    """Return what asks for the plugins that a request needs."""
    return _CHOOSE.format(plugins="\n".join(f"{plugin.name}: {plugin.description}" for plugin in plugins))


def write(plugin: Plugin) -> str:
    """Return what asks for a request to a plugin's API."""
    operations = ((f"{op.method.upper()} {op.path}", op) for op in plugin.operations)
    helpers = notes("api_signature_selector", operations)
    return _WRITE.format(
        name=plugin.name,
        description=plugin.description,
        helpers=f"\n{helpers}\n" if helpers else "",
        document=plugin.document,
    )


def react(tools: Sequence[tuple[str, str]]) -> str:
    """Return the form in which a model thinks and acts, with tools by name and description."""
    listed = "\n".join(f"{name}: {description}" for name, description in tools)
    return _REACT.format(tools=listed, names=", ".join(name for name, _ in tools))


def structured(tools: Sequence[tuple[str, str, str]]) -> str:
    """Return the same with JSON actions; the third of each tool is its args."""
    listed = "\n".join(f"{name}: {description} args: {args}" for name, description, args in tools)
    return _STRUCTURED.format(tools=listed, names=", ".join(f'"{name}"' for name, _, _ in tools))
