"""Talking in the page: a microphone that says a sentence again and again, over the real engine."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.wav import wav_of
from server.transports.console import BUILT
from tests.console.browser import chromium
from tests.console.test_practise import begin, messages
from tests.console.visitor import PHONE, Console, visited
from tests.support.running import Server
from tests.support.voices import said, silence

RATE = 48_000
SENTENCE = "Good morning, I would like to talk about my contract."
SLOW = 40_000  # ms: models are loaded, and a sentence is said first


REFUSED = """() => {
  navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("Permission denied", "NotAllowedError");
  };
}"""
CUT = """async ([worklet, hertz, rate]) => {
  const context = new OfflineAudioContext(1, rate, rate);
  await context.audioWorklet.addModule(worklet);
  const frames = new AudioWorkletNode(context, "frames", { numberOfOutputs: 0 });
  const heard = [];
  frames.port.onmessage = ({ data }) => heard.push(...new Int16Array(data));
  const tone = new OscillatorNode(context, { frequency: hertz });
  const half = new GainNode(context, { gain: 0.5 });
  tone.connect(half).connect(frames);
  half.connect(context.destination);
  tone.start();
  await context.startRendering();
  while (heard.length < 20000) await new Promise((done) => setTimeout(done));
  const settled = heard.slice(2400, 20000).map((sample) => sample / 32768);
  return Math.sqrt(settled.reduce((sum, sample) => sum + sample * sample, 0) / settled.length);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def talking_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a browser whose microphone says a sentence, waits, and says it again."""
    folder = tmp_path_factory.mktemp("microphone")
    speech = OfflineSpeech()
    await speech.open()
    sound = await said(speech.synthesiser, SENTENCE, rate=RATE) + silence(7, rate=RATE)
    await speech.aclose()
    (folder / "said.wav").write_bytes(wav_of(sound, rate=RATE))
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'said.wav'}",
    )
    async with chromium(folder / "profile", *flags) as address:
        yield address


@pytest_asyncio.fixture
async def console(server: Server, talking_browser: str) -> AsyncIterator[Console]:
    """Give a test the page in that browser."""
    async with async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(talking_browser)
        async with visited(server, browser) as console:
            yield console
        await browser.close()


async def test_one_talks_and_is_answered(console: Console) -> None:
    await console.server.script({"reply": "Good morning to you, too. What is it about?"})
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await page.get_by_role("button", name="Talk").click()
    voice = page.get_by_role("region", name="Voice")
    phase = voice.get_by_role("status")
    await expect(page.get_by_role("button", name="Stop talking")).to_be_focused()
    await expect(phase).to_have_text("Listening", timeout=SLOW)
    await expect(messages(page).first).to_contain_text("talk about my contract", timeout=SLOW)
    await expect(messages(page).nth(1)).to_contain_text("Good morning to you", timeout=SLOW)
    await expect(messages(page).nth(1)).to_contain_text("What is")
    await visitor.shot("talk")
    await messages(page).first.get_by_role("button", name="Play what You said").click()
    await expect(messages(page).first.locator("audio")).to_have_js_property("readyState", 4)
    await visitor.axe()
    await voice.get_by_role("button", name="Mute").click()
    await expect(phase).to_have_text("Muted")
    await visitor.drop()
    await expect(phase).to_have_text("The connection is away")
    await visitor.mend()
    await expect(phase).to_have_text("Muted", timeout=SLOW)
    await voice.get_by_role("button", name="Unmute").click()
    await expect(phase).to_have_text("Listening")
    count = await messages(page).count()
    await expect(messages(page).nth(count)).to_be_visible(timeout=SLOW)
    await voice.get_by_role("button", name="Stop talking").click()
    await expect(page.get_by_role("button", name="Talk")).to_be_focused()


async def test_a_phone_has_room_for_it(console: Console) -> None:
    visitor = await console.visit("learner", phone=True)
    page = await begin(visitor, "One")
    await page.get_by_role("button", name="Talk").click()
    await expect(page.get_by_role("region", name="Voice").get_by_role("status")).to_have_text(
        "Listening", timeout=SLOW
    )
    await visitor.axe()
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


async def test_without_a_microphone_one_is_told_what_to_do(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await page.evaluate(REFUSED)
    await page.get_by_role("button", name="Talk").click()
    await expect(page.get_by_text("The microphone is not allowed: allow it")).to_be_visible()
    await expect(page.get_by_role("button", name="Talk")).to_be_focused()


@pytest.mark.parametrize(("hertz", "rate", "heard"), [(1_000, 48_000, True), (15_000, 48_000, False)])
async def test_a_microphone_at_another_rate_is_brought_to_ours(
    console: Console, hertz: int, rate: int, heard: bool
) -> None:
    visitor = await console.visit("learner")
    await visitor.open()
    (worklet,) = (BUILT / "assets").glob("frames.worklet-*.js")
    loudness = await visitor.page.evaluate(CUT, [f"/assets/{worklet.name}", hertz, rate])
    if heard:
        assert loudness == pytest.approx(0.5**0.5 / 2, rel=0.12)  # a decibel
    else:
        assert loudness < 0.5**0.5 / 2 / 100  # forty
