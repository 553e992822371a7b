"""Plugins are known by address and name, operations by every way in which their address may be written."""

import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.batch.matching import find_operation, same_operation, same_plugin
from tests.engine.batch.plugin_cases import KLARNA, KLARNA_URL, PETS, PRODUCTS, operation, plugin


@pytest.mark.parametrize(
    "expected",
    [
        KLARNA_URL,
        f"{KLARNA_URL}/",
        KLARNA_URL.replace("https://plugins", "HTTPS://Plugins"),
        KLARNA_URL.replace("example/", "example:443/"),
        f" {KLARNA_URL} ",
        f"{KLARNA_URL}#about",
        "Klarna Shopping",
        "klarna_shopping",
        "KLARNA  SHOPPING ",
        "Klarna Products",
        "klarna_products",
    ],
)
def test_a_plugin_is_known_by_its_address_and_names(expected: str) -> None:
    assert same_plugin(KLARNA, expected)


@pytest.mark.parametrize(
    "expected",
    [
        KLARNA_URL.lower(),  # paths have a case
        KLARNA_URL.replace("https", "http"),
        KLARNA_URL.replace("example/", "example:8443/"),
        f"{KLARNA_URL}?v=2",
        KLARNA_URL.removeprefix("https://"),
        "Klarna",
        "KlarnaShopping",
        "http://[",
        "",
    ],
)
def test_another_plugin_is_not_taken_for_it(expected: str) -> None:
    assert not same_plugin(KLARNA, expected)


@pytest.mark.parametrize(
    "expected",
    [
        PRODUCTS,
        f"{PRODUCTS}/",
        f"{PRODUCTS}?q=T%20shirt&size=5",
        f"{PRODUCTS}#top",
        PRODUCTS.replace("https://www.klarna.com", "HTTPS://WWW.Klarna.com:443"),
        PRODUCTS.replace("/openai", "/%6Fpenai"),
        PRODUCTS.replace("/v0", "//v0"),
        "/us/shopping/public/openai/v0/products",
        "us/shopping/public/openai/v0/products/",
    ],
)
def test_an_operation_is_known_however_its_address_is_written(expected: str) -> None:
    assert same_operation(KLARNA.operations[0], expected)


@pytest.mark.parametrize(
    "expected",
    [
        PRODUCTS.replace("products", "Products"),
        PRODUCTS.replace("www.", ""),
        PRODUCTS.replace("https", "http"),
        f"{PRODUCTS}/5",
        "/products",
        "products",
        "https://www.klarna.com",
        "http://[::1",
        "",
    ],
)
def test_another_operation_is_not_taken_for_it(expected: str) -> None:
    assert not same_operation(KLARNA.operations[0], expected)


@pytest.mark.parametrize(
    "address", ["https://a.example/v1/x", "https://b.example/x", "/x", "/v1/x", "http://b.example/v2/x"]
)
def test_every_server_of_an_operation_counts(address: str) -> None:
    servers = ("https://a.example/v1", "https://b.example", "http://b.example/v2")
    assert same_operation(operation("/x", "get", *servers), address)


@pytest.mark.parametrize(
    "expected",
    ["/pets/{id}", "/pets/{petId}", "/pets/5", "https://api.example/v1/pets/%7Bid%7D", "/v1/pets/a%2Fb/"],
)
def test_a_template_is_matched_filled_and_as_it_is(expected: str) -> None:
    assert same_operation(PETS.operations[2], expected)


@pytest.mark.parametrize("expected", ["/pets", "/pets/", "/pets/5/toys", "/{x}/5"])
def test_a_template_is_no_wildcard_for_more(expected: str) -> None:
    assert not same_operation(PETS.operations[2], expected)


def test_a_template_that_is_expected_does_not_stand_for_a_static_path() -> None:
    assert not same_operation(PETS.operations[3], "/pets/{id}")


