"""A plugin and its operations, as selectors show them to models and matching compares them."""

from dataclasses import dataclass, field
from typing import Literal

from schemas.envelope import JsonObject

Place = Literal["path", "query", "header", "cookie", "body"]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation: a property of its body counts as one, `body` alone for other bodies."""

    name: str
    place: Place
    required: bool
    schema: JsonObject
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a plugin.

    `name` is a valid function name, unique among the operations of one selection's plugin; `servers` are the
    base URLs without a trailing slash, `path` the template behind them; `method` is in lower case.
    """

    name: str
    method: str
    path: str
    servers: tuple[str, ...]
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    schema: JsonObject  # of the function's arguments: an object
    examples: tuple[str, ...] = ()  # human_usage_examples of the manifest
    helpers: tuple[str, ...] = ()  # prompt_signature_helpers of the manifest

    @property
    def url(self) -> str:
        """Return the address of the operation at its first server."""
        return (self.servers[0] if self.servers else "") + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin: `names` are all by which it may be called, `name` is the one that people read.

    `document` is its OpenAPI document as a model reads it: JSON, only operations that the manifest allows.
    """

    manifest_url: str
    name: str
    names: tuple[str, ...]
    description: str
    operations: tuple[Operation, ...]
    document: str = field(repr=False)
