"""A restaurant's desk that answers over a WebSocket: an agent to try evaluators on, with bugs to find.

    python content/evaluator/demo_agent.py --port 8765
    python content/evaluator/demo_agent.py --port 8765 --bug wrong-date

It needs aiohttp only, and no model: it looks for words. Its first line of output is its address.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

BUGS = {
    "wrong-date": "books the day after the one that was asked for, and says the right one",
    "forgets-allergy": "neither notes an allergy nor speaks of it",
    "claims-booking": "says that the table is booked, and has called nothing",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CLOSED, FULL, LATER, MOST_GUESTS = "Monday", ("Saturday", "20:00"), "21:00", 10
WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen"),
)
NUMBER = rf"(\d{{1,2}}|{'|'.join(sorted(WORDS, key=len, reverse=True))})"
GUESTS = re.compile(
    rf"\b(?:for|party of|we are)\s+{NUMBER}\b(?!\s*(?::|am|pm|o'clock))"
    rf"|\b{NUMBER}\s+(?:people|guests|of us)\b"
)
TIME = re.compile(
    rf"\b(\d{{1,2}}):(\d\d)\s*(am|pm)?|\b{NUMBER}()\s*(am|pm|o'clock)"
    rf"|\b(?:at|around)\s+{NUMBER}()()\b(?!\s*(?::|am|pm|o'clock))"
)
NOT_THIS = re.compile(r"\b(?:instead of|rather than|not)\s+\w+", re.IGNORECASE)
NAME = re.compile(r"(?:[Nn]ame is|[Nn]ame of|[Nn]ame|[Uu]nder|I am|I'm|[Tt]his is)\s+((?:[A-Z][\w'-]+ ?)+)")
BARE_NAME = re.compile(r"^\W*((?:[A-Z][\w'-]+ ?){1,3})\W*$")
ALLERGY = re.compile(r"allergic to (\w+)|(\w+) allergy", re.IGNORECASE)
YES = re.compile(r"\b(yes|yeah|sure|correct|please do|go ahead|that is right|that's right)\b", re.IGNORECASE)
BYE = re.compile(r"\b(good ?bye|bye|that is all|that's all|nothing else)\b", re.IGNORECASE)
BOOK = re.compile(r"\b(book|table|reserv\w+)\b", re.IGNORECASE)
CANCEL = re.compile(r"\bcancel", re.IGNORECASE)
PERSON = re.compile(r"\b(human|real person|manager|colleague)\b", re.IGNORECASE)
HOURS = re.compile(r"\b(open|opening|hours)\b", re.IGNORECASE)
VEGAN = re.compile(r"\bvegan", re.IGNORECASE)

Frame = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a caller wants, as far as it was said."""

    guests: int | None = None
    day: str | None = None
    time: str | None = None
    name: str | None = None
    allergy: str | None = None


class Desk:
    """One call: what is said to it, and the frames that it answers with."""

    def __init__(self, bugs: frozenset[str], numbers: Iterator[int]) -> None:
        self._bugs = bugs
        self._numbers = numbers
        self._calls = count(1)
        self._wish = Wish()
        self._task = ""  # book, cancel or nothing yet
        self._offered: Wish | None = None  # what the caller was asked to confirm
        self._checked: tuple[object, ...] = ()

    def greet(self) -> list[Frame]:
        """Return what the desk begins with."""
        return [say("Trattoria Verde, good day. How can I help you?")]

    def hear(self, text: str) -> list[Frame]:
        """Return what the desk does after a caller's turn; the last frame may end the call."""
        self._listen(text)
        agreed = bool(YES.search(text)) and self._wish == self._offered
        if BYE.search(text) and not agreed:
            return [say("Thank you for calling Trattoria Verde. Goodbye.", end=True)]
        if PERSON.search(text) or (self._wish.guests or 0) > MOST_GUESTS:
            return self._transfer()
        if CANCEL.search(text) or (not self._task and BOOK.search(text)):
            self._task = "cancel" if CANCEL.search(text) else "book"
        answers = list(_facts(text))
        if agreed:
            return answers + self._book(self._wish)
        if self._task:
            return answers + (self._cancel() if self._task == "cancel" else self._ask())
        return answers or [say("I can book a table, cancel one, or tell you when we are open.")]

    def _listen(self, text: str) -> None:
        """Take note of all that a turn says about a booking."""
        said = NOT_THIS.sub("", text)
        lower = said.lower()
        found: dict[str, Any] = {
            "guests": _first(GUESTS, lower, _number),
            "day": next((d for d in DAYS if d.lower() in lower), None),
            "time": _time(lower),
            "name": _first(NAME, said, str.strip),
            "allergy": _first(ALLERGY, lower, str),
        }
        if found["name"] is None and self._task and self._wish.name is None and not found["day"]:
            found["name"] = _first(BARE_NAME, said, str.strip)
        if "forgets-allergy" in self._bugs:
            found["allergy"] = None
        self._wish = replace(self._wish, **{key: value for key, value in found.items() if value is not None})

    def _ask(self) -> list[Frame]:
        """Look whether there is a table, ask for what is missing, then whether to book."""
        wish = self._wish
        for missing, question in (
            (wish.guests, "For how many people is the table?"),
            (wish.day, "For which day is it?"),
            (wish.time, "At what time would you like to come?"),
        ):
            if missing is None:
                return [say(question)]
        frames: list[Frame] = []
        if self._checked != (wish.guests, wish.day, wish.time):
            frames, problem = self._check(wish)
            if problem:
                return [*frames, say(problem)]
        if wish.name is None:
            return [*frames, say("There is a table. What is your name, please?")]
        self._offered = wish
        return [*frames, say(f"That is {_told(wish)}. Shall I book it?")]

    def _check(self, wish: Wish) -> tuple[list[Frame], str]:
        """Return the call that looks for a table, and what is wrong with the wish."""
        problem, result = "", "available"
        if wish.day == CLOSED:
            problem = "I am sorry, we are closed on Mondays. Would another day suit you?"
            result = "closed on Mondays"
            self._wish = replace(wish, day=None)
        elif (wish.day, wish.time) == FULL:
            problem = f"I am sorry, we are full then. There is a table at {LATER}, would that suit you?"
            result = f"full, free at {LATER}"
            self._wish = replace(wish, time=None)
        else:
            self._checked = (wish.guests, wish.day, wish.time)
        asked = {"day": wish.day, "time": wish.time, "guests": wish.guests}
        return self._call("check_availability", asked, result), problem

    def _book(self, wish: Wish) -> list[Frame]:
        self._offered, self._task, self._wish = None, "", Wish(name=wish.name)
        number = f"R-{next(self._numbers)}"
        day = wish.day
        if "wrong-date" in self._bugs and day is not None:
            day = DAYS[(DAYS.index(day) + 1) % len(DAYS)]
        notes = f"allergy: {wish.allergy}" if wish.allergy else ""
        booking = {"day": day, "time": wish.time, "guests": wish.guests, "name": wish.name, "notes": notes}
        frames = [] if "claims-booking" in self._bugs else self._call("book_table", booking, number)
        told = say(f"It is booked: {_told(wish)}. Your number is {number}. Can I do anything else for you?")
        return [*frames, {"metadata": {"booking": number}}, told]

    def _cancel(self) -> list[Frame]:
        name = self._wish.name
        if name is None:
            return [say("Under which name is the booking?")]
        self._task = ""
        frames = self._call("cancel_booking", {"name": name}, "cancelled")
        return [*frames, say(f"The booking of {name} is cancelled. Can I do anything else for you?")]

    def _transfer(self) -> list[Frame]:
        frames = self._call("transfer_call", {"to": "manager"}, "ringing")
        return [*frames, say("My colleague takes care of that. I am passing you on.", end=True)]

    def _call(self, name: str, arguments: Frame, result: str) -> list[Frame]:
        """Return the two frames of a function that the desk has called."""
        made = f"call_{next(self._calls)}"
        called = {"id": made, "name": name, "arguments": json.dumps(arguments)}
        answered = {"id": made, "name": name, "result": result}
        return [
            {"role": "Function Call", "data": called},
            {"role": "Function Call Result", "data": answered},
        ]


