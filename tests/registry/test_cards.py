import io
import json
import time

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from registry import contents, services
from registry.cards.front_matter import InvalidFrontMatter, parse, split
from registry.cards.lint import MAX_CARD_CHARS, Metric, card_data, lint_card, read_metrics
from registry.cards.markdown import to_html
from registry.cards.sections import BEGIN, END, MAX_ROWS, Section, escape, render_card
from registry.errors import BlobDamaged, ContentRefused
from registry.models import Event, Golden, Version
from registry.safetensors_header import Tensor, count_parameters, read_tensors
from registry.services import signing
from registry.stored import MAX_CARD_BYTES
from tests.registry.builders import build_model_dir, build_sharded_dir

MODEL = "team/tiny"
GOOD = """---
license: apache-2.0
language: [en, no, zh-Hant, multilingual]
library_name: transformers
pipeline_tag: text-classification
base_model: team/base
base_model_relation: finetune
datasets: stanfordnlp/sst2
metrics: [accuracy]
tags: [a, b]
model-index:
- name: tiny
  results:
  - task: {type: text-classification}
    dataset: {type: sst2, name: SST-2}
    metrics:
    - {type: accuracy, value: 0.9}
    - {type: loss, value: .nan}
---
# Tiny

Some <b>text</b>.
"""


def card(**fields: object) -> str:
    return f"---\n{json.dumps(fields)}\n---\ntext"


def test_a_complete_card_has_nothing_to_mend():
    lint = lint_card(GOOD, task="text-classification")
    assert (lint.errors, lint.warnings) == ((), ())
    assert card_data(GOOD)["language"] == ["en", "no", "zh-Hant", "multilingual"]
    assert read_metrics(card_data(GOOD)) == (
        Metric("text-classification", "SST-2", "accuracy", 0.9),
    )


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("license", [1], "license must be text"),
        ("license", {"a": 1}, "license must be text"),
        ("language", ["en", None], "language must be text"),
        ("language", False, "language must be text"),
        ("base_model", 7, "base_model must be text"),
        ("datasets", [["a"]], "datasets must be text"),
        ("metrics", {"a": 1}, "metrics must be text"),
        ("pipeline_tag", ["x"], "pipeline_tag must be text"),
        ("library_name", 1, "library_name must be text"),
        ("tags", "a", "tags must be a list"),
        ("tags", [1], "tags must be a list"),
        ("model-index", {}, "must be a list of models"),
        ("model-index", [{}], "every model needs a name"),
        ("model-index", [{"name": "x", "results": 1}], "results must be a list"),
        ("model-index", [{"name": "x", "results": [1]}], "a result must have"),
        ("model-index", [{"name": "x", "results": [{}]}], "task needs a type"),
        (
            "model-index",
            [{"name": "x", "results": [{"task": {"type": "a"}, "dataset": {"type": "b"}}]}],
            "dataset needs a type and a name",
        ),
        (
            "model-index",
            [
                {
                    "name": "x",
                    "results": [
                        {
                            "task": {"type": "a"},
                            "dataset": {"type": "b", "name": "c"},
                            "metrics": [{"type": "d"}],
                        }
                    ],
                }
            ],
            "a metric needs a type and a value",
        ),
    ],
)
def test_a_field_of_the_wrong_type_is_an_error(field, value, told):
    (error,) = lint_card(card(**{field: value})).errors
    assert told in error


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"license": "mine"}, "no licence that the Hub knows"),
        ({"license": "other"}, "license_name"),
        ({"language": "english"}, "no ISO 639 code"),
        ({"language": "qq"}, "no ISO 639 code"),
        ({"base_model": "a/b/c"}, "namespace/name"),
        ({"base_model_relation": "child"}, "should be one of adapter"),
        ({"pipeline_tag": "fill-mask"}, "the version's task is text-classification"),
        ({}, "license is missing"),
        ({}, "language is missing"),
    ],
)
def test_what_is_unknown_or_missing_is_a_warning(fields, told):
    lint = lint_card(card(**fields), task="text-classification")
    assert lint.errors == ()
    assert any(told in warning for warning in lint.warnings)


