"""`token` and `key create`: credentials."""

import sys
from typing import Annotated
from uuid import UUID

import typer

from schemas.envelope import Id, Role
from server.cli.failure import Failure
from server.cli.options import DataDir, Org, Profile, RoleOption, configure
from server.cli.parts import opened_store
from server.cli.run import run
from server.cli.secret import signing_secret
from server.engine.access import Access, mint
from server.engine.ids import derive
from server.settings import Settings

DAYS = 30.0
Days = Annotated[float, typer.Option(min=0.001, max=3650, help="How long it is good for.")]


def token(
    role: RoleOption,
    profile: Profile = None,
    days: Days = DAYS,
    org: Org = "default",
    data_dir: DataDir = None,
) -> None:
    """Print a token, and nothing else.

    Without --profile it speaks for the same person each time, one per role, so that what was begun with one
    token goes on with the next.
    """
    print(make_token(configure(data_dir=data_dir), role, profile=profile, days=days, org=org))


def create_key(
    role: RoleOption, profile: Profile = None, org: Org = "default", data_dir: DataDir = None
) -> None:
    """Print a new API key; only its hash is kept, so this is the one time to see it."""
    run(_create_key(data_dir, role, profile=profile, org=org))


def make_token(
    settings: Settings, role: Role, *, profile: UUID | None = None, days: float = DAYS, org: str = "default"
) -> str:
    """Return a token signed with the server's secret; raises Failure."""
    if settings.jwks_url:
        raise Failure("GREENROOM_JWKS_URL is set, so tokens come from whoever signs them there")
    return mint(
        signing_secret(settings),
        role=role,
        profile_id=profile_of(role, profile),
        seconds=days * 24 * 3600,
        org=org,
        audience=settings.jwt_audience,
    )


def profile_of(role: Role, profile: UUID | None = None) -> Id:
    """Return the profile that was named, else the role's own."""
    return str(profile) if profile else derive("profile", role)


async def _create_key(data_dir: DataDir, role: Role, *, profile: UUID | None, org: str) -> None:
    settings = configure(data_dir=data_dir, log_level="error")
    async with opened_store(settings) as store:
        access = Access(store, secret=signing_secret(settings))
        key = await access.create_key(role=role, profile_id=profile_of(role, profile), org=org)
    print(key)
    print(
        f"greenroom: a key for profile {profile_of(role, profile)}; keep it, it is not shown again",
        file=sys.stderr,
    )
