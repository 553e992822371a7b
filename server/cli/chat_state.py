"""Where the terminal chat stands: what both typed lines and the server's events change."""

from dataclasses import dataclass, field
from typing import Literal

from schemas.envelope import Id, JsonObject

Busy = Literal["reply", "ending", "grading"]
WRITTEN = ("strengths", "improvements", "analyses")


@dataclass
class State:
    """An attempt, its open chat, and what the server is busy with.

    `scene` is the newest chat as its learner may see it, `last` the ended chat that /grade is about, `place`
    the chat's room, epoch and offset, `said` the chats in which the learner has said something, `writes` what
    a grade of each chat tells besides points.
    """

    attempt: Id = ""
    chat: Id | None = None
    last: Id | None = None
    place: tuple[str, str, int] = ("", "", 0)
    scene: JsonObject = field(default_factory=dict)
    persona: str = ""
    busy: Busy | None = None
    over: bool = False
    asked: bool = False  # the questions have been shown
    answers: dict[Id, JsonObject] = field(default_factory=dict)
    said: set[Id] = field(default_factory=set)
    writes: dict[Id, str] = field(default_factory=dict)

    def settle(self, what: Busy) -> None:
        """Note that the server has done something."""
        if self.busy == what:
            self.busy = None

    def show(self, chat: JsonObject, answers: JsonObject) -> None:
        """Take over a chat's scene and the answers given in it."""
        self.scene = chat
        self.persona = str(chat.get("persona", {}).get("name", "?"))
        self.asked = False
        self.answers = dict(answers)
        self.writes[str(chat.get("chat_id"))] = _written(chat.get("template", {}))


def _written(template: JsonObject) -> str:
    """Return what a grade tells besides points, as a phrase."""
    *most, last = [kind for kind in WRITTEN if template.get(f"{kind}_enabled", True)] or [""]
    return f"{', '.join(most)} and {last}" if most else last
