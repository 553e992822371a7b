"""Content packs: the real ones, a broken one with every mistake, half ones and hostile ones."""

from collections import Counter
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.content import AnyContent, Home, Persona, Practice, Rubric, Scenario
from server.engine.pack_pipelines import PackKind
from server.engine.packs import Pack, PackError, PackProblem, content_id, read_pack

T = TypeVar("T", bound=AnyContent)
ROOT = Path(__file__).parents[2]
REAL = ("office-hours", "support-desk")
SMALL = """\
pack: {id: small, name: Small}
personas:
  maya: {name: Maya, instructions: "You are Maya."}
rubrics:
  talk:
    name: Talk
    pass_points: 2
    groups:
      listening:
        name: Listening
        pass_points: 1
        standards:
          0: {points: 0, description: No.}
          3: {points: 3, description: Yes.}
scenarios:
  first:
    name: First
    persona: maya
    rubric: talk
    videos: [{key: clip, name: Clip, url: https://example.org/clip.mp4}]
    questions:
      - text: What?
        video: clip
        options: [{text: This, is_correct: true}, {text: That}]
  second: {name: Second, persona: maya}
practices:
  all: {name: All, scenarios: [second, {scenario: first, rubric: talk}]}
"""


def real(name: str) -> str:
    return (ROOT / "content" / f"{name}.yaml").read_text(encoding="utf-8")


def load(name: str) -> Pack:
    return read_pack(real(name), file=f"{name}.yaml")


def of_kind(pack: Pack, model: type[T]) -> list[T]:
    return [content for _, content in pack.contents if type(content) is model]


def problems(source: str | bytes) -> list[PackProblem]:
    with pytest.raises(PackError) as caught:
        read_pack(source, file="p.yaml")
    return caught.value.problems


def only_problem(source: str | bytes) -> tuple[int, str, str]:
    found = problems(source)
    assert len(found) == 1, found
    return found[0].line, found[0].path, found[0].message


# --- the packs we ship -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("office-hours", {"persona": 6, "scenario": 8, "rubric": 2, "practice": 2, "home": 1}),
        ("support-desk", {"persona": 4, "scenario": 5, "rubric": 2, "practice": 1, "home": 1}),
    ],
)
def test_a_shipped_pack_loads_and_has_what_it_promises(name: str, least: dict[str, int]) -> None:
    pack = load(name)
    counts: Counter[str] = Counter(kind for kind, _ in pack.contents)
    assert pack.id == name
    assert all(counts[kind] >= n for kind, n in least.items()), counts
    assert all(home.profiles == "everyone" for home in of_kind(pack, Home))
    practised = {
        ref.scenario_id for p in pack.contents if isinstance(p[1], Practice) for ref in p[1].scenarios
    }
    assert practised == {s.id for s in of_kind(pack, Scenario)}
    assert {s.persona_id for s in of_kind(pack, Scenario)} == {p.id for p in of_kind(pack, Persona)}


@pytest.mark.parametrize("name", REAL)
def test_shipped_texts_are_whole(name: str) -> None:
    pack = load(name)
    assert not any(
        "\a" in content.model_dump_json() or r"\u0007" in content.model_dump_json()
        for _, content in pack.contents
    )
    assert all(120 <= len(p.instructions.split()) <= 300 for p in of_kind(pack, Persona))
    for scenario in of_kind(pack, Scenario):
        assert scenario.problem_statement
        assert scenario.situation
        assert scenario.rubric_id
        assert 2 <= len(scenario.objectives) <= 4
        assert bool(scenario.hint_guidance) == scenario.template.hints_enabled
        assert bool(scenario.questions) == scenario.template.questions_enabled
        assert bool(scenario.videos) == scenario.template.video_enabled


def test_office_hours_has_a_video_question_hints_and_both_lobbies() -> None:
    scenarios = of_kind(load("office-hours"), Scenario)
    film = next(s for s in scenarios if s.videos)
    assert {q.video_id for q in film.questions} == {film.videos[0].id}
    assert film.videos[0].text
    for flag in ("hints_enabled", "use_custom", "use_previous"):
        assert any(getattr(s.template, flag) for s in scenarios), flag


def test_support_desk_has_a_clock() -> None:
    assert [s.name for s in of_kind(load("support-desk"), Scenario) if s.template.time_limit] == [
        "Saturday, half past eight"
    ]


