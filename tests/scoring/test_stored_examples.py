"""Examples on disk come back as they were, as often as they are needed, without their vectors."""

import spacy
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.scoring.stored_examples import StoredExamples, several_passes


def test_examples_come_back_without_vectors():
    install_question_extensions()
    nlp = spacy.blank("en")
    stored = StoredExamples(nlp.vocab)
    for number in range(3):
        predicted, reference = nlp(f"Anna met {number}"), nlp(f"Anna met {number}")
        reference.ents = [reference.char_span(0, 4, label="PER")]
        reference._.questions = [{"question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}]
        predicted.cats = {"A": number / 2}
        predicted.user_data["._.", "trf_data", None, None] = object()
        predicted.tensor = predicted.vocab.vectors.data[:0]
        stored.add(Example(predicted, reference))
    assert len(stored) == 3 and several_passes(stored) is stored
    for _ in range(2):
        found = list(stored)
        assert [example.predicted.cats["A"] for example in found] == [0.0, 0.5, 1.0]
        assert all(example.reference.ents[0].label_ == "PER" for example in found)
        assert found[0].reference._.questions[0]["answers"][0]["text"] == "Anna"
        assert ("._.", "trf_data", None, None) not in found[0].predicted.user_data


def test_iterators_are_read_once():
    examples = several_passes(iter([1, 2]))
    assert list(examples) == list(examples) == [1, 2]