@pytest.mark.parametrize("text", ["", "# Only text", "---\nlicense: mit\n", "text\n---\na: 1\n---"])
def test_a_card_without_front_matter_is_only_warned_about(text):
    lint = lint_card(text)
    assert (lint.errors, card_data(text)) == ((), {})
    assert "no front matter" in lint.warnings[0]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "aliases"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "aliases"),
        ("[" * 10_000, "too deep"),
        ("a: [" + "x," * 60_000 + "]", "too many values"),
        ("a: " + "x" * 600_000, "over"),
        ("a: 1\na: 2", "twice"),
        ("- a", "mapping"),
        ("just text", "mapping"),
        ("a: [", "not valid YAML"),
        ("a: 'x\0y'", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("a: !!binary aGVsbG8=", "bytes"),
        ("a: !!timestamp 2024-01-01", "date"),
        ("a: !!timestamp x", "not valid YAML"),
        ("? [1, 2]\n: 3", "not valid YAML"),
        ("a: " + "9" * 5_000, "not valid YAML"),
    ],
)
def test_front_matter_that_is_hostile_or_broken_is_refused_fast(text, told):
    started = time.process_time()
    with pytest.raises(InvalidFrontMatter) as caught:
        parse(text)
    assert time.process_time() - started < 5
    assert told in str(caught.value)
    assert lint_card(f"---\n{text}\n---\n").errors
    assert card_data(f"---\n{text}\n---\n") == {}


def test_yaml_is_read_by_the_words_of_yaml_12():
    text = "a: no\nb: on\nc: true\nd: 12:30:00\ne: 2024-01-01\nf: 1e3\ng: 0x10\nh: ~\ni: 012\n1: x"
    assert parse(text) == {
        "a": "no",
        "b": "on",
        "c": True,
        "d": "12:30:00",
        "e": "2024-01-01",
        "f": 1000.0,
        "g": 16,
        "h": None,
        "i": 12,
        "1": "x",
    }


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_linted_without_failing(text):
    for each in (text, f"---\n{text}\n---\n"):
        lint_card(each)
        json.dumps(card_data(each), allow_nan=False)
        assert split(each).body == each or split(each).yaml is not None


def test_a_card_that_is_too_long_is_an_error():
    assert "over" in lint_card("x" * (MAX_CARD_CHARS + 1)).errors[0]


def test_tensors_are_counted_from_the_header_alone():
    data = save({"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.float16)})
    cut = io.BytesIO(data[: 8 + int.from_bytes(data[:8], "little")])
    tensors = read_tensors(cut)
    assert tensors == {"a": Tensor("F32", (2, 3)), "b": Tensor("F16", (4,))}
    assert count_parameters(tensors.values()) == {"F32": 6, "F16": 4}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        (26_000_000).to_bytes(8, "little"),
        (2).to_bytes(8, "little") + b"[]",
        (11).to_bytes(8, "little") + b'{"a":"text"}'[:11],
        (8).to_bytes(8, "little") + b'{"a":{}}',
        (27).to_bytes(8, "little") + b'{"a":{"dtype":1,"shape":-1}}',
    ],
)
def test_a_header_of_another_form_is_refused(data):
    with pytest.raises(ContentRefused):
        read_tensors(io.BytesIO(data))


def test_escaped_text_shows_itself_and_means_nothing():
    hostile = "a|b\n# c <script>x</script> [l](javascript:x) `q` **d** &amp;"
    html = to_html(f"| x |\n| --- |\n| {escape(hostile)} |")
    assert html.count("<td>") == 1
    assert "<script>" not in html
    assert "<a " not in html
    assert "&lt;script&gt;x&lt;/script&gt; [l](javascript:x) `q` **d** &amp;amp;" in html


@pytest.fixture
def version(tmp_path, db) -> Version:
    folder = build_model_dir(tmp_path / "m", files={"README.md": GOOD.encode()})
    services.register_directory(folder, MODEL, actor="alice | <b>", note="first")
    return Version.objects.get()


@pytest.mark.django_db
def test_a_version_without_a_readme_still_has_a_card(register):
    register(1)
    found = contents.load_card(MODEL, 1)
    assert found.data == {}
    assert found.markdown.startswith(BEGIN)
    assert "| F32 | 10 |" in found.markdown


@pytest.mark.django_db
def test_the_generated_part_tells_what_the_registry_knows(version):
    scores = {"POSITIVE": 0.91234, "NEGATIVE": 0.08766}
    Golden.objects.filter(version=version).delete()
    Golden.objects.create(
        version=version,
        cases=[{"input": "A | fine\nfilm", "label": "POSITIVE", "scores": scores}],
        tolerance=0.001,
        is_given=True,
    )
    found = contents.load_card(MODEL, 1)
    for told in (
        "# Tiny\n\nSome <b>text</b>.",
        version.digest,
        "| sealed | ",
        r"by alice \| \<b\> |",
        "| note | first |",
        "| base model | team/base |",
        "| config.json | ",
        "| in all | 10 |",
        "| 1 | POSITIVE |",
        "| text-classification | SST-2 | accuracy | 0.9 |",
        r"| A \| fine film | POSITIVE | 0.9123 |",
        "### Golden inputs (scores may differ by 0.001)",
    ):
        assert told in found.markdown, told
    assert found.as_readme().startswith("---\nlicense: apache-2.0\n")
    assert lint_card(found.as_readme()).errors == ()


