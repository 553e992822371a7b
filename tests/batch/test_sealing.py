"""The keys of a job: encrypted while it runs, opened with the same secret only."""

import pytest
from pydantic import SecretStr

from schemas.batch import BatchConfig
from server.engine.batch.sealing import Keys, Sealing, Unreadable
from server.errors import Conflict

ONE, OTHER = (SecretStr(f"the {n} secret of the tests, which is long enough") for n in ("first", "other"))
CONFIG = BatchConfig(openplugin_api_key=SecretStr(""), openai_api_key=SecretStr("sk-of-a-client"))


def test_keys_come_back_with_the_same_secret() -> None:
    sealed = Sealing(ONE).close(CONFIG)
    assert sealed is not None
    assert b"sk-of-a-client" not in sealed
    assert Sealing(ONE).open(sealed) == Keys(openai_api_key=SecretStr("sk-of-a-client"))
    assert Sealing(ONE).close(CONFIG) != sealed
    assert "sk-of" not in repr(Sealing(ONE).open(sealed))


def test_white_space_around_a_key_is_no_part_of_it() -> None:
    sealed = Sealing(ONE).close(BatchConfig(openai_api_key=SecretStr(" sk-copied\n")))
    assert Sealing(ONE).open(sealed) == Keys(openai_api_key=SecretStr("sk-copied"))
    assert Sealing(ONE).close(BatchConfig(openai_api_key=SecretStr(" \n"))) is None


@pytest.mark.parametrize("secret", [OTHER, None])
def test_with_another_secret_they_stay_closed(secret: SecretStr | None) -> None:
    sealed = Sealing(ONE).close(CONFIG)
    assert Sealing(secret).seal != Sealing(ONE).seal
    with pytest.raises(Unreadable):
        Sealing(secret).open(sealed)


def test_without_keys_there_is_nothing_to_seal() -> None:
    assert Sealing(None).close(BatchConfig(openplugin_api_key=SecretStr(""))) is None
    assert Sealing(None).open(None) == Keys()
    with pytest.raises(Conflict):
        Sealing(None).close(CONFIG)
