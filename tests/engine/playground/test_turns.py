"""What a user says in a session: after which conversation, with which settings, and what is too much."""

import pytest

from schemas.envelope import utc_now
from schemas.playground import (
    MAX_MESSAGES,
    MAX_SESSION,
    Annotation,
    ChatData,
    ChatMessage,
    LlmParams,
    MessageRole,
    PlaygroundSession,
    SentMessage,
)
from schemas.retrieval import RetrievalParams
from schemas.stored import Owner
from server.engine.ids import new
from server.engine.playground.turns import MAX_HEARD, Step, Turn, turns_of
from server.errors import Conflict, TooLarge

NOTE = Annotation(type="sources", data="[]")


def session(*texts: str) -> PlaygroundSession:
    """Return a session in which user and assistant have spoken in turn."""
    messages = [
        ChatMessage(id=new(), index=i, role=("user", "assistant")[i % 2], content=text, annotations=[NOTE])
        for i, text in enumerate(texts)
    ]
    return PlaygroundSession(
        id=new(),
        org="default",
        owner=Owner(kind="profile", id=new()),
        user_key="profile_1",
        pipeline_id=new(),
        created_at=utc_now(),
        updated_at=utc_now(),
        llm_params_id=new(),
        retrieval_params_id=new(),
        retrieval_params=RetrievalParams(alpha=0.5),
        chat_messages=messages,
    )


def turn(history: list[SentMessage] | None = None, data: ChatData | None = None) -> Turn:
    return Turn(
        message="And now?", message_id=new(), reply_id=new(), history=history, data=data or ChatData()
    )


def sent(messages: list[ChatMessage], *, ids: bool = True) -> list[SentMessage]:
    return [SentMessage(id=m.id if ids else None, role=m.role, content=m.content) for m in messages]


def events(step: Step) -> list[str]:
    return [event.name for event in step.events]


@pytest.mark.parametrize("ids", [True, False])
def test_a_history_that_is_the_same_changes_nothing(ids: bool) -> None:
    before = session("One?", "One.")
    step = turn(sent(before.chat_messages, ids=ids)).step(before, owner="me")
    assert step.after.chat_messages[:2] == before.chat_messages
    assert "chat_messages" in step.update["$push"]
    assert events(step) == ["playground_user_complete", "ops_entry"]


def test_a_history_that_differs_takes_the_place_of_what_was_said() -> None:
    before = session("One?", "One.", "Two?", "Two.")
    history = sent(before.chat_messages[:2])
    history[1].content = "Another one."
    step = turn([*history, SentMessage(role="user", content="New?")]).step(before, owner="me")
    after = step.after.chat_messages
    assert [m.content for m in after] == ["One?", "Another one.", "New?", "And now?"]
    assert [m.index for m in after] == [0, 1, 2, 3]
    assert [len(m.annotations) for m in after] == [1, 0, 0, 0]
    assert len(step.update["$set"]["chat_messages"]) == 4
    assert events(step) == ["playground_updated", "playground_user_complete", "ops_entry"]


def test_ids_that_are_given_twice_are_made_anew() -> None:
    key = new()
    history = [SentMessage(id=key, role="user", content=text) for text in ("One?", "Two?")]
    said = Turn(message="Three?", message_id=key, reply_id=new(), history=history, data=ChatData())
    ids = [m.id for m in said.step(session(), owner="me").after.chat_messages]
    assert ids[0] == key
    assert len(set(ids)) == 3


def test_settings_that_are_given_are_kept() -> None:
    data = ChatData(
        llm_parameters=LlmParams(temperature=None),
        retrieval_parameters=RetrievalParams(sparse_similarity_top_k=3),
    )
    after = turn(data=data).step(session(), owner="me").after
    assert (after.llm_params.temperature, after.llm_params.model_name) == (None, "GPT_4O_MINI")
    assert (after.retrieval_params.alpha, after.retrieval_params.sparse_similarity_top_k) == (0.5, 3)


def test_a_turn_is_known_again() -> None:
    said, before = turn(), session()
    after = said.step(before, owner="me").after
    assert (said.is_in(before), said.is_in(after)) == (False, True)
    with pytest.raises(Conflict):
        turn().step(after, owner="me")


def test_conversations_are_bounded() -> None:
    many = session(*["x"] * MAX_MESSAGES)
    with pytest.raises(TooLarge):
        turn().step(many, owner="me")
    large = session(*["x" * 64_000] * (MAX_SESSION // 64_000 + 1))
    with pytest.raises(TooLarge):
        turn().step(large, owner="me")
    assert turn([]).step(large, owner="me").after.chat_messages[0].content == "And now?"


def test_what_a_model_is_given_of_a_conversation() -> None:
    roles: tuple[MessageRole, ...] = ("system", "user", "tool", "chatbot", "function", "model", "assistant")
    messages = [ChatMessage(id=new(), index=i, role=role, content=role) for i, role in enumerate(roles)]
    messages.append(ChatMessage(id=new(), index=9, role="assistant", content=""))
    assert [turn["content"] for turn in turns_of(messages)] == [
        "system",
        "user",
        "chatbot",
        "model",
        "assistant",
    ]
    long = session(*["x" * (MAX_HEARD // 2)] * 5).chat_messages
    assert len(turns_of(long)) == 2
