"""Every piece knows which characters of the text it stands for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.train import train_vocabulary

from ..toy_text import toy_texts
from .hard_texts import HARD_TEXTS, assert_offsets_slice_the_text


@pytest.fixture(scope="session")
def normalising():
    """A vocabulary that changes the text first: NFKC and more."""
    return BigBirdTokenizer(train_vocabulary(toy_texts(50), 500, character_coverage=1.0, num_threads=1))


@pytest.mark.parametrize("text", HARD_TEXTS, ids=lambda text: repr(text[:20]))
def test_offsets_of_hard_texts(tokenizer, normalising, text):
    covered = assert_offsets_slice_the_text(tokenizer, text)
    assert_offsets_slice_the_text(normalising, text)
    # This vocabulary changes no character; only U+2581 is a space to SentencePiece.
    assert {n for n, character in enumerate(text) if not character.isspace() and character != "\u2581"} <= covered


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_offsets_of_any_text(tokenizer, normalising, text):
    covered = assert_offsets_slice_the_text(tokenizer, text)
    assert_offsets_slice_the_text(normalising, text)
    assert {n for n, character in enumerate(text) if not character.isspace() and character != "\u2581"} <= covered


def test_pieces_spell_what_their_offsets_cut_out(tokenizer):
    for text in toy_texts(20):
        encoding = tokenizer(text)
        for piece, (start, end), special in zip(
            encoding.pieces, encoding.offsets, encoding.special_tokens_mask, strict=True
        ):
            if not special and piece != "\u2581":
                assert text[start:end] == piece.strip("\u2581")


def test_characters_of_a_ligature_and_a_fraction(normalising):
    text = "a \ufb01 \u00bd"
    (pieces,) = normalising.text_pieces([text])
    found = [text[start:end] for start, end in pieces.offsets.tolist()]
    assert {part.strip() for part in found} - {""} == {"a", "\ufb01", "\u00bd"}
    assert found.count("\u00bd") == 3, "1, a slash and 2"


def test_map_whitespace_makes_one_space_of_each_run_and_moves_nothing(vocab_file):
    plain, mapped = BigBirdTokenizer(vocab_file), BigBirdTokenizer(vocab_file, map_whitespace=True)
    text = "one\n\n\ttwo\r\nthree\u00a0four \u2003 five\n"
    assert 100 in plain(text).ids
    encoding = mapped(text)
    assert encoding.ids == plain("one two three four five").ids
    found = [text[start:end] for start, end in encoding.offsets]
    assert "".join(part.strip() for part in found) == "onetwothreefourfive"
    assert len(mapped.text_pieces(["\n\t "])[0]) == 0
    assert mapped.text_ids([text])[0].tolist() == encoding.ids[1:-1]