@pytest.mark.django_db
def test_a_signature_stands_in_the_card(version):
    from tests.registry.test_signing import Keys

    keys = Keys()
    signing.sign_version(MODEL, 1, key=keys.private, actor="alice")
    assert f"| not trusted | {keys.fingerprint} | its key is not trusted |" in (
        contents.load_card(MODEL, 1).markdown
    )
    keys.trust()
    assert f"| alice | {keys.fingerprint} | valid |" in contents.load_card(MODEL, 1).markdown


@pytest.mark.django_db
def test_a_card_that_went_out_and_came_back_has_one_generated_part(version):
    facts = contents.load_card_facts(version)
    once = render_card("# A", facts)
    for text in (once, f"{once}\n{once}", f"{BEGIN}\n# A", f"{END} # A {BEGIN}"):
        again = render_card(text, facts)
        assert (again.count(BEGIN), again.count(END)) == (1, 1)
        assert again.count("### Files") == 1
        assert "# A" in again


@pytest.mark.django_db
def test_others_can_add_sections_and_long_tables_are_cut(version):
    rows = tuple((n,) for n in range(MAX_ROWS + 5))
    more = [Section(title="Quality in production", head=("F1",), rows=rows)]
    text = render_card("", contents.load_card_facts(version), more)
    assert "### Quality in production" in text
    assert "and 5 more." in text


@pytest.mark.django_db
def test_the_parameters_of_shards_are_counted_together(tmp_path):
    services.register_directory(build_sharded_dir(tmp_path / "s"), MODEL, actor="alice")
    facts = contents.load_card_facts(Version.objects.get())
    assert facts.parameters == {"F32": 8}


@pytest.mark.django_db
def test_a_card_whose_stored_bytes_changed_is_not_shown(version, store):
    files = contents.load_files(version)
    blob = store.blob(files["README.md"].sha256)
    blob.chmod(0o644)
    for damage in (blob.read_bytes().replace(b"Tiny", b"Evil"), b""):
        blob.write_bytes(damage)
        with pytest.raises(BlobDamaged):
            contents.load_card(MODEL, 1)


@pytest.mark.django_db
def test_what_the_check_of_a_card_found_stands_in_the_event(version, tmp_path):
    details = Event.objects.get(kind="registered").details
    assert "card" not in details
    poor = {"README.md": card(tags=1, license="mit").encode()}
    folder = build_model_dir(tmp_path / "poor", seed=2, files=poor)
    services.register_directory(folder, MODEL, actor="alice")
    found = Event.objects.filter(kind="registered").first().details["card"]
    assert found["errors"] == ["tags must be a list of texts"]
    assert found["warnings"] == [
        "language is missing",
        "pipeline_tag is missing",
        "library_name is missing",
    ]


@pytest.mark.django_db
def test_a_readme_too_large_to_show_is_left_out(tmp_path):
    files = {"README.md": b"x" * (MAX_CARD_BYTES + 1)}
    services.register_directory(build_model_dir(tmp_path / "m", files=files), MODEL, actor="a")
    assert contents.load_card(MODEL, 1).markdown.startswith(BEGIN)


@pytest.mark.django_db
def test_the_command_prints_the_card_and_checks_it(version, tmp_path):
    out = io.StringIO()
    call_command("card", MODEL, "1", stdout=out)
    assert out.getvalue().strip() == contents.load_card(MODEL, 1).as_readme().strip()
    out = io.StringIO()
    call_command("card", MODEL, "1", "--lint", stdout=out)
    assert out.getvalue() == ""
    bad = build_model_dir(tmp_path / "bad", seed=2, files={"README.md": card(tags=1).encode()})
    services.register_directory(bad, MODEL, actor="alice")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 errors"):
        call_command("card", MODEL, "2", "--lint", stdout=out)
    assert "error: tags must be a list" in out.getvalue()
    assert "warning: license is missing" in out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://example.org/pixel.png)",
        "[x](javascript:alert(1)) [y](data:text/html,x) [z](//evil.example)",
        "<javascript:alert(1)>",
        "[x]: javascript:alert(1)\n\n[x]",
        "&#x3c;script&#x3e;",
        '[x](https://a"onmouseover=alert(1))',
    ],
)
def test_shown_cards_hold_no_html_of_their_own(text):
    html = to_html(text)
    for hostile in ("<script", "<img", 'href="javascript', 'href="data', 'href="//', 'er="'):
        assert hostile not in html.lower()