@pytest.mark.parametrize(
    ("url", "path", "parameters"),
    [
        ("/pets/5", "/pets/{id}", {"id": "5"}),
        ("https://api.example/v1/pets/New%20York?x=1", "/pets/{id}", {"id": "New York"}),
        ("/pets/a%2Fb", "/pets/{id}", {"id": "a/b"}),
        ("/pets/{petId}", "/pets/{id}", {}),  # a model copied the template: it names no pet
        ("/pets/mine", "/pets/mine", {}),
        ("/pets", "/pets", {}),
    ],
)
def test_an_address_leads_to_its_operation_and_parameters(
    url: str, path: str, parameters: dict[str, str]
) -> None:
    found = find_operation([KLARNA, PETS], url=url)
    assert found is not None
    assert (found.plugin, found.operation.path, found.path_parameters) == (PETS, path, parameters)


@pytest.mark.parametrize(
    ("pattern", "segment", "parameters"),
    [
        ("{id}.json", "5.json", {"id": "5"}),
        ("{id}.json", "5.xml", None),
        ("{id}.json", ".json", None),
        ("{name}.{format}", "a.b.c", {"name": "a", "format": "b.c"}),
        ("{a}{b}", "xyz", {"a": "x", "b": "yz"}),
        ("{a}{b}", "x", None),
        ("report({id})", "report(7)", {"id": "7"}),
        ("report({id})", "report()", None),
        ("{a}:sum", "{b}:sum", {}),
        ("a{b", "a{b", {}),  # no placeholder at all
        ("a{b", "axb", None),
    ],
)
def test_placeholders_may_be_part_of_a_segment(
    pattern: str, segment: str, parameters: dict[str, str] | None
) -> None:
    found = find_operation(
        [plugin("P", "https://p.example", operation(f"/x/{pattern}"))], url=f"/x/{segment}"
    )
    assert (found.path_parameters if found else None) == parameters


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda text: "{" not in text))
def test_what_fills_a_placeholder_comes_back(value: str) -> None:
    owner = plugin("P", "https://p.example", operation("/x/{id}/y"))
    found = find_operation([owner], url=f"https://api.example/v1/x/{quote(value, safe='')}/y")
    assert found is not None
    assert found.path_parameters == {"id": value}


@pytest.mark.parametrize(
    ("method", "chosen"), [("GET", "get"), ("post", "post"), ("DELETE", "get"), (None, "get"), ("", "get")]
)
def test_of_several_methods_the_fitting_one_is_found_else_the_first(method: str | None, chosen: str) -> None:
    found = find_operation([PETS], url="/pets", method=method)
    assert found is not None
    assert found.operation.method == chosen


def test_a_static_path_wins_over_a_placeholder_even_with_another_method() -> None:
    owner = plugin("P", "https://p.example", operation("/x/{id}", "delete"), operation("/x/all", "get"))
    found = find_operation([owner], url="/x/all", method="delete")
    assert found is not None
    assert found.operation.path == "/x/all"


def test_fewer_placeholders_win_then_the_later_one() -> None:
    paths = ("/{a}/{b}/c", "/{a}/b/c", "/a/{b}/c")
    owner = plugin("P", "https://p.example", *map(operation, paths))
    found = find_operation([owner], url="/a/b/c")
    assert found is not None
    assert found.operation.path == "/a/{b}/c"


def test_an_operation_of_a_later_plugin_is_found_and_the_first_of_equals() -> None:
    twin = plugin("Twin", "https://twin.example", *PETS.operations)
    found = find_operation([KLARNA, PETS, twin], url="https://api.example/v1/pets")
    assert found is not None
    assert found.plugin is PETS


@pytest.mark.parametrize(
    "url", ["https://other.example/v1/pets", "/cats", "", "   ", "http://[", "not an address"]
)
def test_what_names_nothing_is_not_found(url: str) -> None:
    assert find_operation([KLARNA, PETS], url=url) is None


def test_an_operation_without_a_server_is_found_by_its_path() -> None:
    bare = operation("/x?kind=a", "get", "")
    assert find_operation([plugin("P", "https://p.example", bare)], url="/x") is not None
    assert find_operation([plugin("P", "https://p.example", bare)], url="https://p.example/x") is None


def test_a_long_answer_of_a_model_is_matched_in_linear_time() -> None:
    owner = plugin("P", "https://p.example", operation("/{a}{b}-{c}{d}-{e}{f}-{g}!"))
    began = time.process_time()
    assert find_operation([owner], url="/" + "-" * 32_000) is None
    assert time.process_time() - began < 1
