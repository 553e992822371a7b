"""What has to stay in a translation is found, and what may change is let through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.batch.literals import lost

KEPT = [
    ("Show me 5 T shirts", "أرني ٥ قمصان"),
    ("5 shirts", "五件衬衫"),
    ("5 shirts", "５着のシャツ"),
    ("pay 1,000.50 now", "zahle jetzt 1.000,50"),
    ("pay 1,000 now", "payez 1\u202f000 maintenant"),
    ("sizes 1,2,3", "tallas 1, 2 y 3"),
    ("2024-05-01 at 10:30", "el 01/05/2024 a las 10:30"),
    ('say "hello world."', "di «hello world»."),
    ("它叫「小王」吗", 'is it called "小王"?'),
    ('a 5" pipe and a 6" pipe', "un tubo de 5 y uno de 6 pulgadas"),
    ("don't take Bob's hat", "no tomes el sombrero de Bob"),
    ("see https://a.example/b?c=1.", "mira https://a.example/b?c=1"),
    ("(see www.a.example)", "(mira www.a.example)"),
    ("no literals at all", "nada"),
]
LOST = [
    ("Show me 5 T shirts", "Muéstrame camisetas", ["5"]),
    ("15 cats", "5 gatos", ["15"]),
    ("3.14", "3.15", ["3.14"]),
    ("see https://a.example/b?c=1.", "mira", ["https://a.example/b?c=1"]),
    ('say "hello" and “bye” to „him“', "di «hola», bye y él", ["hello", "him"]),
    ("take Bob's 'blue hat', 2 of them, 2!", "toma el sombrero azul de Bob", ["blue hat", "2"]),
]


@pytest.mark.parametrize(("source", "translation"), KEPT)
def test_nothing_is_lost(source: str, translation: str) -> None:
    assert lost(source, translation) == []


@pytest.mark.parametrize(("source", "translation", "missing"), LOST)
def test_what_is_lost_is_named(source: str, translation: str, missing: list[str]) -> None:
    assert lost(source, translation) == missing


@given(st.text(max_size=300))
def test_a_text_loses_nothing_to_itself(text: str) -> None:
    assert lost(text, text) == []


@given(st.integers(0, 10**9), st.text(alphabet="abc ", max_size=20))
def test_a_number_is_missed(number: int, text: str) -> None:
    assert lost(f"take {number} of them", text) == [str(number)]
