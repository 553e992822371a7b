"""An entry's payload: the stored JSON with its room, offset and time."""

import orjson
import pytest

from server.rooms.entry import Entry


@pytest.mark.parametrize(
    "payload", [{}, {"chat_id": "c"}, {"text": 'quote " and brace }', "nested": {"a": []}}]
)
def test_the_place_is_added_to_the_payload(payload: dict[str, object]) -> None:
    entry = Entry(room="attempt_c", n=7, w="p-1", at=5, name="attempt_progress", j=orjson.dumps(payload))
    assert orjson.loads(entry.data) == {**payload, "room": "attempt_c", "offset": 7, "at": 5}
    assert entry.size == len(entry.data)
    assert repr(entry) == "Entry(attempt_c@7 attempt_progress)"


def test_clients_read_the_name_by_which_they_know_the_room() -> None:
    entry = Entry(room="ops:elsewhere", n=7, w="p-1", at=5, name="ops_entry", j=b'{"kind":"test"}')
    assert orjson.loads(entry.data) == {"kind": "test", "room": "ops", "offset": 7, "at": 5}
    assert (entry.room, entry.j) == ("ops:elsewhere", b'{"kind":"test"}')