@pytest.mark.parametrize("name", REAL)
def test_loading_again_gives_the_same(name: str) -> None:
    assert load(name) == load(name)


def test_all_ids_of_the_shipped_packs_differ() -> None:
    ids = [
        value for name in REAL for _, content in load(name).contents for value in _ids(content.model_dump())
    ]
    assert len(ids) > 150
    assert len(ids) == len(set(ids))


def _ids(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _ids(item)]
    if not isinstance(value, dict):
        return []
    return [v for k, v in value.items() if k == "id"] + [
        found for item in value.values() for found in _ids(item)
    ]


# --- how a pack is read ------------------------------------------------------------------------------------


def test_keys_become_stable_ids() -> None:
    pack = read_pack(SMALL, file="small.yaml")
    moved = read_pack("# a comment\n" + SMALL.replace("name: Maya", "name: Maya O."), file="elsewhere.yaml")
    assert [content.id for _, content in pack.contents] == [content.id for _, content in moved.contents]
    assert of_kind(pack, Persona)[0].id == content_id("small", "persona", "maya")
    assert of_kind(pack, Scenario)[0].persona_id == content_id("small", "persona", "maya")


def test_nothing_is_stored_before_what_it_names() -> None:
    backwards = "\n".join(reversed([*_sections(SMALL)]))
    pack = read_pack(backwards, file="small.yaml")
    assert [kind for kind, _ in pack.contents] == ["persona", "rubric", "scenario", "scenario", "practice"]


def _sections(source: str) -> list[str]:
    sections: list[str] = []
    for line in source.splitlines():
        if line.startswith(" "):
            sections[-1] += "\n" + line
        else:
            sections.append(line)
    return sections


def test_points_and_order_follow_when_they_are_left_out() -> None:
    pack = read_pack(SMALL, file="small.yaml")
    rubric, practice = of_kind(pack, Rubric)[0], of_kind(pack, Practice)[0]
    assert (rubric.points, rubric.groups[0].points) == (3, 3)
    assert [s.level for s in rubric.groups[0].standards] == [0, 3]
    assert [(ref.position, ref.rubric_id) for ref in practice.scenarios] == [(0, None), (1, rubric.id)]


def test_lists_with_keys_and_mappings_are_the_same() -> None:
    listed = (
        SMALL.replace("  maya: {name: Maya,", "  - {key: maya, name: Maya,")
        .replace("          0: {points", "          - {level: 0, points")
        .replace("          3: {points", "          - {level: 3, points")
    )
    assert read_pack(listed, file="p") == read_pack(SMALL, file="p")


def test_a_given_id_is_kept_and_found() -> None:
    given_id = "0c7f0f0e-6d5f-4f0c-9d4b-0d2f5a1b7c11"
    pack = read_pack(SMALL.replace("{name: Maya,", f"{{id: {given_id}, name: Maya,"), file="p")
    assert of_kind(pack, Persona)[0].id == given_id
    assert of_kind(pack, Scenario)[0].persona_id == given_id


def test_another_pack_is_named_when_it_is_loaded() -> None:
    source = SMALL.replace("persona: maya\n", "persona: support-desk/ruth\n")
    ruth = content_id("support-desk", "persona", "ruth")

    def known(kind: PackKind, content: str) -> bool:
        return (kind, content) == ("persona", ruth)

    assert of_kind(read_pack(source, file="p", known=known), Scenario)[0].persona_id == ruth
    assert only_problem(source)[:2] == (18, "scenarios.first.persona")
    assert ruth in {content.id for _, content in load("support-desk").contents}


def test_anchors_may_be_used_for_what_repeats() -> None:
    again = "  again: {name: Again, scenarios: &s [first]}\n"
    home = "homes:\n  h: {name: H, profiles: everyone, scenarios: *s}\n"
    source = SMALL + again + home
    assert len(of_kind(read_pack(source, file="p"), Home)[0].scenarios) == 1


# --- mistakes ----------------------------------------------------------------------------------------------

KEY_RULE = "use lower-case letters, digits and hyphens, at most 64"


