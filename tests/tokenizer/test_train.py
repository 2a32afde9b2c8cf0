"""Training a vocabulary: the ids of the special pieces, streaming, equality with SentencePiece's own trainer."""

import io

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.tokenizer.train import (
    NORMALIZATIONS,
    NUM_SPECIAL_PIECES,
    split_into_sentences,
    train_vocabulary,
    trainer_settings,
)

from ..toy_text import toy_texts

SPECIAL_IDS = {"<pad>": 0, "</s>": 1, "<s>": 2, "[CLS]": 65, "[SEP]": 66, "[MASK]": 67, "<unk>": 100}


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_special_pieces_have_the_ids_of_the_released_vocabulary(model_type):
    model = sentencepiece.SentencePieceProcessor(
        model_proto=train_vocabulary(toy_texts(20), 300, model_type=model_type, num_threads=1)
    )
    assert model.vocab_size() == 300
    assert {piece: model.piece_to_id(piece) for piece in SPECIAL_IDS} == SPECIAL_IDS
    assert model.unk_id() == 100
    assert all(model.is_control(index) for index in range(NUM_SPECIAL_PIECES - 1))
    assert not any(model.is_control(index) for index in range(NUM_SPECIAL_PIECES, 300))
    text = " ".join(SPECIAL_IDS)
    assert all(index >= 100 for index in model.encode(text)), "no text can spell a special piece"


def test_toy_vocabulary(vocab_file):
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocab_file))
    assert model.vocab_size() == 800
    text = 'Anna signs the agreement in Zürich, 1,234 years after "José" (no. 56)!'
    ids = model.encode(text)
    assert 100 not in ids and model.decode(ids) == text
    assert model.encode("\U0001f600 ж")[1:] == [100, model.piece_to_id("▁"), 100]


def test_equals_a_direct_training_with_the_same_settings():
    texts = [" ".join(toy_texts(30)), "one\n\tdocument   more"]
    ours = train_vocabulary(iter(texts), 400, num_threads=1)
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=split_into_sentences(texts), model_writer=writer, **trainer_settings(400, num_threads=1)
    )
    assert ours == writer.getvalue()


def test_long_documents_and_odd_whitespace_are_not_skipped():
    document = "\n\n".join(toy_texts(60)).replace(". ", ".\t \r\n")
    assert len(document) > 40_000
    model = train_vocabulary([document], 300, character_coverage=1.0, num_threads=1)
    ids = sentencepiece.SentencePieceProcessor(model_proto=model).encode(" ".join(document.split()))
    assert 100 not in ids and len(ids) < len(document) * 0.7


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=5), st.integers(8, 64))
def test_stretches_keep_every_visible_character_in_order(texts, max_bytes):
    sentences = list(split_into_sentences(texts, max_bytes))
    assert all(0 < len(sentence.encode("utf8")) <= max_bytes for sentence in sentences)
    visible = "".join("".join(text.replace("\0", " ").split()) for text in texts)
    assert "".join("".join(sentence.split()) for sentence in sentences) == visible
    assert not any(mark in sentence for sentence in sentences for mark in "\n\t\r\0")


def test_texts_are_read_one_at_a_time():
    held = 0

    def stream():
        nonlocal held
        for text in toy_texts(50):
            held += 1
            yield text

    sentences = split_into_sentences(stream())
    next(sentences)
    assert held == 1


def test_sampling_trains_on_a_part():
    texts = toy_texts(220, num_sentences=2)
    sampled = train_vocabulary(texts, 260, max_sentences=110, num_threads=1)
    assert sampled != train_vocabulary(texts, 260, num_threads=1)
    assert sentencepiece.SentencePieceProcessor(model_proto=sampled).vocab_size() == 260


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"vocab_size": 101}, "101 special pieces"),
        ({"vocab_size": 300, "model_type": "word"}, '"unigram" or "bpe"'),
        ({"vocab_size": 300, "normalization": "nfd"}, 'normalization = .nfd.*"nmt_nfkc" or .*"identity"'),
        ({"vocab_size": 300, "character_coverage": 0.97}, r"character_coverage = 0\.97.*0\.98 to 1\.0"),
        ({"vocab_size": 300, "character_coverage": float("nan")}, "character_coverage = nan"),
        ({"vocab_size": 300, "max_sentences": 50}, "more than 100"),
        ({"vocab_size": 110, "character_coverage": 1.0}, r"BB020.*vocab_size = 110.*at least 1\d\d"),
        ({"vocab_size": 5000}, "Vocabulary size too high"),
        ({"vocab_size": 300, "texts": []}, "there is no text"),
        ({"vocab_size": 300, "texts": [" \n", ""]}, "there is no text"),
    ],
)
def test_bad_input_is_explained(arguments, said):
    with pytest.raises(ValueError, match=said):
        train_vocabulary(**{"texts": toy_texts(3), "num_threads": 1, **arguments})


@pytest.mark.parametrize("error", [ValueError("line 7"), OSError("no disk"), RuntimeError("own"), KeyboardInterrupt()])
def test_errors_of_the_texts_come_through(error):
    def texts():
        yield from toy_texts(3)
        raise error

    with pytest.raises(type(error)) as raised:
        train_vocabulary(texts(), 300, num_threads=1)
    assert raised.value is error


@pytest.mark.parametrize("rule", NORMALIZATIONS)
def test_every_normalization_that_is_named_trains(rule):
    model = train_vocabulary(toy_texts(20), 300, normalization=rule, num_threads=1)
    folds_case = sentencepiece.SentencePieceProcessor(model_proto=model).encode("AGREEMENT") == (
        sentencepiece.SentencePieceProcessor(model_proto=model).encode("agreement")
    )
    assert folds_case == rule.endswith("_cf")
