"""Keeps the keys that clients give for a job: encrypted under the server's secret while the job runs."""

import base64
from dataclasses import dataclass
from hashlib import sha256

import orjson
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from schemas.batch import BatchConfig
from server.errors import Conflict

_PURPOSE = b"greenroom: keys of batch jobs"


class Unreadable(Exception):
    """The keys were sealed with another secret, or are damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one job; never logged, never shown."""

    openplugin_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None


class Sealing:
    """Encrypts and opens keys; `seal` names the secret, None without one: then no keys can be kept.

    `takes_jobs` tells that this process takes jobs of people, and does not only work for those that do.
    """

    def __init__(self, secret: SecretStr | None, *, takes_jobs: bool = False) -> None:
        self.takes_jobs = takes_jobs
        self._fernet: Fernet | None = None
        self.seal: str | None = None
        if secret is not None:
            derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
            key = derived.derive(secret.get_secret_value().encode())
            self._fernet = Fernet(base64.urlsafe_b64encode(key))
            self.seal = sha256(_PURPOSE + key).hexdigest()[:16]

    def close(self, config: BatchConfig) -> bytes | None:
        """Return the keys of a job as they are stored, None when it has none."""
        given = {name: _given(getattr(config, name)) for name in Keys.__slots__}
        found = {name: value for name, value in given.items() if value}
        if not found:
            return None
        if self._fernet is None:
            raise Conflict("This process has no secret to keep keys with; set GREENROOM_SECRET.")
        return self._fernet.encrypt(orjson.dumps(found))

    def open(self, sealed: bytes | None) -> Keys:
        """Return the keys that were stored; raises Unreadable when they cannot be opened."""
        if sealed is None:
            return Keys()
        if self._fernet is None:
            raise Unreadable
        try:
            found = orjson.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise Unreadable from error
        return Keys(**{name: SecretStr(value) for name, value in found.items()})


def _given(key: SecretStr | None) -> str:
    return key.get_secret_value().strip() if key is not None else ""