def test_every_mistake_is_reported_with_its_place() -> None:
    data = ROOT / "tests/data/packs"
    with pytest.raises(PackError) as caught:
        read_pack((data / "broken.yaml").read_text(encoding="utf-8"), file="broken.yaml")
    assert str(caught.value).splitlines() == (data / "broken.txt").read_text(encoding="utf-8").splitlines()
    assert all(p.file == "broken.yaml" for p in caught.value.problems)
    failure = caught.value.failure()
    assert failure.code == "bad_request"
    assert failure.details is not None
    assert failure.details[0].loc == ["broken.yaml", 2, "pack.name"]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("", 1, "the file is empty: a pack begins with `pack:`"),
        ("# only a comment\n", 1, "the file is empty: a pack begins with `pack:`"),
        ("- a\n- b\n", 1, "a pack is a mapping that begins with `pack:`"),
        ("just text", 1, "a pack is a mapping that begins with `pack:`"),
        (
            "personas:\n  a: {name: A, instructions: a}\n",
            1,
            "this is missing: a pack begins with `pack: {id, name, description}`",
        ),
        ("pack: small\n", 1, "this should be a mapping with id, name and description"),
        (
            "pack: {id: a, name: A}\n",
            1,
            (
                "the pack is empty: add pipelines, parameters, personas, rubrics, documents, agents, "
                "scenarios, practices, homes, benchmarks"
            ),
        ),
        (
            "pack: {id: A b, name: A}\npersonas: {a: {name: A, instructions: a}}\n",
            1,
            f"a pack needs an id: {KEY_RULE}",
        ),
        (
            f"{SMALL}---\npack: {{id: b}}\n",
            28,
            "a file holds one pack: a second document begins here, put it into its own file",
        ),
        ("%YAML 1.9\n---\npack: {}\n", 1, "a pack has no % directives: remove the lines that begin with %"),
        (
            'pack: {id: "a\n',
            2,
            "this is not valid YAML: while scanning a quoted scalar, found unexpected end of stream",
        ),
        (
            'pack: {id: "a\\ud800", name: A}\n',
            1,
            r"half a character (\ud800 to \udfff) is no text: remove it",
        ),
        ('pack: {"\\ud800": b, id: a}\n', 1, r"half a character (\ud800 to \udfff) is no text: remove it"),
        (
            "pack:\n  id: a\n\tname: b\n",
            3,
            "a tab stands where YAML wants spaces: indent with spaces",
        ),
        ("pack: {id: a, name: *b}\n", 1, "this is not valid YAML: found undefined alias 'b'"),
        ("pack:\n  id: a\x07\n", 2, "the character #x0007 is not allowed in YAML: remove it"),
        (b"pack:\n  id: caf\xe9\n", 2, "this is not UTF-8 text (byte 0xe9)"),
        (
            f"{SMALL}homes: !!binary aGk=\n",
            28,
            "the tag tag:yaml.org,2002:binary is not supported: remove it",
        ),
        (f"{SMALL}? [a, b]\n: c\n", 28, "a key is a word, not a list or a mapping"),
    ],
)
def test_a_file_that_is_no_pack_says_why(source: str | bytes, line: int, message: str) -> None:
    found = problems(source)
    assert (found[0].line, found[0].message) == (line, message)


def test_a_pack_has_a_size() -> None:
    assert only_problem("#" * 5_000_001)[2] == "the file has 5,000,001 bytes, a pack may have 5,000,000"


def test_aliases_cannot_explode() -> None:
    layers = "".join(f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 10))
    line, _, message = only_problem(f"x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n{layers}")
    assert line == 1
    assert "more than 100,000 values" in message


def test_an_alias_of_itself_ends() -> None:
    assert "more than 24 levels" in only_problem("pack: &a [*a]\n")[2]


def test_depth_ends() -> None:
    assert only_problem("pack: " + "[" * 5_000)[2] == "this is nested more than 24 levels deep"


@pytest.mark.parametrize("name", REAL)
def test_half_a_pack_is_a_pack_or_its_problems(name: str) -> None:
    source = real(name).encode()
    refused = 0
    for end in range(0, len(source), 769):
        try:
            read_pack(source[:end], file=name)
        except PackError as error:
            refused += len(error.problems) > 0
    assert refused > 10


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(SMALL) - 1),
    st.text(alphabet=":-{}[]&*!|>'\"%@#?, \n\t0a\u2028\ud800", max_size=4),
    st.integers(0, 8),
)
def test_a_damaged_pack_is_a_pack_or_its_problems(at: int, put: str, cut: int) -> None:
    try:
        contents = read_pack(SMALL[:at] + put + SMALL[at + cut :], file="p").contents
    except PackError:
        return
    assert all(UUID(content.id) for _, content in contents)
