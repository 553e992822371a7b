"""Who may do what with whose pipeline: what is somebody else's answers like what is not there."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import ClientResponse

from schemas.envelope import Role
from server.engine.ids import new
from server.transports import keys
from tests.playground.client import Data, filled, pipeline
from tests.support.rest import People, Rest
from tests.support.running import Server

READS = ("", "/status", "/documents", "/documents/paginated", "/documents/d0", "/documents/d0/status")
READ_PATHS = (*READS, "/documents/d0/chunks")
DOCUMENTS = [{"text": "mine now"}]
WRITES: tuple[tuple[str, str, object], ...] = (
    ("PUT", "", {"shared": True}),
    ("DELETE", "", None),
    ("PUT", "/documents", DOCUMENTS),
    ("POST", "/documents", DOCUMENTS),
    ("DELETE", "/documents/d0", None),
)
ORIGIN = "https://elsewhere.example"


@pytest_asyncio.fixture
async def browser(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a test a client that shows nothing of its own accord."""
    async with aiohttp.ClientSession(server.url) as http:
        yield http


async def test_what_is_foreign_answers_like_what_is_missing(author: Rest, people: People) -> None:
    theirs, nothing = await filled(author, "The library opens at nine."), new()
    strangers = [
        people.a("author"),
        people.a("admin"),
        people.a("ops"),
        people.a("learner"),
        people.a("admin", org="elsewhere"),
        people.a("author", org="elsewhere", profile=author.profile),
    ]
    for stranger in strangers:
        for path in READ_PATHS:
            assert await _same(stranger, "GET", path, theirs, nothing) == 404
        for method, path, body in WRITES:
            assert await _same(stranger, method, path, theirs, nothing, body) == 404
        assert await stranger.get("pipelines") == []
        assert await stranger.get("pipelines?pipeline_name=Handbook") == []
    assert [one["id"] for one in await author.get(f"pipelines/{theirs}/documents")] == ["d0"]
    assert (await author.get(f"pipelines/{theirs}"))["shared"] is False


async def test_what_is_shared_is_read_by_the_organisation_and_changed_by_its_owner(
    author: Rest, people: People
) -> None:
    shared = await filled(author, "The library opens at nine.", shared=True)
    roles: tuple[Role, ...] = ("learner", "author", "ops", "admin")
    for role in roles:
        reader = people.a(role)
        for path in READ_PATHS:
            await reader.get(f"pipelines/{shared}{path}")
        for method, path, body in WRITES:
            assert await reader.outcome(method, f"pipelines/{shared}{path}", body) == 403
        assert [one["id"] for one in await reader.get("pipelines")] == [shared]
    outsider = people.a("admin", org="elsewhere")
    for path in READ_PATHS:
        await outsider.get(f"pipelines/{shared}{path}", status=404)
    assert await outsider.get("pipelines") == []


@pytest.mark.parametrize("role", ["learner", "ops"])
async def test_only_authors_and_admins_create(people: People, role: Role) -> None:
    reader = people.a(role)
    assert set(await pipeline(reader, status=403)) == {"detail"}
    assert set(await reader.put("pipelines", {"name": "x"}, status=403)) == {"detail"}
    assert (await people.a("admin").put("pipelines", {"name": "x"}))["name"] == "x"


async def test_who_is_no_author_any_more_reads_what_it_has_made(author: Rest, people: People) -> None:
    mine = await filled(author, "The library opens at nine.")
    later = people.a("learner", profile=author.profile)
    assert (await later.get(f"pipelines/{mine}"))["id"] == mine
    for method, path, body in WRITES:
        assert await later.outcome(method, f"pipelines/{mine}{path}", body) == 403


