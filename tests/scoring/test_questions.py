"""Scorers read the prediction's answers and the reference's gold, and refuse questions that were never asked."""

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bigbird.annotations.questions import Answer, install_question_extensions
from spacy_bigbird.scoring.questions import make_multiple_choice_scorer, make_span_qa_scorer, score_choices

TEXT = "The Seine flows through Paris."
install_question_extensions()


def row(text, logit):
    start = TEXT.find(text) if text else 0
    return {"text": text, "start_char": start, "end_char": start + len(text), "logit": logit, "score": 0.5}


def answer(question, *rows, given=0):
    null = next(r["logit"] for r in rows if not r["text"])
    return Answer(question=question, **rows[given], null_logit=null, alternatives=list(rows))


def example(asked, answers, gold):
    nlp = spacy.blank("en")
    predicted, reference = nlp.make_doc(TEXT), nlp.make_doc(TEXT)
    predicted._.questions, predicted._.answers, reference._.questions = asked, answers, gold
    return Example(predicted, reference)


def gold(question, *texts, **more):
    return {"question": question, "answers": [{"text": t, "answer_start": TEXT.find(t)} for t in texts], **more}


def test_scores_of_known_answers():
    answers = [
        answer("Which river?", row("The Seine flows", 3.0), row("", 1.0)),
        answer("Who?", row("", 2.0), row("Paris", 0.0)),
        answer("Where?", row("", 4.0), row("Paris", 1.0)),
    ]
    asked = ["Which river?", {"id": "7", "question": "Who?"}, "Where?"]
    golds = [gold("Which river?", "Seine", "the Seine"), {"id": "7", **gold("Who?")}, gold("Where?", "Paris")]
    scores = make_span_qa_scorer()([example(asked, answers, golds)])
    assert scores["qa_exact"] == pytest.approx(1 / 3)
    assert scores["qa_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert (scores["qa_hasans_exact"], scores["qa_noans_exact"]) == (0.0, 1.0)
    # Odds -2, 2 and 3: saying "no answer" above 3 is right for one of three, above anything for one, too.
    assert scores["qa_best_exact"] == pytest.approx(1 / 3)
    assert scores["qa_best_f1"] == pytest.approx((2 / 3 + 1) / 3)
    assert scores["qa_best_f1_threshold"] == -2.0


def test_only_gold_counts_and_order_does_not():
    answers = [answer("A?", row("Paris", 1.0), row("", 0.0)), answer("B?", row("Seine", 1.0), row("", 0.0))]
    scores = make_span_qa_scorer("1.1")([example(["A?", "B?"], answers, [gold("B?", "Seine"), {"question": "C?"}])])
    assert scores["qa_exact"] == 1.0
    assert make_span_qa_scorer()([example([], None, [])])["qa_f1"] is None


@pytest.mark.parametrize(("asked", "answers"), [([], None), (["B?"], []), (["C?"], [answer("C?", row("", 0.0))])])
def test_a_question_that_was_never_asked_is_an_error(asked, answers):
    with pytest.raises(ValueError, match=r"BB312.*'B\?'"):
        make_span_qa_scorer()([example(asked, answers, [gold("B?", "Seine")])])


def test_unknown_version():
    with pytest.raises(ValueError, match="BB313"):
        make_span_qa_scorer("3.0")


def test_answers_travel_with_the_document():
    nlp = spacy.blank("en")
    doc = nlp.make_doc(TEXT)
    assert doc._.answers is None
    doc._.answers = [answer("A?", row("Paris", 1.0), row("", 0.0))]
    (again,) = (
        DocBin(store_user_data=True).from_bytes(DocBin(docs=[doc], store_user_data=True).to_bytes()).get_docs(nlp.vocab)
    )
    assert [again._.answers[0][key] for key in ("text", "start_char", "null_logit")] == ["Paris", 24, 0.0]
    assert again._.answers[0].best_text == "Paris"
    assert again._.answers[0].null_odds == -1.0
    assert isinstance(doc.copy()._.answers[0], Answer)
    with pytest.raises(AttributeError, match="logits"):
        _ = again._.answers[0].logits


def test_choices():
    nlp = spacy.blank("en")
    predicted, reference = nlp.make_doc(TEXT), nlp.make_doc(TEXT)
    choices = [{"question": q, "options": ["Rome", "Paris"], "answer": a} for q, a in [("A", 1), ("B", 0), ("C", None)]]
    reference._.choices = choices
    predicted._.choices = [{k: v for k, v in choice.items() if k != "answer"} for choice in reversed(choices)]
    predicted._.choice_answers = [{"index": 1, "probabilities": [0.4, 0.6]}] * 3
    assert make_multiple_choice_scorer()([Example(predicted, reference)]) == {"choice_accuracy": 0.5}
    assert score_choices([]) == {"choice_accuracy": None}
    predicted._.choices = predicted._.choices[:1]
    with pytest.raises(ValueError, match="BB312"):
        score_choices([Example(predicted, reference)])
