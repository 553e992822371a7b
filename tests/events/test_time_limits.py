"""Time limits: the server ends what is overdue, unless the time may go below zero."""

from tests.conftest import Cast
from tests.support.attempts import begin, refused
from tests.support.running import Server

SOON_MS = 2_500  # a limit of 1 s, at most 1 s to notice it, and some for a busy machine


async def test_an_overdue_chat_ends_and_is_graded(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["Well"], "hang": True})
    learner = await cast.learner()
    patient, hurried = await begin(learner, "patient"), await begin(learner, "hurried")
    await hurried.send()
    begun = await learner.until("attempt_chat_started", chat_id=hurried.chat_id)
    await server.script()
    ended = await learner.until("attempt_chat_ended")
    assert ended["chat_id"] == hurried.chat_id
    assert ended["at"] - begun["at"] < SOON_MS
    graded = learner.named("attempt_graded")[0]
    assert graded["grade_id"] == ended["grade_id"]
    assert learner.named("attempt_assistant_complete")[0]["state"] == "stopped"
    await learner.until("attempt_ended", attempt_id=hurried.attempt_id)
    await refused(learner, "attempt_message", "conflict", **hurried.ids, message="Hi")
    timer = (await hurried.snapshot())["timer"]
    assert (timer["limit"], timer["exceeded"], timer["negative"]) == (1, True, False)

    await patient.say("Still here.")  # it is older
    timer = (await patient.snapshot())["timer"]
    assert (timer["limit"], timer["exceeded"], timer["negative"]) == (1, True, True)
    assert timer["elapsed"] > 1
