"""How requests show whose they are."""

from typing import Any

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token or an API key."},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "query_token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "Where headers cannot be set.",
    },
    "guest": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Guest-Id",
        "description": "The id of a guest, where guests are let in; without it each request is a new one's.",
    },
    "vocera_key": {"type": "apiKey", "in": "header", "name": "X-VOCERA-API-KEY"},
    "cekura_key": {"type": "apiKey", "in": "header", "name": "X-CEKURA-API-KEY"},
    "session_cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "A token; changes are taken from pages of allowed origins only.",
    },
}
Needs = list[dict[str, list[str]]]
OPEN: Needs = []
PEOPLE: Needs = [{"bearer": []}, {"api_key": []}, {"query_token": []}, {"guest": []}, {}]
VISITORS: Needs = [
    {"bearer": []},
    {"api_key": []},
    {"query_token": []},
    {"guest": []},
    {"session_cookie": []},
]
KEYS: Needs = [{"vocera_key": []}, {"cekura_key": []}, {"api_key": []}, {"bearer": []}, {"query_token": []}]