def say(text: str, *, end: bool = False) -> Frame:
    """Return the frame that says something."""
    return {"content": text, "type": "end_call"} if end else {"content": text}


def _facts(text: str) -> Iterator[Frame]:
    if HOURS.search(text):
        yield say("We are open from Tuesday to Sunday, from 17:00 to 23:00.")
    if VEGAN.search(text):
        yield say("We have four vegan dishes, and the kitchen can change most others.")


def _told(wish: Wish) -> str:
    told = f"a table for {wish.guests} on {wish.day} at {wish.time} under the name {wish.name}"
    return f"{told}, with a note of the {wish.allergy} allergy" if wish.allergy else told


def _first(pattern: re.Pattern[str], text: str, read: Any) -> Any:
    """Return what the first group that matched holds, None when nothing did."""
    found = pattern.search(text)
    return next((read(group) for group in found.groups() if group), None) if found else None


def _number(word: str) -> int:
    return int(word) if word.isdigit() else WORDS.index(word) + 1


def _time(text: str) -> str | None:
    """Return a time as HH:MM; an hour before noon without am is one of the evening."""
    found = TIME.search(text)
    if found is None:
        return None
    hour, minutes, half = next(found.groups()[n : n + 3] for n in (0, 3, 6) if found.group(n + 1))
    hours = _number(hour)
    if hours < 12 and half != "am":
        hours += 12
    return f"{hours:02}:{minutes or '00'}"


def app_of(bugs: frozenset[str]) -> web.Application:
    """Return the server; each connection is a call of its own."""
    numbers = count(1001)

    async def call(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        desk = Desk(bugs, numbers)
        await _send(socket, desk.greet())
        async for message in socket:
            heard = _read(message.data) if message.type is WSMsgType.TEXT else {}
            if heard.get("type") in ("end_call", "end"):
                break
            if isinstance(heard.get("content"), str):
                await _send(socket, desk.hear(heard["content"]))
        return socket

    app = web.Application()
    app.router.add_get("/", call)
    return app


def _read(text: str) -> Frame:
    try:
        frame = json.loads(text)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}


async def _send(socket: web.WebSocketResponse, frames: Sequence[Frame]) -> None:
    for frame in frames:
        await socket.send_json(frame)


async def serve(bugs: frozenset[str], *, host: str, port: int) -> None:
    """Answer calls until it is stopped."""
    runner = web.AppRunner(app_of(bugs), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        print(f"ws://{host}:{runner.addresses[0][1]}/", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A restaurant's desk over a WebSocket, to be evaluated.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8765, help="port to listen on, 0 takes a free one")
    told = "; ".join(f"{name} {what}" for name, what in BUGS.items())
    parser.add_argument("--bug", action="append", choices=BUGS, default=[], help=f"plant a bug: {told}")
    given = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(frozenset(given.bug), host=given.host, port=given.port))


if __name__ == "__main__":
    main()
