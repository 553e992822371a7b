"""attempt_response_submit: correct is the whole set, and the latest answer counts."""

import pytest

from schemas.content import Question, Scenario
from server.engine.ids import new
from server.engine.packs import read_pack
from tests.conftest import Cast
from tests.support.attempts import Client, Data, begin, refused, stored
from tests.support.running import PACK, Server

QUESTIONS = {
    q.text: q
    for _, content in read_pack(PACK.read_text(), file=PACK.name).contents
    if isinstance(content, Scenario)
    for q in content.questions
}
ONE, MANY = QUESTIONS["What is it?"], QUESTIONS["Which repeat?"]


def options(question: Question, *chosen: str) -> list[str]:
    """Return the ids of options by their texts."""
    ids = {o.text: o.id for o in question.options}
    return [ids[text] for text in chosen]


async def test_an_answer_is_judged_for_everybody_in_the_room(server: Server, client: Client) -> None:
    talk = await begin(client, "quiz")
    answer = {"chat_id": talk.chat_id, "question_id": ONE.id}
    ack = await client.send("attempt_response_submit", **answer, option_ids=options(ONE, "A loop"))
    assert ack == {"success": True, "response_id": ack["response_id"], "is_correct": True}
    result = await client.until("attempt_response_result")
    assert (result["success"], result["is_correct"]) == (True, True)
    assert result["response_id"] == ack["response_id"]
    assert (result["chat_id"], result["question_id"]) == (talk.chat_id, ONE.id)
    assert result["room"] == talk.room
    wrong = await client.send("attempt_response_submit", **answer, option_ids=options(ONE, "A line"))
    assert wrong["is_correct"] is False
    await client.until("attempt_response_result", response_id=wrong["response_id"])
    shown = await talk.snapshot()
    assert shown["responses"][ONE.id]["id"] == wrong["response_id"]  # the latest counts
    assert "'is_correct'" not in str(shown["chat"])


@pytest.mark.parametrize(
    ("chosen", "right"),
    [
        (("for", "while"), True),
        (("while", "for", "while"), True),
        (("for",), False),
        (("for", "while", "if"), False),
        (("if",), False),
    ],
)
async def test_the_chosen_set_has_to_be_the_correct_one(
    server: Server, cast: Cast, chosen: tuple[str, ...], right: bool
) -> None:
    talk = await begin(await cast.learner(), "quiz")
    ack = await talk.client.send(
        "attempt_response_submit",
        chat_id=talk.chat_id,
        question_id=MANY.id,
        option_ids=options(MANY, *chosen),
    )
    assert ack["is_correct"] is right


async def test_its_refusals(server: Server, cast: Cast, client: Client) -> None:
    talk, plain = await begin(client, "quiz"), await begin(client)
    event, chat_id = "attempt_response_submit", talk.chat_id
    one: Data = {"question_id": ONE.id, "option_ids": options(ONE, "A loop")}
    await refused(client, event, "not_found", chat_id=new(), **one)
    await refused(client, event, "not_found", chat_id=plain.chat_id, **one)
    await refused(client, event, "not_found", chat_id=chat_id, **{**one, "question_id": new()})
    await refused(client, event, "bad_request", chat_id=chat_id, **{**one, "option_ids": []})
    await refused(client, event, "bad_request", chat_id=chat_id, **{**one, "option_ids": [new()]})
    foreign = {**one, "option_ids": options(MANY, "for")}
    await refused(client, event, "bad_request", chat_id=chat_id, **foreign)
    several = {**one, "option_ids": options(ONE, "A loop", "A line")}
    await refused(client, event, "bad_request", chat_id=chat_id, **several)
    for someone, code in ((await cast.stranger(), "not_found"), (await cast.author(), "forbidden")):
        await refused(someone, event, code, chat_id=chat_id, **one)
        said = someone.named("attempt_response_result")
        assert [(s["success"], s.get("offset")) for s in said] == [(False, None)]
    await talk.end(grade=False)
    await refused(client, event, "conflict", chat_id=chat_id, **one)
    assert not client.named("attempt_response_result", success=True)
    chats = await stored(server, "chats", owner=cast.learner_id)
    assert not any(c.get("responses") for c in chats)
