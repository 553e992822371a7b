"""Questions of a chat and their answers. Pure: no I/O."""

from schemas.attempt import (
    AttemptResponseResult,
    AttemptResponseSubmit,
    Chat,
    Response,
)
from schemas.content import Question
from schemas.envelope import Id
from server.errors import BadRequest, NotFound


def asked(chat: Chat, msg: AttemptResponseSubmit) -> Question:
    """Return the question that is answered; raises NotFound, or BadRequest for options that do not fit it."""
    question = next((q for q in chat.scenario.questions if q.id == msg.question_id), None)
    if question is None:
        raise NotFound("question_id: there is no such question in this chat.")
    if not set(msg.option_ids) <= {o.id for o in question.options}:
        raise BadRequest("option_ids: an option does not belong to this question.")
    if len(set(msg.option_ids)) > 1 and not question.allow_multiple:
        raise BadRequest("option_ids: this question takes one option.")
    return question


def result(chat_id: Id, response: Response) -> AttemptResponseResult:
    """Return the event that tells how an answer was judged."""
    return AttemptResponseResult(
        success=True,
        is_correct=response.is_correct,
        response_id=response.id,
        chat_id=chat_id,
        question_id=response.question_id,
        option_ids=response.option_ids,
    )
