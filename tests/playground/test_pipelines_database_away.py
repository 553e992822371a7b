"""The database stops while people use pipelines: they are told so, and nothing is there twice later."""

from pathlib import Path

import orjson

from server.embedded.mongod import start_mongod
from server.llm.scripted import ScriptedModel
from tests.playground.client import indexed, pipeline
from tests.support.rest import people_of
from tests.support.running import Server, running, settings_for


async def test_requests_are_told_to_come_back(model: tuple[ScriptedModel, str], tmp_path: Path) -> None:
    mongod = await start_mongod(tmp_path)
    try:
        async with running(settings_for(mongod.url, model[1])) as (url, app):
            server = Server(url=url, app=app, model=model[0], model_url=model[1])
            async with people_of(server) as people:
                author = people.a("author")
                pipeline_id = (await pipeline(author))["id"]
                path, body = f"pipelines/{pipeline_id}/documents", orjson.dumps([{"text": "Open at nine."}])
                key = {"Idempotency-Key": "once"}
                mongod.process.kill()
                await mongod.process.wait()
                assert list(await pipeline(author, "Other", status=503)) == ["detail"]
                refused = await author.ask("POST", path, status=503, data=body, headers=key)
                assert list(orjson.loads(refused)) == ["detail"]
                mongod = await start_mongod(mongod.data_dir, port=mongod.port)
                for _ in range(2):
                    await author.ask("POST", path, status=200, data=body, headers=key)
                assert len(await author.get(path)) == 1
                assert (await indexed(author, pipeline_id))["status"] == "SUCCESS"
    finally:
        await mongod.stop()