async def test_nobody_is_let_in_without_showing_who_it_is(
    author: Rest, browser: aiohttp.ClientSession
) -> None:
    made = await pipeline(author, shared=True)
    shown: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer not-a-token"},
        {"Authorization": "Basic abc"},
        {"Authorization": ""},
        {"X-API-Key": "gr_unknown"},
        {"Cookie": "session=not-a-token"},
        {"Cookie": "session="},
        {"Cookie": "other=1"},
    ]
    for headers in shown:
        for path in ("", f"/{made['id']}", "/no-uuid"):
            async with browser.get(f"/api/v1/pipelines{path}", headers=headers) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert set(await response.json()) == {"detail"}


async def test_a_guest_reads_what_is_shared_at_home(
    author: Rest, people: People, browser: aiohttp.ClientSession
) -> None:
    made = await pipeline(author, shared=True)
    other = await pipeline(people.a("author", org="elsewhere"), shared=True)
    headers = {"X-Guest-Id": new()}
    for pipeline_id, status in ((made["id"], 200), (other["id"], 404)):
        async with browser.get(f"/api/v1/pipelines/{pipeline_id}", headers=headers) as response:
            assert response.status == status
    async with browser.put("/api/v1/pipelines", json={"name": "x"}, headers=headers) as response:
        assert response.status == 403


async def test_keys_and_cookies_are_as_good_as_tokens(
    server: Server, author: Rest, browser: aiohttp.ClientSession
) -> None:
    made = await pipeline(author)
    access = server.app[keys.ACCESS]
    key = await access.create_key(role="author", profile_id=author.profile)
    token = author.headers["Authorization"].removeprefix("Bearer ")
    shown = [
        {"X-API-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Cookie": f"session={token}"},
        {"Cookie": f"session={key}"},
    ]
    for headers in shown:
        async with browser.get(f"/api/v1/pipelines/{made['id']}", headers=headers) as response:
            assert (await response.json())["id"] == made["id"]
    mixed = {"Authorization": f"Bearer {token}", "Cookie": "session=not-a-token"}
    async with browser.get(f"/api/v1/pipelines/{made['id']}", headers=mixed) as response:
        assert response.status == 200  # the header comes first


async def test_pages_of_other_sites_change_nothing_with_the_cookie(
    server: Server, author: Rest, browser: aiohttp.ClientSession
) -> None:
    made = await pipeline(author)
    token = author.headers["Authorization"].removeprefix("Bearer ")
    cookie = {"Cookie": f"session={token}"}
    path = f"/api/v1/pipelines/{made['id']}"
    for origin, status in ((ORIGIN, 403), ("null", 403), (server.url, 200), (None, 200)):
        headers = {**cookie, **({"Origin": origin} if origin else {})}
        async with browser.put(path, json={"shared": True}, headers=headers) as response:
            assert response.status == status
    async with browser.delete(path, headers={**cookie, "Origin": ORIGIN}) as response:
        assert await _detail(response) == 403
    async with browser.get(path, headers={**cookie, "Origin": ORIGIN}) as response:
        assert response.status == 200  # whether a page may read the answer is the browser's to say
    bearer = {"Authorization": f"Bearer {token}", "Origin": ORIGIN}
    async with browser.put(path, json={"shared": False}, headers=bearer) as response:
        assert response.status == 200  # no page of another site has the token


async def _same(
    stranger: Rest, method: str, path: str, theirs: str, nothing: str, body: object = None
) -> int:
    """Return the status that both answer, whose words must be the same too."""
    answers: list[Data] = []
    for pipeline_id in (theirs, nothing):
        address = f"pipelines/{pipeline_id}{path}"
        if method == "GET":
            answers.append(await stranger.get(address, status=404))
        elif method == "DELETE":
            answers.append(await stranger.delete(address, status=404))
        else:
            send = stranger.put if method == "PUT" else stranger.post
            answers.append(await send(address, body, status=404))
    assert answers[0] == answers[1]
    return 404


async def _detail(response: ClientResponse) -> int:
    assert set(await response.json()) == {"detail"}
    return response.status
