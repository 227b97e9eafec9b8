"""Cutting a WordPiece vocabulary."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification

from starter.files import MAX_TOKENS
from starter.models import keep_layers
from starter.vocabulary import (
    SPECIAL,
    choose_pieces,
    count_pieces,
    cut_embeddings,
    cut_tokenizer,
    is_required,
    mix_shares,
    special_id,
)

WORDS = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]
WORDS += ["film", "plot", "##ly", "bab"]
BASE = {piece: number for number, piece in enumerate(WORDS)}


def bert_tokenizer() -> Tokenizer:
    made = Tokenizer.from_str(BertWordPieceTokenizer(vocab=BASE).to_str())
    made.add_special_tokens(list(SPECIAL))
    ends = [(piece, BASE[piece]) for piece in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return made


@pytest.mark.parametrize("piece", ["[PAD]", "[MASK]", "a", "##a", "#", "é", "##!"])
def test_specials_and_single_characters_always_stay(piece: str) -> None:
    assert is_required(piece)


@pytest.mark.parametrize("piece", ["film", "##ly", "[unused0]", "ab"])
def test_longer_pieces_have_to_earn_their_place(piece: str) -> None:
    assert not is_required(piece)


def test_the_most_frequent_pieces_are_chosen_in_base_order() -> None:
    chosen = choose_pieces(BASE, {"##ly": 0.2, "plot": 0.9, "[unused0]": 5.0}, size=11)

    assert chosen == [*(p for p in WORDS[:10] if p != "[unused0]"), "plot", "##ly"]


def test_unseen_pieces_are_taken_by_base_order() -> None:
    assert choose_pieces(BASE, {}, size=10)[-1] == "film"


def test_a_size_below_the_required_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="9 required pieces do not fit into 8"):
        choose_pieces(BASE, {}, size=8)


def test_corpora_weigh_the_same_whatever_their_size() -> None:
    shares = mix_shares([{"film": 1, "plot": 3}, {"film": 1000}])

    assert shares == {"film": 1.25, "plot": 0.75}


def test_counting_leaves_special_tokens_out() -> None:
    assert count_pieces(bert_tokenizer(), ["film plot", "film"]) == {"film": 2, "plot": 1}


def test_a_cut_tokenizer_spells_words_it_has_lost() -> None:
    pieces = choose_pieces(BASE, {"film": 1.0}, size=10)

    encoding = cut_tokenizer(bert_tokenizer(), pieces).encode("Film bab")

    assert encoding.tokens == ["[CLS]", "film", "b", "##a", "##b", "[SEP]"]
    assert encoding.ids == [pieces.index(token) for token in encoding.tokens]


def test_a_missing_special_piece_is_an_error() -> None:
    with pytest.raises(ValueError, match="no \\[ELSE\\]"):
        special_id(bert_tokenizer(), "[ELSE]")


def tiny_model() -> BertForSequenceClassification:
    shape = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForSequenceClassification(
        BertConfig(vocab_size=len(BASE), num_hidden_layers=3, **shape)
    )


def test_kept_pieces_keep_their_embeddings() -> None:
    model = tiny_model()
    before = model.bert.embeddings.word_embeddings.weight.detach().clone()

    cut_embeddings(model, [0, 2, 10], pad_id=0)

    assert torch.equal(model.bert.embeddings.word_embeddings.weight, before[[0, 2, 10]])
    assert model.config.vocab_size == 3


def test_kept_layers_keep_their_weights_and_order() -> None:
    model = tiny_model()
    first, last = model.bert.encoder.layer[0], model.bert.encoder.layer[2]

    keep_layers(model, (0, 2))

    assert list(model.bert.encoder.layer) == [first, last]
    assert model.config.num_hidden_layers == 2


def test_the_token_limit_is_the_number_of_positions() -> None:
    assert BertConfig().max_position_embeddings == MAX_TOKENS
