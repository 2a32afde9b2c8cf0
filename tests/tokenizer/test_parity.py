"""The same pieces, special pieces and vocabulary as transformers."""

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_text, toy_texts
from .hard_texts import HARD_TEXTS, google_like_model


@pytest.fixture(scope="session")
def fast(slow):
    return transformers.BigBirdTokenizerFast(slow.vocab_file)


def test_ids_equal_transformers(tokenizer, slow, fast):
    for text in [*toy_texts(30), *HARD_TEXTS[:-1]]:
        ids = tokenizer(text).ids
        assert ids == slow(text).input_ids, repr(text)
        # The fast tokenizer drops lone line breaks, and does not know that U+2581 is a space to SentencePiece.
        if text.strip() and "\u2581" not in text:
            assert ids == fast(text).input_ids, repr(text)
    pair = ("Anna signs?", toy_text(3))
    encoding = tokenizer(*pair)
    expected = fast(*pair, return_special_tokens_mask=True, return_token_type_ids=True)
    assert encoding.ids == expected.input_ids == slow(*pair).input_ids
    assert encoding.token_type_ids == expected.token_type_ids
    assert encoding.special_tokens_mask == expected.special_tokens_mask


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581<[]>"), max_size=40))
@settings(max_examples=60, deadline=None)
def test_ids_of_any_text_equal_transformers(tokenizer, slow, text):
    assert tokenizer(text).ids == slow(text).input_ids


@pytest.mark.parametrize("strategy", ["longest_first", "only_second", "only_first"])
@pytest.mark.parametrize("max_length", [24, 25, 30, 41, 60, 400])
def test_truncation_equals_transformers(tokenizer, slow, strategy, max_length):
    texts = [toy_text(1, 1), toy_text(2, 2)]
    lengths = [len(tokenizer(text).ids) - 2 for text in texts]
    for first, second in (texts, texts[::-1], [texts[0], texts[0]]):
        cut = second if strategy == "only_first" else first
        if strategy != "longest_first" and len(tokenizer(cut).ids) + 2 > max_length:
            with pytest.raises(ValueError, match="do not fit"):
                tokenizer(first, second, truncation=strategy, max_length=max_length)
            continue
        expected = slow(first, second, truncation=strategy, max_length=max_length, return_token_type_ids=True)
        encoding = tokenizer(first, second, truncation=strategy, max_length=max_length)
        assert encoding.ids == expected.input_ids
        assert encoding.token_type_ids == expected.token_type_ids
        assert len(encoding) == len(encoding.offsets) <= max_length
    assert min(lengths) > 5
    alone = tokenizer(texts[1], truncation=True, max_length=max_length).ids
    assert alone == slow(texts[1], truncation=True, max_length=max_length).input_ids


@pytest.mark.parametrize("google", [False, True])
def test_allow_special_equals_transformers(tmp_path, vocab_file, google):
    path = tmp_path / "spiece.model"
    path.write_bytes(google_like_model() if google else vocab_file.read_bytes())
    slow = transformers.BigBirdTokenizer(str(path))
    tokenizer = BigBirdTokenizer(path, allow_special=True)
    for text in [
        "Anna [SEP] signs the [MASK] .",
        "[CLS]here[SEP]",
        "</s><s> <pad>the <unk>",
        "a <len_4> b",
        "no mark",
        "[MASK]",
        "",
    ]:
        encoding = tokenizer(text)
        assert encoding.ids == slow(text).input_ids, text
        for piece, (start, end) in zip(encoding.pieces[1:-1], encoding.offsets[1:-1], strict=True):
            if piece in tokenizer.all_special_tokens and piece != "<unk>":
                assert text[start:end] == piece
    assert tokenizer.text_ids(["a [SEP]"])[0].tolist() == tokenizer("a [SEP]").ids[1:-1]


def test_decode_equals_transformers(tokenizer, slow):
    for text in [*toy_texts(10), "", "\U0001f600 unknown", " spaces  here "]:
        for ids in (tokenizer(text).ids, tokenizer(text, "the pair").ids, [67, *tokenizer(text).ids, 67, 0, 0]):
            assert tokenizer.decode(ids) == slow.decode(ids)
            assert tokenizer.decode(np.array(ids), skip_special_tokens=True) == slow.decode(
                ids, skip_special_tokens=True
            )
    text = toy_text(5)
    assert tokenizer.decode(tokenizer(text).ids, skip_special_tokens=True) == text


def test_vocabulary_equals_transformers(tokenizer, slow):
    assert tokenizer.vocab_size == len(tokenizer) == slow.vocab_size == 800
    assert tokenizer.get_vocab() == slow.get_vocab()
    assert set(tokenizer.all_special_tokens) == set(slow.all_special_tokens)
    assert set(tokenizer.all_special_ids) == set(slow.all_special_ids)
    for name in ("unk", "bos", "eos", "pad", "sep", "mask", "cls"):
        assert getattr(tokenizer, f"{name}_token") == getattr(slow, f"{name}_token")
        assert getattr(tokenizer, f"{name}_token_id") == getattr(slow, f"{name}_token_id")
    assert tokenizer.convert_ids_to_tokens(list(range(800))) == slow.convert_ids_to_tokens(list(range(800)))
    assert tokenizer.convert_ids_to_tokens([65, 300, 100], skip_special_tokens=True) == [
        slow.convert_ids_to_tokens(300)
    ]
    pieces = ["the", "\u2581the", "[CLS]", "no such piece"]
    assert tokenizer.convert_tokens_to_ids(pieces) == slow.convert_tokens_to_ids(pieces)
    assert tokenizer.convert_tokens_to_ids("[SEP]") == 66 and tokenizer.convert_ids_to_tokens(66) == "[SEP]"
    with pytest.raises(ValueError, match=r"id = 800 .* 0 to 799"):
        tokenizer.convert_ids_to_tokens([5, 800])


def test_special_functions_equal_transformers(tokenizer, slow):
    a, b = [300, 301, 302], [400, 401]
    for second in (None, b, []):
        assert tokenizer.build_inputs_with_special_tokens(a, second) == slow.build_inputs_with_special_tokens(a, second)
        assert tokenizer.get_special_tokens_mask(a, second) == slow.get_special_tokens_mask(a, second)
        expected = slow.create_token_type_ids_from_sequences(a, second)
        assert tokenizer.create_token_type_ids_from_sequences(a, second) == expected
    whole = [65, 300, 100, 66, 0]
    assert tokenizer.get_special_tokens_mask(whole, already_has_special_tokens=True) == [1, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="whole input"):
        tokenizer.get_special_tokens_mask(whole, b, already_has_special_tokens=True)
