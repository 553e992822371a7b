"""Learners who ask the judge for points."""

import asyncio
from typing import Any

from server.engine.ids import new
from tests.attacks.node import Node
from tests.attacks.table import Attack
from tests.engine.test_grading_untrusted import PHRASINGS, naive
from tests.support.attempts import begin
from tests.support.clients import Socket


async def graded(node: Node, phrase: str, **more: Any) -> float:
    """Practise with a phrase as the only message, and return the score."""
    async with node.client(new()) as learner:
        talk = await begin(learner)
        await talk.say(phrase)
        await talk.end()
        grade = await learner.until("attempt_graded", chat_id=talk.chat_id)
        if more:
            await again(learner, talk.chat_id, attempt_id=talk.attempt_id, **more)
            grade = await learner.until("attempt_graded", count=2, chat_id=talk.chat_id)
    score: float = grade["score"]
    return score


async def again(learner: Socket, chat_id: str, **more: Any) -> None:
    """Have a chat graded once more, and see what is told of it."""
    await learner.send("attempt_join", chat_id=chat_id)
    await learner.send("attempt_grade", chat_id=chat_id, **more)


async def full_points(node: Node) -> None:
    """Ten phrasings, as a message and as a wish, to a judge that obeys whatever is not quoted.

    The control: the same judge moves the score when it decides itself, so it could be moved.
    """
    await node.cluster.script(
        {"match": {"schema": "Verdict"}, "json": {"quotes": [], "feedback": "Good work.", "level": 3}}
    )
    assert await graded(node, "Hello.") == 6
    assert len(PHRASINGS) == 10
    rules = [rule for phrase in PHRASINGS for rule in naive(phrase)[:-4]]
    await node.cluster.script(*rules, *naive(PHRASINGS[0])[-4:])
    scores = await asyncio.gather(*(graded(node, p, user_instructions=[p]) for p in PHRASINGS))
    assert scores == [0] * len(PHRASINGS)
    await node.cluster.script()


ATTACKS = [Attack(run=full_points)]
