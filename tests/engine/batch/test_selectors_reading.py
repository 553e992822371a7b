"""Whatever a model writes is read without an error, and what is kept of it can be stored."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.storable import check_storable
from server.engine.batch.selectors import imprompt, structured_chat, zero_shot
from server.engine.batch.selectors.reading import detected_at, object_of, plugin_named
from server.engine.batch.selectors.selection import ApiCall
from tests.engine.batch.selecting import KLARNA, WEB

LINES = ("Action:", "Action Input:", "Final Answer:", "GET ", "post ", "```", "```json\n", "\n", " ", ",")
JSON = ("{", "}", "[", "]", '"', '"url":', '"action":', '"action_input":', '"/orders/7"', "NaN", "1e400")
URLS = (
    "https://",
    "http://[",
    "/orders/7",
    "https://www.klarna.com/us/v0/products",
    "?q=1",
    "&q=%00",
    "&%zz=é",
)
PIECES = (*LINES, *JSON, *URLS, "#", "klarna_products", "Klarna Shopping", "\0", "\\ud800", "9" * 30, "None")
WRITTEN = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


@given(WRITTEN)
def test_every_text_is_read(text: str) -> None:
    check_storable(object_of(text))
    zero_shot.read(text)
    structured_chat.read(text)
    plugin_named(text, [KLARNA, WEB])
    imprompt.plugins_in(text, [KLARNA, WEB])
    call = imprompt.request_in(text)
    if call is not None:
        check_storable(imprompt.detected(KLARNA, call).parameters)


@given(WRITTEN, WRITTEN)
def test_every_address_is_a_call(url: str, key: str) -> None:
    found = detected_at([KLARNA, WEB], ApiCall(method="get", url=url, body={key: key}))
    check_storable(found.parameters)
    assert (found.plugin is None) == (found.operation is None)
