"""Who somebody is, and what they may follow (socket-v5 §2, §3)."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

import jwt
from pydantic import SecretStr

from schemas.envelope import Id, Role
from schemas.stored import Owner
from server.engine.ids import new, number_of
from server.errors import Forbidden, GreenroomError, NotFound, Unauthenticated, Unavailable
from server.rooms.families import FAMILIES, OPS, Audience, family, ops_room
from server.store import Store
from server.store.keys import Key, digest

KEY_PREFIX = "gr_"
ORG = re.compile(r"[A-Za-z0-9._-]{1,64}")
ROLES: frozenset[str] = frozenset(get_args(Role))
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who speaks: a profile or a guest, with a role in an organisation; `expires` in epoch seconds."""

    kind: Literal["profile", "guest"]
    id: Id
    role: Role
    org: str = "default"
    expires: float | None = None

    @property
    def key(self) -> str:
        """Return the name under which an identity's requests are kept, and of its own room."""
        return f"{self.kind}_{self.id}"

    @property
    def is_author(self) -> bool:
        """Tell whether this identity may write content and grade others' chats."""
        return self.role in ("author", "admin")

    @property
    def may_practise(self) -> bool:
        """Tell whether this identity may have attempts of its own; ops reads only."""
        return self.role != "ops"

    def is_owner(self, owner: Owner, org: str) -> bool:
        """Tell whether something of an organisation is this identity's own."""
        return (owner.kind, owner.id, org) == (self.kind, self.id, self.org)

    def owns(self, owner: Owner, org: str) -> bool:
        """Tell whether this identity may act on something because it is its own."""
        return self.is_owner(owner, org) and self.may_practise

    @property
    def sees_all(self) -> bool:
        """Tell whether this identity may follow what belongs to others of its organisation."""
        return self.role != "learner"

    @property
    def operates(self) -> bool:
        """Tell whether this identity may see what happens in its organisation as a whole."""
        return self.role in ("ops", "admin")


