"""What is counted before training: pieces, windows, unknown characters, and everything that would be lost."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.training.batchers import configure_minibatch, configure_minibatch_by_padded_size

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.check.corpus import (
    check_corpus,
    find_lost_spans,
    make_batches,
    name_of_character,
)
from spacy_bigbird.check.encoders import PlannedEncoder
from spacy_bigbird.check.gold import find_gold_problems
from spacy_bigbird.check.readers import find_reader_loss, long_texts_allowed
from spacy_bigbird.corpora.batchers import PieceBatcher
from spacy_bigbird.corpora.docbin import QuestionCorpus
from spacy_bigbird.corpora.squad import SquadCorpus
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from spacy_bigbird.tokenizer.sentencepiece import BigBirdTokenizer

from ..toy_text import toy_text, toy_texts

NLP = spacy.blank("en")


def planned(vocab_file, positions: int = 66, factory: str = "bigbird", **settings) -> PlannedEncoder:
    tokenizer = BigBirdTokenizer(vocab_file, map_whitespace=True)
    config = BigBirdConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=positions)
    return PlannedEncoder("bigbird", EncoderSettings(overlap=8, **settings), tokenizer, config, factory)


def plain(text: str) -> Example:
    return Example(NLP.make_doc(text), NLP.make_doc(text))


def test_lengths_windows_and_oversize(vocab_file):
    encoder = planned(vocab_file)
    texts = ["", "the house", toy_text(0, 30)]
    lengths = [len(encoder.tokenizer(text)) - 2 for text in texts]
    assert lengths[2] > 3 * 64
    report = check_corpus([plain(text) for text in texts], encoder)
    assert report.lengths == lengths
    # A window takes 64 pieces and goes on 56 after the one before it.
    windows = 1 + -(-(lengths[2] - 64) // 56)
    assert report.windows == [0, 1, windows]
    assert report.encoded == [0, lengths[1] + 2, windows * 66]
    assert report.oversize == [2] and report.truncated_pieces <= 0
    assert [len(ids) for ids in report.sample] == [lengths[1] + 2, 66]


def test_truncated_pieces_are_counted(vocab_file):
    encoder = planned(vocab_file, on_oversize="truncate")
    report = check_corpus([plain(toy_text(0, 30)), plain("the house")], encoder)
    assert report.windows == [1, 1] and report.encoded[0] == 66
    assert report.truncated_pieces == report.lengths[0] - 64 > 0


def test_unknown_pieces_and_their_characters(vocab_file):
    report = check_corpus([plain("the ☃☃ house and a ☃ and a ☂")], planned(vocab_file))
    assert report.unknown_characters == {"☃": 3, "☂": 1}
    assert 0 < report.unknown_pieces <= 4
    assert report.unknown_rate == report.unknown_pieces / report.lengths[0]
    assert check_corpus([plain("the house\n\nthe city")], planned(vocab_file)).unknown_pieces == 0
    assert name_of_character("☃") == "☃ U+2603 SNOWMAN"
    assert name_of_character("\x07") == "  U+0007 (no name)"


def test_spans_inside_tokens_are_lost_and_others_are_not():
    reference = Doc(NLP.vocab, words=["New", "York", "ers", "left", "Paris", "."], spaces=[1, 0, 1, 1, 0, 0])
    reference.set_ents([reference.char_span(0, 8, label="GPE"), reference.char_span(17, 22, label="GPE")])
    reference.spans["sc"] = [reference.char_span(4, 11, label="PEOPLE"), reference.char_span(8, 11, label="SUFFIX")]
    lost = find_lost_spans(Example(NLP.make_doc(reference.text), reference), 7)
    assert [(span.document, span.kind, span.label, span.text, span.tokens) for span in lost] == [
        (7, "ents", "GPE", "New York", ["New", "Yorkers"]),
        (7, "spans/sc", "SUFFIX", "ers", ["Yorkers"]),
    ]
    assert (lost[0].start, lost[0].end) == (0, 8)


def test_spans_that_touch_each_other_are_all_kept():
    doc = NLP.make_doc("Anna Clara Smith of Berlin")
    doc.spans["sc"] = [doc[0:3], doc[0:2], doc[1:3], doc[4:5]]
    assert find_lost_spans(Example(NLP.make_doc(doc.text), doc), 0) == []


def test_answers_that_are_not_at_their_offset_are_lost(vocab_file):
    install_question_extensions()
    reference = NLP.make_doc("The court signs in March.")
    right, wrong = {"text": "court", "answer_start": 4}, {"text": "March", "answer_start": 4}
    reference._.questions = [{"question": "Who?", "answers": [right]}, {"question": "When?", "answers": [wrong]}]
    example = Example(NLP.make_doc(reference.text), reference)
    (lost,) = find_lost_spans(example, 0)
    assert (lost.kind, lost.label, lost.text, lost.tokens) == ("answers", "When?", "March", ["court"])
    assert check_corpus([example], planned(vocab_file)).spans == 2


def test_questions_multiply_the_windows_of_a_component_that_reads_them(vocab_file):
    install_question_extensions()
    example = plain(toy_text(1, 30))
    example.predicted._.questions = ["Who signs?", "When does it end?"]
    alone, asked = (check_corpus([example], planned(vocab_file, factory=f)) for f in ("bigbird", "bigbird_span_qa"))
    assert asked.windows[0] > 2 * alone.windows[0] > 2
    example.predicted._.questions = []
    assert check_corpus([example], planned(vocab_file, factory="bigbird_span_qa")).windows == [0]


def test_documents_that_a_batcher_leaves_out_are_found():
    examples = [plain("one two three"), plain("one " * 50), plain("one two"), plain("one")]
    padded = configure_minibatch_by_padded_size(size=20, buffer=256, discard_oversize=True)
    assert make_batches(examples, padded) == ([[0, 2, 3]], [1])
    assert make_batches(examples, PieceBatcher(20))[1] == []
    # The same example twice, as an augmenter may give it, is not a loss.
    assert make_batches([examples[0], examples[0]], configure_minibatch(1))[1] == []


@pytest.mark.parametrize("is_split", [True, False])
def test_what_the_reader_splits_or_drops(tmp_path, is_split):
    docs = [NLP.make_doc(text) for text in ["one two three", "one two three . " * 4 + "one " * 12]]
    if is_split:
        for token in docs[1]:
            token.is_sent_start = token.i % 4 == 0 and token.i <= 16
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    loss = find_reader_loss(Corpus(tmp_path / "train.spacy", max_length=8), NLP)
    assert loss is not None and (loss.documents, loss.split) == (1, int(is_split))
    assert loss.lost_tokens == (12 if is_split else 28)
    assert find_reader_loss(Corpus(tmp_path / "train.spacy"), NLP) is None
    assert find_reader_loss(lambda nlp: [], NLP) is None


def gold_of(factory: str, *examples: Example, frozen=(), corpus="train") -> tuple[dict[str, int], list[str]]:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, name="head")
    return find_gold_problems(nlp, corpus, list(examples), frozen)


@pytest.mark.parametrize("factory", ["bigbird_ner", "ner"])
def test_entities_on_token_boundaries_are_gold(factory):
    reference = Doc(NLP.vocab, words=["New", "York", "ers", "left", "Paris", "."], spaces=[1, 0, 1, 1, 0, 0])
    inside, whole = reference.char_span(0, 8, label="GPE"), reference.char_span(17, 22, label="GPE")
    reference.set_ents([inside, whole])
    example = Example(NLP.make_doc(reference.text), reference)
    assert gold_of(factory, plain("one"), example) == ({"head": 1}, [])
    reference.set_ents([inside])
    counts, (problem,) = gold_of(factory, plain("one"), example)
    assert counts == {"head": 0}
    assert problem.startswith("[BB386] Component 'head' has nothing to learn from: none of the 2 documents")
    assert gold_of(factory, example, frozen=["head"]) == ({}, []) == gold_of(factory)
    (warning,) = gold_of(factory, example, corpus="dev")[1]
    assert warning.startswith("[BW380] Component 'head' cannot be scored: none of the 1 documents in the dev corpus")


@pytest.mark.parametrize("factory", ["bigbird_textcat", "bigbird_textcat_multilabel", "textcat", "textcat_multilabel"])
def test_documents_with_categories_are_gold(factory):
    example = plain("one two")
    assert len(gold_of(factory, example)[1]) == 1
    example.reference.cats = {"A": 0.0, "B": 1.0}
    assert gold_of(factory, example, plain("one")) == ({"head": 1}, [])


def test_annotated_tokens_and_spans_are_gold():
    example = plain("one two")
    for factory in ("tagger", "morphologizer", "parser", "senter", "trainable_lemmatizer", "spancat"):
        assert len(gold_of(factory, example)[1]) == 1
    example.reference.spans["sc"] = [example.reference[0:1], example.reference[0:2]]
    for token in example.reference:
        token.tag_, token.pos_, token.lemma_, token.dep_, token.head = "X", "NUM", "n", "dep", example.reference[0]
    factories = ("tagger", "morphologizer", "parser", "spancat", "bigbird_spancat")
    counts = [gold_of(factory, example)[0]["head"] for factory in factories]
    assert counts == [1, 1, 1, 2, 2]
    # A component that learns nothing, or of a kind that is not known here.
    assert gold_of("sentencizer", example) == ({}, [])


def test_questions_choices_and_masks_are_gold():
    install_question_extensions()
    example = plain("The court signs in March.")
    right, wrong = {"text": "court", "answer_start": 4}, {"text": "March", "answer_start": 4}
    example.reference._.questions = [
        {"question": "Who?", "answers": [right, wrong]},
        {"question": "When?", "answers": [wrong]},
        {"question": "Why?", "answers": []},
        {"question": "Where?", "is_impossible": True},
        "How?",
    ]
    assert gold_of("bigbird_span_qa", example) == ({"head": 3}, [])
    example.reference._.questions = ["How?"]
    counts, (problem,) = gold_of("bigbird_span_qa", example)
    assert counts == {"head": 0} and "DocBin(store_user_data=True)" in problem
    choice = {"question": "Who?", "options": ["A", "B"]}
    example.reference._.choices = [choice, {**choice, "answer": 1}]
    example.reference._.masks = [(4, 9), (19, 24)]
    assert gold_of("bigbird_multiple_choice", example) == ({"head": 1}, [])
    assert gold_of("bigbird_fill_mask", example) == ({"head": 2}, [])
    example.reference._.choices = [{**choice, "answer": 2}]
    (problem,) = gold_of("bigbird_multiple_choice", plain("one"), example)[1]
    assert problem.startswith("train, document 1, component 'head': [BB244]")


def test_the_limit_of_length_is_lifted_where_it_would_stop_the_reader(tmp_path):
    nlp = spacy.blank("en")
    nlp.max_length = 5
    path = tmp_path / "train.spacy"
    DocBin(docs=[NLP.make_doc("one two three")]).to_disk(path)
    for reader in (Corpus(path), QuestionCorpus(path)):
        with pytest.raises(ValueError, match="E088"):
            list(reader(nlp))
        with long_texts_allowed(reader, nlp):
            assert len(list(reader(nlp))) == 1
        assert nlp.max_length == 5
    with long_texts_allowed(SquadCorpus(path), nlp):
        assert nlp.max_length == 5
    loss = find_reader_loss(Corpus(path, max_length=2), nlp)
    assert loss is not None and loss.lost_tokens == 3


def test_the_corpus_is_not_changed(vocab_file):
    examples = [plain(text) for text in toy_texts(3)]
    before = [(example.predicted.to_bytes(), example.reference.to_bytes()) for example in examples]
    check_corpus(examples, planned(vocab_file))
    assert [(example.predicted.to_bytes(), example.reference.to_bytes()) for example in examples] == before
