"""One call of the bot by the server: a caller by rules who asks, cuts the answer off, and hangs up."""

import asyncio
from typing import Any

from bench.batch.processes import Bench
from bench.batch.server import SECRET
from server.engine.access import mint
from server.engine.ids import new

INTO = "One loaf of rye bread is enough for me, please."
LAST = "Thank you."
CONDITIONS = (
    ("FIRST_MESSAGE", ""),
    ('contains "help"', f'Which kinds of bread do you have today? <silence time="10s"/> {INTO}'),
    ('contains "fetch" OR contains "aside"', "I will come this afternoon at four."),
    ('contains "goodbye"', f"{LAST} <endcall/>"),
    ('contains "sorry" OR contains "again"', "Rye bread, please, and I come at four."),
)
METRICS = ("turns", "talk_ratio", "overlap", "interruptions", "words_per_minute", "appropriate_termination")
SECONDS = 120
LOOK_SECONDS = 0.5
ENDED = ("completed", "failed", "cancelled")


class Author:
    """Somebody who has the bot called."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        token = mint(SECRET, role="author", profile_id=new(), seconds=3600)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, url: str) -> tuple[dict[str, Any], bytes]:
        """Run the scenario once, and return the run and its recording."""
        agent = await self._ask("POST", "aiagents/", agent_of(url))
        metrics = [await self._ask("POST", "metrics/", metric_of(name)) for name in METRICS]
        body = {**scenario_of(agent["id"]), "metrics": [metric["id"] for metric in metrics]}
        scenario = await self._ask("POST", "scenarios/", body)
        result = await self._ask("POST", "scenarios/run_scenarios/", {"scenarios": [scenario["id"]]})
        while result["status"] not in ENDED:
            await asyncio.sleep(LOOK_SECONDS)
            result = await self._ask("GET", f"results/{result['id']}/")
        (run,) = result["runs"].values()
        return run, await self._recording(run) if run["recording_url"] else b""

    async def _recording(self, run: dict[str, Any]) -> bytes:
        url = self._bench.server.url + run["recording_url"]
        async with self._bench.http.get(url, headers=self._headers) as response:
            return await response.read()

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._bench.server.url}/test_framework/v1/{path}"
        async with self._bench.http.request(method, url, json=body, headers=self._headers) as response:
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {(await response.text())[:1000]}")
            return await response.json()


def agent_of(url: str) -> dict[str, Any]:
    """Return the bot as an agent."""
    return {
        "agent_name": "Bakery",
        "websocket_url": "ws://127.0.0.1:1/",
        "voice_transport": "twilio",
        "voice_url": url,
        "agent_gives_first_message": True,
    }


def metric_of(name: str) -> dict[str, Any]:
    """Return a metric that is computed."""
    kind = "binary" if name == "appropriate_termination" else "numeric"
    return {"name": name, "type": "built_in", "eval_type": kind}


def scenario_of(agent: int) -> dict[str, Any]:
    """Return what the caller does."""
    conditions = [
        {"id": number, "condition": condition, "action": action, "fixed_message": True}
        for number, (condition, action) in enumerate(CONDITIONS)
    ]
    return {
        "name": "cuts an answer off",
        "agent": agent,
        "scenario_type": "conditional_actions",
        "conditional_actions": {"role": "A customer in a hurry.", "conditions": conditions},
        "max_duration": SECONDS,
    }
