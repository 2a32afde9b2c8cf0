"""Batches bounded by pieces: nothing lost, order kept, bounds kept, schedules followed to their end and beyond."""

from itertools import pairwise

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy import registry
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import compounding

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.corpora.batchers import PieceBatcher, times_encoded
from spacy_bigbird.tokenizer.sentencepiece import BigBirdTokenizer

from ..toy_text import toy_texts

NLP = spacy.blank("en")


def example(text: str) -> Example:
    return Example.from_dict(NLP.make_doc(text), {})


@given(lengths=st.lists(st.integers(0, 300), max_size=60), size=st.integers(1, 400))
def test_every_item_comes_once_in_order_and_batches_are_full_but_not_over(lengths, size):
    batches = list(PieceBatcher(size, get_length=int)(lengths))
    assert [length for batch in batches for length in batch] == lengths
    assert all(batch and (sum(batch) <= size or len(batch) == 1) for batch in batches)
    # A batch only ends where the next document would not have fitted.
    assert all(sum(batch) + following[0] > size for batch, following in pairwise(batches))


def test_a_document_longer_than_the_size_is_a_batch_of_its_own():
    batches = list(PieceBatcher(10, get_length=len)(["aaaa", "b" * 50, "cccc", "dddd", "eeee"]))
    assert batches == [["aaaa"], ["b" * 50], ["cccc", "dddd"], ["eeee"]]


def test_a_schedule_moves_on_with_every_batch_and_its_last_size_stays():
    batcher = PieceBatcher([2, 3], get_length=lambda item: 1)
    assert [len(batch) for batch in batcher(range(10))] == [2, 3, 3, 2]
    assert [len(batch) for batch in batcher(range(4))] == [3, 1]
    growing = PieceBatcher(compounding(1, 8, 2), get_length=lambda item: 1)
    assert [len(batch) for batch in growing(range(7))] == [1, 2, 4]
    assert [len(batch) for batch in growing(range(20))] == [8, 8, 4]


def test_pieces_are_counted_with_a_vocabulary(vocab_file):
    batcher, tokenizer = PieceBatcher(100, vocab_file=str(vocab_file)), BigBirdTokenizer(vocab_file)
    for text in ["", "\n\n", *toy_texts(5)]:
        expected = len(tokenizer(text.replace("\n", " ")))
        assert batcher.count_pieces(NLP.make_doc(text)) == expected
        assert batcher.count_pieces(example(text)) == expected


def test_the_estimate_follows_characters_and_is_never_below_the_tokens():
    batcher = PieceBatcher(100)
    assert batcher.count_pieces(NLP.make_doc("")) == 2
    assert batcher.count_pieces(NLP.make_doc("internationalization" * 4)) == 80 / 4 + 2
    assert batcher.count_pieces(NLP.make_doc("1 2 3 4 5 6 7 8 9 0")) == 10 + 2
    halved = PieceBatcher(100, characters_per_piece=8)
    assert halved.count_pieces(NLP.make_doc("internationalization" * 4)) == 80 / 8 + 2


def test_the_estimate_is_near_real_counts(data_dir):
    import srsly

    exact = PieceBatcher(4096, vocab_file=str(data_dir / "vocab" / "gpt2.model"))
    texts = [row["text"] for row in srsly.read_jsonl(data_dir / "mini_fixtures" / "mlm_text.jsonl")]
    docs = [NLP.make_doc(text) for text in texts]
    counts = [(PieceBatcher(4096).count_pieces(doc), exact.count_pieces(doc)) for doc in docs]
    estimated, counted = (sum(column) for column in zip(*counts, strict=True))
    assert 1.0 <= estimated / counted <= 1.25
    assert all(0.75 <= estimate / count <= 1.5 for estimate, count in counts)


def test_questions_and_options_multiply_the_work():
    install_question_extensions()
    doc = NLP.make_doc("one two three")
    assert times_encoded(doc) == 1
    doc._.questions = ["Who?", "When?", "Where?"]
    assert times_encoded(doc) == 3 and PieceBatcher(10).count_pieces(doc) == 3 * (3 + 2)
    doc._.choices = [{"question": "Which?", "options": ["a", "b"]}, {"question": "What?", "options": ["c", "d"]}]
    assert times_encoded(doc) == 7
    doc._.questions, doc._.choices = [], None
    assert times_encoded(doc) == 1


@pytest.mark.parametrize("size", [0, -1, True, None, [], "100", [4, "x"], [0]])
def test_sizes_that_are_no_sizes_are_errors(size):
    with pytest.raises(ValueError, match=r"BB380.*size"):
        list(PieceBatcher(size, get_length=len)(["a" * 5, "b" * 5, "c"]))


def test_a_ratio_must_be_positive():
    with pytest.raises(ValueError, match=r"BB380.*characters_per_piece"):
        PieceBatcher(10, characters_per_piece=0)


def test_the_registered_batcher_works_from_a_config(vocab_file):
    config = {"@batchers": "spacy-bigbird.batch_by_pieces.v1", "size": 64, "vocab_file": str(vocab_file)}
    batcher = registry.resolve({"batcher": config})["batcher"]
    examples = [example(text) for text in toy_texts(6, 1)]
    assert [item for batch in batcher(examples) for item in batch] == examples
    scheduled = {**config, "size": {"@schedules": "compounding.v1", "start": 100, "stop": 1000, "compound": 1.5}}
    batches = list(registry.resolve({"batcher": scheduled})["batcher"](examples))
    assert sum(map(len, batches)) == 6 and all(isinstance(item.predicted, Doc) for item in batches[0])
    filled = registry.fill({"batcher": {"@batchers": config["@batchers"], "size": 64}})["batcher"]
    assert filled == {
        "@batchers": config["@batchers"],
        "size": 64,
        "vocab_file": None,
        "characters_per_piece": 4.0,
        "get_length": None,
    }
