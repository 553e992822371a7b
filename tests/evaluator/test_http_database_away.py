"""The database stops while clients use evaluators over HTTP: they are told so, and may ask again."""

from pathlib import Path

from server.embedded.mongod import start_mongod
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.evaluator.client import TEXT, agent_at, desk_of, scenario_of
from tests.evaluator.lab import lab_on


async def test_requests_are_told_to_come_back_and_start_once(
    model: tuple[ScriptedModel, str], tmp_path: Path
) -> None:
    mongod = await start_mongod(tmp_path)
    try:
        async with lab_on(mongod.url, model) as lab, desk_of(lab.server) as desk:
            token = lab.server.token(new(), role="author")
            author, by_key = desk.showing({"Authorization": f"Bearer {token}"}), await desk.person()
            body = {"scenarios": [await scenario_of(author, await agent_at(author))]}
            key = {"Idempotency-Key": "once"}
            mongod.process.kill()
            await mongod.process.wait()
            for client in (author, by_key):
                assert list(await client.post(TEXT, body, 503, **key)) == ["detail"]
            assert list(await author.get("runs/", 503)) == ["detail"]
            assert list(await author.post("metrics/", {"name": "n", "prompt": "p"}, 503)) == ["detail"]
            mongod = await start_mongod(mongod.data_dir, port=mongod.port)
            begun = await author.post(TEXT, body, 201, **key)
            assert await author.post(TEXT, body, 201, **key) == begun
            assert (await author.get("results/"))["count"] == 1
    finally:
        await mongod.stop()
