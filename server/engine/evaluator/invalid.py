"""What is wrong with a request, field by field."""

from collections.abc import Iterable, Mapping

from schemas.envelope import Problem
from server.errors import BadRequest

MAX_MESSAGES = 20  # of a field
Fields = dict[str, list[str]]


class Invalid(BadRequest):
    """The request is not what this address takes.

    `fields` says what is wrong with each of its fields; over HTTP it is the whole answer.
    """

    def __init__(self, fields: Mapping[str, Iterable[str]]) -> None:
        self.fields: Fields = {name: cut(messages) for name, messages in fields.items()}
        details = [
            Problem(loc=[name], msg=message, type="invalid")
            for name, messages in self.fields.items()
            for message in messages
        ]
        super().__init__(f"{details[0].loc[0]}: {details[0].msg}", details=details)


def cut(messages: Iterable[str]) -> list[str]:
    """Return messages, each once; of very many the first ones, and how many more there are."""
    found = list(dict.fromkeys(messages))
    if len(found) <= MAX_MESSAGES:
        return found
    return [*found[:MAX_MESSAGES], f"There are {len(found) - MAX_MESSAGES} more problems; mend these first."]


def merged(one: Fields, two: Fields) -> Fields:
    """Return all that is wrong by either, the former's first."""
    return {name: [*one.get(name, []), *two.get(name, [])] for name in (*one, *two)}