class Access:
    """Authenticates by JWT (HS256 secret or JWKS address) or API key, and decides who follows what."""

    def __init__(
        self,
        store: Store,
        *,
        secret: SecretStr,
        jwks_url: str | None = None,
        audience: str | None = None,
        guests: bool = False,
    ) -> None:
        self._store = store
        self._secret = secret
        self._audience = audience
        self._guests = guests
        self._asks: dict[Audience, Callable[[Identity, str], Awaitable[bool]]] = {
            "chat": self._may_follow_chat,
            "test": self._may_follow_test,
            "playground": self._may_follow_session,
        }
        self._jwks = jwt.PyJWKClient(jwks_url, cache_keys=True, timeout=5) if jwks_url else None

    async def authenticate(
        self, *, token: str | None = None, api_key: str | None = None, guest_id: object = None
    ) -> Identity:
        """Return who somebody is; a token may be an API key too. Raises Unauthenticated with a reason."""
        credential = api_key if token is None else token
        if credential is not None:
            if not credential.isascii():
                raise Unauthenticated("The token or API key holds characters that none of ours has.")
            if credential.startswith(KEY_PREFIX):
                return await self._by_key(credential)
            return await self._by_token(credential)
        if not self._guests:
            raise Unauthenticated("A token is needed: guests are not let in here.")
        return Identity(kind="guest", id=_guest_id(guest_id), role="learner")

    def mint(self, *, role: Role, profile_id: Id, seconds: float, org: str = "default") -> str:
        """Return a token signed with this server's secret."""
        return mint(
            self._secret,
            role=role,
            profile_id=profile_id,
            seconds=seconds,
            org=org,
            audience=self._audience,
        )

    async def create_key(self, *, role: Role, profile_id: Id, org: str = "default") -> str:
        """Store a new API key and return it; only its hash is kept."""
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        await self._store.keys.create(digest(key), Key(profile_id=profile_id, role=role, org=org))
        return key

    async def check_may_follow(self, caller: Identity, room: str) -> str:
        """Return the name in the log of a room that a caller may follow.

        Raises NotFound for all others, whether they exist or not.
        """
        name = in_log(caller, room)
        if not await self.may_follow(caller, name):
            raise NotFound("There is no such room, or you may not follow it.")
        return name

    async def may_follow(self, caller: Identity, room: str) -> bool:
        """Tell whether a caller may follow a room, by its name in the log (the table of socket-v5 §3)."""
        if room == caller.key:
            return True
        found = FAMILIES.get(family(room))
        if found is None:
            return False
        key = room.partition("_")[2]
        match found.audience:
            case "chat" | "test" | "playground":
                return await self._asks[found.audience](caller, key)
            case "batch":
                return caller.sees_all and await self._store.jobs.org(key) == caller.org
            case "result":
                return caller.sees_all and await self._is_result(key, org=caller.org)
            case "profile":
                return caller.sees_all and await self._is_known(key, org=caller.org)
            case "ops":
                return caller.operates and room == ops_room(caller.org)
            case "guest":
                return False

    async def _may_follow_chat(self, caller: Identity, key: str) -> bool:
        chat = await self._store.chats.access(key)
        if chat is None:
            return False
        owner, org = chat
        return caller.is_owner(owner, org) or (caller.sees_all and org == caller.org)

    async def _may_follow_session(self, caller: Identity, key: str) -> bool:
        """Tell whether a session is the caller's own, of a pipeline that it may still read."""
        session = await self._store.playground.access(key)
        if session is None or session[:2] != (caller.key, caller.org):
            return False
        pipeline = await self._store.pipelines.get(session[2])
        return (
            pipeline is not None
            and pipeline.org == caller.org
            and (pipeline.shared or caller.is_owner(pipeline.owner, pipeline.org))
        )

    async def _is_known(self, profile_id: str, *, org: str) -> bool:
        """Tell whether a profile has done anything in an organisation."""
        stores = (
            self._store.attempts,
            self._store.tests,
            self._store.generations,
            self._store.jobs,
            self._store.evaluator_results,
        )
        return any([await store.knows_owner(profile_id, org=org) for store in stores])

    async def _is_result(self, key: str, *, org: str) -> bool:
        """Tell whether a number is that of an organisation's result."""
        number = number_of(key)
        return number is not None and await self._store.evaluator_results.org(number) == org

    async def _may_follow_test(self, caller: Identity, key: str) -> bool:
        if not caller.sees_all:
            return False
        invocation = await self._store.invocations.access(key)
        return invocation is not None and invocation[1] == caller.org

    async def _by_key(self, key: str) -> Identity:
        found = await self._store.keys.find(digest(key))
        if found is None:
            raise Unauthenticated("The API key is not known.")
        return Identity(kind="profile", id=found.profile_id, role=found.role, org=found.org)

    async def _by_token(self, token: str) -> Identity:
        try:
            claims = await self._claims(token)
            profile = str(UUID(claims["sub"]))
            role = claims["role"]
            org = claims.get("org", "default")
            if role not in ROLES or not isinstance(org, str) or not ORG.fullmatch(org):
                raise Unauthenticated("The token names no role that exists here.")
            return Identity(kind="profile", id=profile, role=role, org=org, expires=float(claims["exp"]))
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired.") from error
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("The keys that verify tokens cannot be fetched; try again soon.") from error
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise Unauthenticated("The token is not valid.") from error

    async def _claims(self, token: str) -> dict[str, Any]:
        options: Any = {"require": ["exp", "sub", "role"], "verify_aud": self._audience is not None}
        if self._jwks is None:
            return jwt.decode(
                token,
                self._secret.get_secret_value(),
                algorithms=["HS256"],
                audience=self._audience,
                options=options,
            )
        key = await asyncio.to_thread(self._jwks.get_signing_key_from_jwt, token)
        return jwt.decode(token, key.key, algorithms=ALGORITHMS, audience=self._audience, options=options)


def check_renewal(newer: Identity, now: Identity) -> None:
    """Raise Forbidden for a token that would change more of a connection than when it ends."""
    if (newer.key, newer.role, newer.org) != (now.key, now.role, now.org):
        raise Forbidden("The token belongs to somebody else or gives another role; connect anew with it.")


def in_log(caller: Identity, room: str) -> str:
    """Return the name in the log of a room that a caller names: `ops` is its own organisation's."""
    return ops_room(caller.org) if room == OPS else room


def not_yours(caller: Identity, what: Literal["attempt", "chat"], *, org: str | None) -> GreenroomError:
    """Return the refusal of what is somebody else's, of this organisation, or of nobody at all (None).

    Those who may see it learn that they may not act on it; to everybody else it does not exist.
    """
    if caller.sees_all and caller.org == org:
        return Forbidden(f"This {what} is somebody else's: you may follow it, not change it.")
    return NotFound(f"There is no such {what}, or it is not yours.")


def mint(
    secret: SecretStr,
    *,
    role: Role,
    profile_id: Id,
    seconds: float,
    org: str = "default",
    audience: str | None = None,
) -> str:
    """Return a token that servers with this secret take."""
    now = time.time()
    claims: dict[str, Any] = {
        "sub": profile_id,
        "role": role,
        "org": org,
        "iat": int(now),
        "exp": int(now + seconds),
    }
    if audience:
        claims["aud"] = audience
    return jwt.encode(claims, secret.get_secret_value(), algorithm="HS256")


def _guest_id(wanted: object) -> Id:
    """Return a guest's id: the one it brings back from an earlier visit, or a new one."""
    if wanted is None:
        return new()
    try:
        guest = UUID(wanted) if isinstance(wanted, str) else None
    except ValueError:
        guest = None
    if guest is None or guest.version != 4:
        raise Unauthenticated("guest_id: not an id that this server gave.")
    return str(guest)
