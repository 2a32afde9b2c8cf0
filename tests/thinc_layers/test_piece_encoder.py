import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_bigbird.thinc_layers.piece_encoder import encode_documents
from spacy_bigbird.tokenizer.sentencepiece import BigBirdTokenizer

NLP = spacy.blank("en")


@pytest.fixture(scope="module")
def tokenizer(vocab_file):
    return BigBirdTokenizer(vocab_file, map_whitespace=True)


def rows_of_tokens(document):
    ends = document.align.lengths.cumsum()
    return [document.align.dataXd[end - n : end].tolist() for end, n in zip(ends, document.align.lengths, strict=True)]


TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \n\t.aeß½ﬁ\u200b\u0301")), max_size=40
)


@settings(deadline=None)
@given(TEXTS)
def test_tokens_share_characters_with_their_pieces(tokenizer, text):
    doc = NLP.make_doc(text)
    (document,) = encode_documents([doc], tokenizer)
    (pieces,) = tokenizer.text_pieces([text])
    assert document.ids.tolist() == pieces.ids.tolist()
    assert len(document.align.lengths) == len(doc)
    for token, rows in zip(doc, rows_of_tokens(document), strict=True):
        assert all(1 <= row <= len(pieces) for row in rows)
        assert rows == sorted(set(rows))
        sharing = [
            number + 1
            for number, (start, end) in enumerate(pieces.offsets.tolist())
            if start < token.idx + len(token) and end > token.idx and end > start
        ]
        assert rows == sharing or (not sharing and len(rows) <= 1)
        if not token.is_space and len(pieces) and any(end > start for start, end in pieces.offsets.tolist()):
            assert rows


def test_a_piece_may_belong_to_several_tokens(tokenizer):
    doc = Doc(NLP.vocab, words=["co", "mp", "any"], spaces=[False, False, False])
    (document,) = encode_documents([doc], tokenizer)
    assert all(rows_of_tokens(document))
    (whole,) = encode_documents([Doc(NLP.vocab, words=["company"])], tokenizer)
    assert document.ids.tolist() == whole.ids.tolist()


def test_line_breaks_are_spaces_and_move_nothing(tokenizer):
    (lines,) = encode_documents([NLP.make_doc("old books\n\n\tand tea")], tokenizer)
    (plain,) = encode_documents([NLP.make_doc("old books   and tea")], tokenizer)
    assert lines.ids.tolist() == plain.ids.tolist()
    assert tokenizer.unk_token_id not in lines.ids.tolist()
    assert [bool(rows) for rows in rows_of_tokens(lines)] == [True, True, False, True, True]


@pytest.mark.parametrize("text", ["", " ", "\n" * 5000])
def test_documents_without_pieces(tokenizer, text):
    doc = NLP.make_doc(text)
    (document,) = encode_documents([doc], tokenizer)
    assert len(document.ids) == 0
    assert document.align.lengths.tolist() == [0] * len(doc)


def test_special_pieces_in_a_text_are_plain_text(tokenizer):
    (document,) = encode_documents([NLP.make_doc("a [SEP] b </s> [CLS]")], tokenizer)
    assert not {tokenizer.sep_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id} & set(document.ids.tolist())


def test_what_is_cut_off_has_no_pieces(tokenizer):
    doc = NLP.make_doc("old books and green tea and old books")
    (whole,) = encode_documents([doc], tokenizer)
    limit = rows_of_tokens(whole)[4][-1]
    (cut,) = encode_documents([doc], tokenizer, max_pieces=limit)
    assert cut.ids.tolist() == whole.ids[:limit].tolist()
    assert cut.truncated == len(whole.ids) - limit
    assert rows_of_tokens(cut) == [*rows_of_tokens(whole)[:5], [], [], []]
    (same,) = encode_documents([doc], tokenizer, max_pieces=1000)
    assert same.truncated == 0 and rows_of_tokens(same) == rows_of_tokens(whole)


def test_a_word_of_800_letters(tokenizer):
    doc = NLP.make_doc("x" * 800 + " end")
    (document,) = encode_documents([doc], tokenizer)
    word, end = rows_of_tokens(document)
    # A mark of a word's start that stands alone has no characters and belongs to nobody.
    assert word == list(range(word[0], word[-1] + 1)) and word[0] <= 2 and end[0] > word[-1]
    assert len(word) > 100
