"""How many documents a pipeline has at most."""

import pytest

from schemas.pipeline import DocumentWrite
from server.engine.access import Identity
from server.engine.playground.documents import Documents, Sent
from server.errors import Conflict
from server.transports import keys
from tests.playground.stacks import Stacks


def sent(*names: str) -> list[Sent]:
    return [Sent(write=DocumentWrite(id=name, text=f"Text of {name}.")) for name in names]


async def test_replacing_documents_takes_no_room(stacks: Stacks) -> None:
    app, pipeline = stacks.server.app, await stacks.pipeline()
    wake = app[keys.INDEXING].wake
    documents = Documents(stacks.store, app[keys.PIPELINES], wake=wake, most=3)
    caller = Identity(kind="profile", id=pipeline.owner.id, role="author")
    await documents.put(caller, pipeline.id, sent("a", "b"), replace=True)
    await documents.put(caller, pipeline.id, sent("a", "b"), replace=True)
    for replace in (True, False):
        with pytest.raises(Conflict, match="at most 3"):
            await documents.put(caller, pipeline.id, sent("a", "b", "c", "d"), replace=replace)
    assert await documents.count(caller, pipeline.id) == 2
    await documents.put(caller, pipeline.id, sent("a", "b", "c"), replace=False)
    await documents.put(caller, pipeline.id, [], replace=True)
    assert await documents.count(caller, pipeline.id) == 3
