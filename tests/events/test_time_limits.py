"""Time limits: the server ends what is overdue, unless the time may go below zero."""

from tests.conftest import Cast
from tests.support.attempts import begin, refused
from tests.support.running import Server


async def test_an_overdue_chat_ends_and_is_graded(server: Server, cast: Cast) -> None:
    await server.script({"match": {"last_contains": "Hurry"}, "chunks": ["Well"], "hang": True, "times": 1})
    learner = await cast.learner()
    patient, hurried = await begin(learner, "patient"), await begin(learner, "hurried")
    await hurried.send("Hurry!")
    ended = await learner.until("attempt_chat_ended")  # nothing else would ever end it: the model hangs
    assert ended["chat_id"] == hurried.chat_id
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
