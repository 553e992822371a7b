"""A caller who acts by rules: conditional actions, of which fixed ones need no model."""

from collections import Counter
from collections.abc import Sequence

from schemas.envelope import Usage
from schemas.evaluator import Condition, ConditionalActions
from schemas.evaluator_run import Setup, TranscriptItem
from server.engine.evaluator.callers import tags
from server.engine.evaluator.callers.caller import EndCall, Say, Turn
from server.engine.evaluator.callers.choosing import chosen
from server.engine.evaluator.callers.conditions import BadConditionError, Test, compiled, is_contains
from server.engine.evaluator.callers.hearing import heard_since, said_by_us
from server.engine.evaluator.callers.manners import keeps_leaving
from server.engine.evaluator.callers.persona_caller import prompt_of
from server.engine.evaluator.callers.player import Cue, Player
from server.errors import Upstream
from server.llm import Models

FIRST_MESSAGE = 0  # the id of what the caller begins with


class ConditionalCaller:
    """Begins with the action of id 0, then does what the lowest condition that holds says.

    A follow-up is done on the turn after its condition's action, whatever the agent says. Where nothing holds
    the caller waits. The first message is always said as it is.
    """

    def __init__(self, setup: Setup, acts: ConditionalActions, models: Models) -> None:
        """Take a setup whose texts are filled in."""
        self._setup = setup
        self._role = acts.role
        self._models = models
        self._player = Player(models)
        ordered = sorted(acts.conditions, key=lambda c: c.id)
        self._first = next((c for c in ordered if c.id == FIRST_MESSAGE), None)
        self._followups = _followups(ordered)
        rules = [c for c in ordered if c.id != FIRST_MESSAGE and c.type == "standard"]
        self._prose = [c for c in rules if c.condition.strip() and not is_contains(c.condition)]
        self._contains = [c for c in rules if is_contains(c.condition)]
        self._tests: list[tuple[Condition, Test]] | None = None
        self._done: int | None = None  # the condition whose action came last
        self._greeted = False  # after the agent had begun

    @property
    def usage(self) -> Usage:
        """Return what the model's answers used so far."""
        return self._player.usage

    async def opening(self) -> Turn | None:
        """Return the first message; None where its action is empty, so that the agent begins."""
        if self._first is None:
            said = self._setup.scenario.first_message.strip()
            return (Say(said),) if said else None
        return self._begin(self._first) or None

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        """Return what the rules say after the agent's turn; raises Upstream."""
        mine = said_by_us(transcript)
        if self._first is not None and not mine and not self._greeted:
            self._greeted = True
            if turn := self._begin(self._first):
                return turn
        condition = self._followups.get(self._done) if self._done is not None else None
        if condition is None:
            condition = await self._holding(transcript)
        if condition is None:
            return ()
        turn = await self._do(condition, transcript)
        self._done = condition.id
        said = [step.text for step in turn if isinstance(step, Say)]
        return (
            (*turn, EndCall())
            if said and EndCall() not in turn and keeps_leaving([*mine, " ".join(said)])
            else turn
        )

    def _begin(self, first: Condition) -> Turn:
        turn = tags.steps_of(first.action)
        self._done = first.id if turn else None
        return turn

    async def _holding(self, transcript: Sequence[TranscriptItem]) -> Condition | None:
        """Return the lowest condition that holds; a model is asked only about prose that may come first."""
        heard = heard_since(transcript)
        if not heard.strip():
            return None
        if self._tests is None:
            self._tests = [(c, _test(c)) for c in self._contains]
        fixed = next((c for c, test in self._tests if test(heard)), None)
        prose = [c for c in self._prose if fixed is None or c.id < fixed.id]
        if not prose:
            return fixed
        found, usage = await chosen(self._models, prose, transcript)
        self._player.spent(usage)
        return found or fixed

    async def _do(self, condition: Condition, transcript: Sequence[TranscriptItem]) -> Turn:
        if condition.fixed_message:
            return tags.steps_of(condition.action)
        action, ends = tags.split(condition.action)
        if not action:
            return (EndCall(),) if ends else ()
        told = f"{self._role.strip()}\n\nNow do this with what you say, and nothing else: {action}".strip()
        prompt = prompt_of(self._setup, told)
        turn = await self._player.turn(prompt, Cue.of(transcript), may_end=not ends, asked=True)
        return (*turn, EndCall()) if ends and EndCall() not in turn else turn


def problems(acts: ConditionalActions, *, as_text: bool = True) -> list[str]:
    """Return what is wrong with conditional actions; `as_text` refuses tags that need a voice."""
    found = [
        f"The id {number} is there {times} times."
        for number, times in Counter(c.id for c in acts.conditions).items()
        if times > 1
    ]
    ids = {c.id for c in acts.conditions}
    for condition in acts.conditions:
        told = [*_condition_problems(condition, ids), *tags.problems(condition.action, as_text=as_text)]
        found += [f"Condition {condition.id}: {problem}" for problem in told]
    return found


def _condition_problems(condition: Condition, ids: set[int]) -> list[str]:
    if condition.type == "action_followup":
        if condition.id == FIRST_MESSAGE:
            return ["The first message follows nothing."]
        return _followup_problems(condition, ids)
    if condition.id == FIRST_MESSAGE:
        return []
    if not condition.condition.strip():
        return ["It has no condition, so it would never hold."]
    if not is_contains(condition.condition):
        return []
    try:
        compiled(condition.condition)
    except BadConditionError as error:
        return [str(error)]
    return []


def _followup_problems(condition: Condition, ids: set[int]) -> list[str]:
    given = condition.condition.strip()
    if not given:
        return [] if any(i < condition.id for i in ids) else ["It follows no other condition."]
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        return ["The condition of an action_followup is the id of the condition that it follows."]
    if int(given) == condition.id or int(given) not in ids:
        return [f"It follows the condition {given}, which is not another one of these."]
    return []


def _followups(ordered: Sequence[Condition]) -> dict[int, Condition]:
    """Return what follows each condition's action: by its id, or by its place; the lowest id comes first."""
    found: dict[int, Condition] = {}
    for before, condition in zip([None, *ordered], ordered, strict=False):
        if condition.type != "action_followup" or condition.id == FIRST_MESSAGE:
            continue
        given = condition.condition.strip()
        follows = int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else None
        if follows is None and before is not None:
            follows = before.id
        if follows is not None and follows != condition.id:
            found.setdefault(follows, condition)
    return found


def _test(condition: Condition) -> Test:
    try:
        return compiled(condition.condition)
    except BadConditionError as error:
        raise Upstream(f"Condition {condition.id}: {error}", retryable=False) from None
