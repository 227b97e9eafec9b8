import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidName, InvalidPath
from registry.names import (
    MAX_NAME_CHARS,
    RESERVED_NAMESPACES,
    check_path,
    check_paths,
    parse_model_name,
)

NAME_CHARS = string.ascii_letters + string.digits + "._-"


@pytest.mark.parametrize(
    "name", ["team/tiny", "a/b", "Team-1/bert.base_v2", "x_y/3", "a/" + "b" * (MAX_NAME_CHARS - 2)]
)
def test_a_legal_name_is_split(name):
    assert str(parse_model_name(name)) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tiny", "one slash"),
        ("a/b/c", "one slash"),
        ("", "one slash"),
        ("/b", "at least one"),
        ("a/", "at least one"),
        ("a/" + "b" * MAX_NAME_CHARS, "over 96"),
        ("-a/b", "begin or end"),
        ("a/b.", "begin or end"),
        ("a/..", "begin or end"),
        ("a/b--c", "'--'"),
        ("a/b..c", "'..'"),
        ("a/b.git", ".git"),
        ("a/B.GIT", ".git"),
        ("a b/c", "letters"),
        ("ä/c", "letters"),
        ("a/b\n", "letters"),
        ("a/b\x00", "letters"),
        ("a/\ud800", "letters"),
        ("api/b", "reserved"),
        ("Admin/b", "reserved"),
        ("_cas/b", "reserved"),
    ],
)
def test_an_illegal_name_is_refused_with_the_reason(name, why):
    with pytest.raises(InvalidName) as caught:
        parse_model_name(name)
    assert why in caught.value.message
    caught.value.message.encode()


@given(st.text(alphabet=NAME_CHARS, max_size=120), st.text(alphabet=NAME_CHARS, max_size=120))
def test_a_name_that_passes_is_one_the_hub_client_takes(namespace, name):
    try:
        parsed = parse_model_name(f"{namespace}/{name}")
    except InvalidName:
        return
    assert len(str(parsed)) <= MAX_NAME_CHARS
    assert parsed.namespace.lower() not in RESERVED_NAMESPACES
    for part in parsed:
        assert part
        assert part[0] not in "-."
        assert part[-1] not in "-."
        assert "--" not in part
        assert ".." not in part
        assert not part.endswith(".git")


@pytest.mark.parametrize(
    "path",
    ["config.json", "a/b/c.txt", "tokenizer 2.json", "größe.txt", "..a/b", "console.txt", "naïve"],
)
def test_a_legal_path_passes(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".",
        "..",
        "a\\b",
        "C:x",
        "a\x00b",
        "a\nb",
        "a\u202eb",
        "a\u200bb",
        "a\udcffb",
        "a.",
        "a ",
        " a",
        "a /b",
        "con",
        "CON.txt",
        "com1.json",
        "aux .txt",
        "com¹",
        ".git/config",
        "a/.GIT/b",
        ".cache/x",
        "x" * 256,
        "ä" * 128,
        "/".join("a" * 17),
        "/".join(["x" * 250] * 5),
        unicodedata.normalize("NFD", "größe.txt"),
    ],
)
def test_an_illegal_path_is_refused_in_a_message_that_can_be_sent(path):
    with pytest.raises(InvalidPath) as caught:
        check_path(path)
    caught.value.message.encode()
    str(caught.value.details).encode()


@pytest.mark.parametrize(
    "paths",
    [
        ["a.txt", "A.txt"],
        ["a.txt", "a.txt"],
        ["straße", "STRASSE"],
        ["a/x", "A/y"],
        ["a", "a/b"],
        ["a/b", "A"],
    ],
)
def test_two_paths_that_a_file_system_would_fold_are_refused(paths):
    with pytest.raises(InvalidPath, match="collide"):
        check_paths(paths)


def test_different_paths_in_the_same_folder_are_fine():
    check_paths(["a/x", "a/y", "b", "a/c/x"])


@given(st.text(max_size=40))
def test_a_path_that_passes_stays_inside_its_root(path):
    try:
        check_path(path)
    except InvalidPath:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert unicodedata.normalize("NFC", path) == path
    assert "\\" not in path
    assert "\0" not in path


@given(st.lists(st.text(alphabet="aAbBßé/.", min_size=1, max_size=6), max_size=6))
def test_paths_that_pass_together_stay_distinct_when_folded(paths):
    try:
        check_paths(paths)
    except InvalidPath:
        return
    folded = [unicodedata.normalize("NFC", path.casefold()) for path in paths]
    assert len(set(folded)) == len(paths)
