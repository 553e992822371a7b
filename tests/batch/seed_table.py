"""What a scripted model answers to the ready job, and what each run must then come to, worked out by hand.

In English the model is right everywhere. In Spanish every selector goes wrong in a way of its own: with tools
it calls none, or misses a parameter; it names no plugin; it uses the wrong method and misses a parameter.
"""

from typing import Any

from tests.support.batch_jobs import Message

ENGLISH = "Show me 5 T shirts from Klarna"
SPANISH = "Muéstrame 5 camisetas de Klarna"
PRODUCTS = "https://www.klarna.com/us/shopping/public/openai/v0/products"
FUNCTION = "get_public_openai_v0_products"
SORRY = "Lo siento, no sé cómo buscar eso."
RIGHT = {"q": "T shirt", "size": 5}
ASKED = {"q": "T shirt", "size": "5"}  # as a query says it
PARTLY = {"q": "camiseta", "size": 5}

# What tells the requests apart: texts of the selectors' instructions, and of Klarna's manifest.
TRANSLATES = "You are a translator"
PLUGINS = "Action: None"
REQUEST = "<VERB> <URL>"
REACT = "requests_get"
EXAMPLES = "Show me some winter jackets for men."  # shown for plugin_selector cases
HELPERS = "Put the kind of product into q"  # shown for api_signature_selector cases


def _answer(system: str, said: str, usage: tuple[int, int], **answer: Any) -> Message:
    """Return a rule: what a model with these instructions says once something was said, and its usage."""
    counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return {"match": {"system_contains": system, "any_contains": said}, "usage": counted, **answer}


def _calls(parameters: Message) -> list[Message]:
    return [{"name": FUNCTION, "arguments": parameters}]


SCRIPT = [
    _answer(TRANSLATES, ENGLISH, (100, 10), reply=SPANISH),
    # the loop: what it has asked for already tells how far it is
    _answer(REACT, "q=T+shirt&size=5", (700, 15), reply="I know enough.\nFinal Answer: There are five."),
    _answer(REACT, '"q": "camiseta"', (720, 16), reply="Ya lo sé.\nFinal Answer: Hay cinco."),
    _answer(
        REACT,
        ENGLISH,
        (600, 40),
        reply=f"I ask the shop.\nAction: requests_get\nAction Input: {PRODUCTS}?q=T+shirt&size=5",
    ),
    _answer(
        REACT,
        SPANISH,
        (610, 45),
        reply="Pregunto a la tienda.\nAction: requests_post\n"
        f'Action Input: {{"url": "{PRODUCTS}", "data": {{"q": "camiseta", "size": 5}}}}',
    ),
    # the two questions
    _answer(REQUEST, ENGLISH, (500, 30), reply=f"GET {PRODUCTS}?q=T%20shirt&size=5"),
    _answer(PLUGINS, ENGLISH, (150, 5), reply="Action: klarna_shopping"),
    _answer(PLUGINS, SPANISH, (155, 4), reply="Action: None"),
    # tools
    _answer(EXAMPLES, ENGLISH, (400, 20), tool_calls=_calls(RIGHT)),
    _answer(EXAMPLES, SPANISH, (410, 12), reply=SORRY),
    _answer(HELPERS, ENGLISH, (420, 22), tool_calls=_calls(RIGHT)),
    _answer(HELPERS, SPANISH, (430, 24), tool_calls=_calls(PARTLY)),
]
REQUESTS = 12  # 18 answers are used, seven of them twice, and one translation is made

# USD per million tokens of gpt-3.5-turbo are 0.5 in and 1.5 out
TRANSLATION = (110, 0.000065)  # tokens and USD, in one Spanish result: that of the run which had it made
TOTAL = (9028, 0.004912)
CACHED = 7

