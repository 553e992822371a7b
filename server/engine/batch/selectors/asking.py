"""Calls of the model under test, with the sampling settings of its permutation."""

from collections.abc import Sequence

from schemas.batch import Llm
from schemas.envelope import JsonObject
from server.engine.batch.selectors.selection import Complete, Selection
from server.llm.completions import Completion, CompletionAsk, Sampling

MAX_TEXT = 32_000


def sampling_of(llm: Llm) -> Sampling:
    """Return the settings with which a model samples."""
    return Sampling(
        temperature=llm.temperature,
        max_tokens=llm.max_tokens,
        top_p=llm.top_p,
        frequency_penalty=llm.frequency_penalty,
        presence_penalty=llm.presence_penalty,
        n=llm.n,
        best_of=llm.best_of,
    )


async def asked(
    selection: Selection,
    complete: Complete,
    messages: Sequence[JsonObject],
    *,
    tools: Sequence[JsonObject] = (),
    stop: tuple[str, ...] = (),
) -> Completion:
    """Return the model's answer to messages in wire form; raises what `complete` raises."""
    return await complete(
        CompletionAsk(
            provider=selection.llm.provider,
            model=selection.llm.model_name,
            messages=tuple(messages),
            tools=tools,
            stop=stop,
            sampling=sampling_of(selection.llm),
        )
    )


def text_of(completion: Completion) -> str:
    """Return the text of an answer, as much of it as a result can hold."""
    return (completion.text or "")[:MAX_TEXT]


def said(role: str, content: str) -> JsonObject:
    """Return a message in wire form."""
    return {"role": role, "content": content}
