"""The questions of a chat in a terminal: numbered, with lettered options."""

import re
from collections.abc import Sequence
from string import ascii_lowercase

from schemas.envelope import Id, JsonObject
from server.cli.chat_link import Link
from server.cli.chat_screen import Screen
from server.cli.chat_state import State

ANSWER = re.compile(r"(\d+)[.)]?\s+([a-z](?:[\s,]+[a-z])*)")
HOW = "Answer with /answer 1 a, or /answer 1 a,c when several are right."


class Wrong(Exception):
    """An answer cannot be sent; the message is for people."""


def questions_of(chat: JsonObject) -> list[JsonObject]:
    """Return the questions that a chat asks."""
    if not chat.get("template", {}).get("questions_enabled"):
        return []
    return list(chat.get("scenario", {}).get("questions", []))


def read_answer(text: str, questions: Sequence[JsonObject]) -> tuple[JsonObject, list[Id]]:
    """Return the question and the options that `N a[,b]` names; raises Wrong."""
    found = ANSWER.fullmatch(text.strip().casefold())
    if found is None:
        raise Wrong(HOW)
    number, letters = int(found[1]), dict.fromkeys(re.findall("[a-z]", found[2]))
    if not 0 < number <= len(questions):
        raise Wrong(f"There is no question {number}; /questions shows them.")
    question = questions[number - 1]
    options = question["options"]
    chosen = [ascii_lowercase.index(letter) for letter in letters]
    if max(chosen) >= len(options):
        raise Wrong(f"Question {number} has the options a to {ascii_lowercase[len(options) - 1]}.")
    if len(chosen) > 1 and not question.get("allow_multiple"):
        raise Wrong(f"Question {number} takes one option.")
    return question, [options[index]["id"] for index in chosen]


class Quiz:
    """Shows the questions of the open chat and sends answers."""

    def __init__(self, link: Link, screen: Screen, state: State) -> None:
        self._link = link
        self._screen = screen
        self._state = state

    def show(self) -> None:
        """Show the questions with what was answered."""
        self._state.asked = True
        chat = self._state.scene
        for number, question in enumerate(questions_of(chat), 1):
            self._screen.question(number, question, chat=chat, answer=self._state.answers.get(question["id"]))
        self._screen.note(HOW if questions_of(chat) else "This conversation asks no questions.")

    def show_once(self) -> None:
        """Show the questions when the persona has spoken for the first time."""
        if not self._state.asked and questions_of(self._state.scene):
            self.show()

    async def answer(self, text: str) -> None:
        """Send an answer and tell whether it is right; raises Refused."""
        state = self._state
        if state.chat is None:
            self._screen.note("The conversation has ended, so its questions are closed.")
            return
        try:
            question, option_ids = read_answer(text, questions_of(state.scene))
        except Wrong as wrong:
            self._screen.note(str(wrong))
            return
        ack = await self._link.call(
            "attempt_response_submit", chat_id=state.chat, question_id=question["id"], option_ids=option_ids
        )
        state.answers[question["id"]] = {"option_ids": option_ids, "is_correct": ack["is_correct"]}
        self._screen.verdict(bool(ack["is_correct"]))
