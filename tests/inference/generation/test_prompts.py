"""Texts, chats and translations become the token ids that the model was trained to read."""

from collections.abc import Callable
from typing import Any

import pytest
from transformers import MBart50Tokenizer

from inference.errors import InvalidRequest, InvalidText, TextTooLong
from inference.generation.prompts import PromptBuilder
from tests.inference.generation.conftest import Machine
from tests.inference.tiny_generators import CHAT_TEMPLATE, EOS, make_tokenizer

Make = Callable[..., Machine]


def a_builder(family: str = "gpt2", **more: Any) -> PromptBuilder:
    tokenizer = make_tokenizer(family)
    tokenizer.chat_template = more.pop("chat_template", None)
    more = {"max_tokens": 64, "is_encoder_decoder": family in {"t5", "bart"}, **more}
    return PromptBuilder(tokenizer, **more)


def many_languages() -> MBart50Tokenizer:
    pieces = [chr(each) for each in range(ord("a"), ord("z") + 1)]
    pieces += ["▁", *("▁" + each for each in ("the", "flock", "leads"))]
    special = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    return MBart50Tokenizer(vocab=[*special, *((each, -2.0) for each in pieces)])


def test_a_text_has_its_tokenizers_own_frame() -> None:
    assert a_builder("gpt2").text("The flock").ids == tuple(make_tokenizer()("The flock").input_ids)
    assert a_builder("t5").text("The flock").ids[-1] == EOS


@pytest.mark.parametrize("text", ["", "  \n", "a\0b"])
def test_a_text_without_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidText):
        a_builder().text(text)


def test_a_text_is_bounded_in_characters_before_it_is_tokenised() -> None:
    with pytest.raises(TextTooLong, match="10 are allowed"):
        a_builder(max_chars=10).text("a" * 11)


def test_a_long_text_is_refused_or_shortened_between_its_special_tokens() -> None:
    words = "flock " * 100
    for family in ("llama", "bart", "gpt2"):
        builder = a_builder(family)
        with pytest.raises(TextTooLong, match="64"):
            builder.text(words)
        prompt = builder.text(words, truncation=True)
        whole = make_tokenizer(family)(words).input_ids
        assert (prompt.n_tokens, prompt.is_truncated) == (64, True)
        if family == "bart":
            assert prompt.ids == (*whole[:63], EOS)
        elif family == "llama":
            assert prompt.ids == (whole[0], *whole[-63:])
        else:
            assert prompt.ids == tuple(whole[-64:])


def test_a_task_may_have_a_prefix() -> None:
    builder = a_builder("t5", prefix_of=lambda task: "sum: " if task == "summarization" else "")
    assert builder.text("x", task="summarization").ids == builder.text("sum: x").ids
    assert builder.text("x", task="other").ids == builder.text("x").ids
    assert builder.room("summarization") < builder.room() == 64


def test_a_chat_is_written_by_the_models_template() -> None:
    builder = a_builder(chat_template=CHAT_TEMPLATE)
    prompt = builder.chat([{"role": "user", "content": "Hi"}])
    # The template's <s> is the special token, not three characters.
    assert prompt.ids[0] == 0
    assert prompt.ids[1:] == builder.text("user: Hi\nassistant: ").ids


def test_a_model_without_a_template_takes_no_chat() -> None:
    with pytest.raises(InvalidRequest, match="no chat template"):
        a_builder().chat([{"role": "user", "content": "Hi"}])


def test_a_template_may_refuse_messages_but_not_reach_out() -> None:
    template = "{{ raise_exception('only users') }}"
    with pytest.raises(InvalidRequest, match="only users"):
        a_builder(chat_template=template).chat([{"role": "user", "content": "Hi"}])
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(InvalidRequest, match="unsafe"):
        a_builder(chat_template=template).chat([{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([{"role": "user", "content": "x"}] * 257, "messages"),
        ([{"role": "root", "content": "x"}], r"messages[0].role"),
        ([{"role": "user", "content": ["x"]}], r"messages[0].content"),
    ],
)
def test_a_chat_of_the_wrong_shape_names_the_place(messages: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        a_builder(chat_template=CHAT_TEMPLATE).chat(messages)
    assert caught.value.details["field"] == field


def test_a_chat_is_bounded() -> None:
    builder = a_builder(chat_template=CHAT_TEMPLATE, max_chars=10)
    with pytest.raises(TextTooLong):
        builder.chat([{"role": "user", "content": "123456"}] * 2)


def test_a_translation_between_named_languages_forces_the_target() -> None:
    tokenizer = many_languages()
    builder = PromptBuilder(tokenizer, max_tokens=64, is_encoder_decoder=True)
    prompt = builder.translation("the flock", src_lang="de_DE", tgt_lang="fr_XX")
    assert prompt.ids[0] == tokenizer.convert_tokens_to_ids("de_DE")
    assert prompt.forced_bos_token_id == tokenizer.convert_tokens_to_ids("fr_XX")
    assert builder.translation("the flock", src_lang="en_XX", tgt_lang="fr_XX").ids != prompt.ids


@pytest.mark.parametrize(
    ("languages", "field"),
    [
        ({}, "src_lang"),
        ({"src_lang": "de_DE"}, "tgt_lang"),
        ({"src_lang": "de_DE", "tgt_lang": "french"}, "tgt_lang"),
    ],
)
def test_languages_that_are_missing_or_unknown_are_named(
    languages: dict[str, str], field: str
) -> None:
    builder = PromptBuilder(many_languages(), max_tokens=64, is_encoder_decoder=True)
    with pytest.raises(InvalidRequest, match="fr_XX") as caught:
        builder.translation("the flock", **languages)
    assert caught.value.details["field"] == f"parameters.{field}"


def test_other_models_get_the_prefix_of_the_pair() -> None:
    builder = a_builder("t5", prefix_of=lambda task: f"{task}: ")
    prompt = builder.translation("x", src_lang="en", tgt_lang="de")
    assert prompt.ids == a_builder("t5").text("translation_en_to_de: x").ids
    assert (prompt.task, prompt.forced_bos_token_id) == ("translation_en_to_de", None)


def test_the_target_language_begins_the_translation(machine: Make) -> None:
    tokenizer = many_languages()
    mbart = machine("mbart", tokenizer=tokenizer)
    prompt = mbart.prompts.translation("the flock leads", src_lang="de_DE", tgt_lang="fr_XX")
    target = tokenizer.convert_tokens_to_ids("fr_XX")
    for num_beams in (1, 3):
        options = {"max_new_tokens": 8, "num_beams": num_beams}
        got = mbart.ask(prompt, **options)
        expected = mbart.expected(prompt, forced_bos_token_id=target, **options)
        assert list(got.token_ids) == expected
        assert got.token_ids[0] == target
