"""Who may watch through the Admin UI: one user with a password, and sessions that stand for it."""

import asyncio
import hmac
import secrets
import time
from typing import Any

from pydantic import SecretStr

from server.errors import RateLimited
from server.transports.addresses import counted_as
from server.transports.rates import Buckets, Rate
from server.transports.socketio.peer import Refusal

ATTEMPTS = Rate(per_second=0.1, burst=5)
SESSION_SECONDS = 12 * 3600.0
MAX_SESSIONS = 100
LONGEST = 1024
WRONG = "invalid credentials"  # by which the Admin UI knows that it has to ask again


class Door:
    """Checks passwords, plain or as bcrypt writes them, in constant time; an address may try so often."""

    def __init__(self, user: str, password: SecretStr) -> None:
        self._user = user.encode()
        self._password = password.get_secret_value().encode()
        self._attempts = Buckets(ATTEMPTS)
        self._sessions: dict[str, float] = {}  # until when, oldest first
        self._checking = asyncio.Lock()

    async def admit(self, auth: dict[str, Any], *, address: str) -> str | None:
        """Return a new session for who brings the password, None for who has one; raises Refusal."""
        session = auth.get("sessionId")
        if isinstance(session, str) and self._sessions.get(session, 0.0) > time.monotonic():
            return None
        try:
            self._attempts.take(counted_as(address), time.monotonic())
        except RateLimited as error:
            told = {"code": error.code, "message": "Too many attempts.", "retry_after": error.retry_after}
            raise Refusal("too many attempts; try again later", data=told) from error
        user, password = _bytes(auth.get("username")), _bytes(auth.get("password"))
        right = await self._matches(password)
        if not hmac.compare_digest(user, self._user) or not right:
            raise Refusal(WRONG)
        return self._opened()

    async def _matches(self, password: bytes) -> bool:
        if not self._password.startswith((b"$2a$", b"$2b$", b"$2y$")):
            return hmac.compare_digest(password, self._password)
        from bcrypt import checkpw  # of an extra

        if len(password) > 72:
            return False  # bcrypt reads no more
        async with self._checking:  # it takes a processor for a while
            return await asyncio.to_thread(checkpw, password, self._password)

    def _opened(self) -> str:
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = secrets.token_urlsafe(24)
        self._sessions[session] = time.monotonic() + SESSION_SECONDS
        return session


def _bytes(given: object) -> bytes:
    return given.encode(errors="replace") if isinstance(given, str) and len(given) <= LONGEST else b""
