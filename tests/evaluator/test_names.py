"""Names of resources and results, which are shown in terminals and written into XML."""

import pytest
from pydantic import ValidationError

from schemas.evaluator import Personality
from server.engine.evaluator.invalid import Invalid
from server.engine.evaluator.start_request import read_start


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x85", "\n", "\ufffe", "\U0001ffff", "\ud800"])
def test_names_hold_no_control_characters(sign: str) -> None:
    name = f"a{sign}b"
    with pytest.raises(ValidationError, match="name"):
        Personality.model_validate({"name": name})
    with pytest.raises(Invalid) as refused:
        read_start({"agent_id": 1, "scenarios": [1], "name": name})
    assert list(refused.value.fields) == ["name"]


def test_other_names_are_taken() -> None:
    name = "Zoë <b> \u2028 \U0001f468\u200d\U0001f469"
    assert Personality.model_validate({"name": name}).name == name