# by permutation, case and language: verdict, score, (detected, found, method, mapped), percentage,
# parameters, final output, tokens, USD
YES, NO = (True, True, True), (False, False, False)
Row = tuple[str, float, tuple[bool, ...], float, Message | None, str | None, int, float]
ROWS: dict[tuple[str, str, str], Row] = {
    ("permutation1", "test1", "English"): ("Passed", 1.0, (*YES, False), 0.0, None, None, 420, 0.00023),
    ("permutation1", "test1", "Spanish"): ("Failed", 0.0, (*NO, False), 0.0, None, SORRY, 422, 0.000223),
    ("permutation1", "test2", "English"): ("Passed", 1.0, (*YES, True), 100.0, RIGHT, None, 442, 0.000243),
    ("permutation1", "test2", "Spanish"): ("Failed", 0.875, (*YES, False), 50.0, PARTLY, None, 454, 0.000251),
    ("permutation2", "test1", "English"): ("Passed", 1.0, (*YES, False), 0.0, None, None, 685, 0.0003775),
    ("permutation2", "test1", "Spanish"): (
        *("Failed", 0.0, (*NO, False), 0.0, None, "Action: None", 159, 0.0000835),
    ),
    ("permutation2", "test2", "English"): ("Passed", 1.0, (*YES, True), 100.0, ASKED, None, 685, 0.0003775),
    ("permutation2", "test2", "Spanish"): (
        *("Failed", 0.0, (*NO, False), 0.0, None, "Action: None", 159, 0.0000835),
    ),
    ("permutation3", "test1", "English"): ("Passed", 1.0, (*YES, False), 0.0, None, None, 1355, 0.0007325),
    ("permutation3", "test1", "Spanish"): (
        *("Failed", 0.6667, (True, True, False, False), 0.0, None, None, 1391, 0.0007565),
    ),
    ("permutation3", "test2", "English"): ("Passed", 1.0, (*YES, True), 100.0, ASKED, None, 1355, 0.0007325),
    ("permutation3", "test2", "Spanish"): (
        *("Failed", 0.625, (True, True, False, False), 50.0, PARTLY, None, 1391, 0.0007565),
    ),
}
SUMMARIES = {
    "permutation1": "OpenAIChat[gpt-3.5-turbo-0613] - OpenAI[default]",
    "permutation2": "OpenAIChat[gpt-3.5-turbo-0613] - Imprompt[default]",
    "permutation3": "OpenAIChat[gpt-3.5-turbo-0613] - Langchain[zero-shot-react-description]",
}
TYPES = {"test1": "plugin_selector", "test2": "api_signature_selector"}
FIGURES = {
    "total_test_cases": 12,
    "failed_cases": 6,
    "language": "English, Spanish",
    "overall_accuracy": 50.0,
    "accuracy_step_a": 9,
    "accuracy_step_b": 9,
    "accuracy_step_c": 3,
    "total_llm_tokens_used": TOTAL[0],
    "cached_calls": CACHED,
}


def expected(permutation: str, case: str, language: str) -> Message:
    """Return the result of a run without its time, in the order of the contract, then the extras."""
    row = ROWS[permutation, case, language]
    verdict, score, (detected, found, method, mapped), percentage, parameters, output, tokens, cost = row
    return {
        "permutation_name": permutation,
        "permutation_summary": SUMMARIES[permutation],
        "test_type": TYPES[case],
        "test_case_name": case,
        "is_run_completed": True,
        "language": language,
        "prompt": ENGLISH if language == "English" else SPANISH,
        "final_output": output,
        "match_score": score,
        "is_plugin_detected": detected,
        "is_plugin_operation_found": found,
        "is_plugin_parameter_mapped": mapped,
        "plugin_name": "Klarna Shopping" if detected else None,
        "plugin_operation": PRODUCTS if detected else None,
        "plugin_parameters_mapped": parameters,
        "parameter_mapped_percentage": percentage,
        "total_llm_tokens_used": tokens,
        "llm_api_cost": cost,
        "source_prompt": ENGLISH,
        "is_method_matched": method,
        "verdict": verdict,
        "error": None,
        "ignored": ["best_of"],
    }
