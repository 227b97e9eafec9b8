import pytest

from access.errors import InvalidKeyFields
from access.scopes import EVERY_SCOPE, Scope, has_scope, parse_scopes


def test_scopes_are_the_six_words_of_the_api() -> None:
    assert [str(scope) for scope in Scope] == [
        "predict",
        "feedback",
        "read",
        "push",
        "promote",
        "admin",
    ]


def test_parsed_scopes_come_once_each_and_in_order() -> None:
    assert parse_scopes(["read", "predict", "read"]) == (Scope.PREDICT, Scope.READ)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "at least one"),
        (["predict", "fly"], "'fly' is not a scope"),
        (["Predict"], "'Predict' is not a scope"),
        ("predict", "a list"),
        (None, "a list"),
        (7, "a list"),
        ([7], "'7' is not a scope"),
        ([["predict"]], "is not a scope"),
        (["x" * 10_000], "is not a scope"),
    ],
)
def test_bad_scopes_are_refused_with_the_field_and_the_choices(names: object, said: str) -> None:
    with pytest.raises(InvalidKeyFields, match="scopes: ") as caught:
        parse_scopes(names)
    assert said in caught.value.message
    assert "promote" in caught.value.message
    assert len(caught.value.message) < 200
    assert caught.value.details == {"field": "scopes"}


@pytest.mark.parametrize("needed", list(Scope))
def test_admin_implies_every_scope(needed: Scope) -> None:
    assert has_scope(frozenset({Scope.ADMIN}), needed)
    assert has_scope(EVERY_SCOPE, needed)


def test_other_scopes_imply_only_themselves() -> None:
    for held in EVERY_SCOPE - {Scope.ADMIN}:
        granted = {needed for needed in Scope if has_scope(frozenset({held}), needed)}
        assert granted == {held}


def test_no_scope_grants_nothing() -> None:
    assert not any(has_scope(frozenset(), needed) for needed in Scope)
