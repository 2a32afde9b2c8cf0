"""Span question answering as a component: learning, saving, importing, windows, and every odd input."""

import json
import pickle
import shutil

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bigbird.annotations.questions import Answer, install_question_extensions
from spacy_bigbird.pipeline.queries.span_qa import SpanQA
from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim
from spacy_bigbird.thinc_layers.question_windows import pack
from tests.toy_questions import QUESTIONS, TEXT, TINY, asked, make_nlp


@pytest.fixture(scope="module")
def nlp(vocab_file):
    return make_nlp(vocab_file)


def question(text, *answers, **more):
    return {"question": text, "answers": [{"text": t, "answer_start": s} for t, s in answers], **more}


def example(nlp, text, questions):
    reference = asked(nlp, text, questions)
    return Example(asked(nlp, text, [q["question"] for q in questions]), reference)


def places(answers):
    return [(answer.text, answer.start_char, answer.end_char) for answer in answers]


def assert_same(left, right, tolerance=1e-5):
    assert places(left) == places(right)
    for one, other in zip(left, right, strict=True):
        assert [one.score, one.logit, one.null_logit] == pytest.approx(
            [other.score, other.logit, other.null_logit], abs=tolerance
        )


def plant(component, monkeypatch, wanted):
    """Let the model give high logits to the first and the last of certain pieces, wherever they stand."""

    def outputs(rows, ids, lengths):
        logits = torch.zeros(len(ids), 2)
        for place in range(len(ids)):
            if ids[place : place + len(wanted)].tolist() == wanted:
                logits[place, 0] = logits[place + len(wanted) - 1, 1] = 5.0
        return logits

    monkeypatch.setattr(component.shim, "_outputs", outputs)


# Answers


def test_answers_are_slices_of_the_text_in_the_order_of_the_questions(nlp):
    doc = nlp(asked(nlp, TEXT, QUESTIONS))
    assert [answer.question for answer in doc._.answers] == QUESTIONS
    for answer in doc._.answers:
        assert isinstance(answer, Answer)
        assert doc.text[answer.start_char : answer.end_char] == answer.text
        assert sum(row["score"] for row in answer.alternatives) == pytest.approx(1.0)
        assert answer.score in [row["score"] for row in answer.alternatives]
        assert next(row for row in answer.alternatives if not row["text"])["logit"] == answer.null_logit
        for row in answer.alternatives:
            assert row["text"] == doc.text[row["start_char"] : row["end_char"]] == row["text"].strip()
    json.dumps(doc._.answers)


@pytest.mark.parametrize("max_batch_pieces", [1, 60, 10**6])
def test_neither_other_questions_nor_the_batch_matter(nlp, vocab_file, max_batch_pieces):
    questions = [f"Which of the {number} parties?" for number in range(12)]
    other = make_nlp(vocab_file, max_batch_pieces=max_batch_pieces)
    component = other.get_pipe("bigbird_span_qa")
    together = component.ask(other.make_doc(TEXT), questions)
    alone = [nlp.get_pipe("bigbird_span_qa").ask(nlp.make_doc(TEXT), text)[0] for text in questions]
    assert_same(together, alone)
    docs = [asked(other, TEXT, questions), asked(other, "Short.", ["Who?"]), asked(other, TEXT[:90], ["Who?"])]
    assert_same(next(iter(other.pipe(docs)))._.answers, alone)


@pytest.mark.parametrize("overlap", [None, 3, 9])
def test_a_planted_answer_is_found_at_every_offset_around_a_window_edge(vocab_file, monkeypatch, overlap):
    nlp = make_nlp(vocab_file, overlap=overlap, max_batch_pieces=200)
    component = nlp.get_pipe("bigbird_span_qa")
    tokenizer = component.shim.tokenizer
    answer = "both parties"
    wanted = tokenizer.text_pieces([answer])[0].ids.tolist()
    plant(component, monkeypatch, wanted)
    for before in range(0, 60):
        text = "the " * before + answer + " of" * (70 - before)
        doc = nlp(asked(nlp, text, ["Who?"]))
        (found,) = doc._.answers
        # Without an overlap of the answer's length no window may hold all of it; the default overlap does.
        if overlap is None or overlap >= len(wanted):
            assert (found.text, found.start_char) == (answer, 4 * before)
            assert [span.text for span in doc.spans["answers"]] == [answer]
            assert found.logit == 10.0
            assert found.null_logit == 0.0


def test_answers_are_whole_tokens_unless_pieces_are_wanted(nlp, monkeypatch):
    component = nlp.get_pipe("bigbird_span_qa")
    text = "so Xagreement, of"
    doc = nlp.make_doc(text)
    pieces = component.shim.tokenizer.text_pieces([text])[0]
    inside = [number for number, (start, end) in enumerate(pieces.offsets) if 3 < start < end < 13]
    assert inside, "the vocabulary is expected to cut this word"
    plant(component, monkeypatch, pieces.ids[inside[:1]].tolist())
    assert places(component.ask(doc, "?")) == [("Xagreement", 3, 13)]
    start, end = pieces.offsets[inside[0]].tolist()
    assert places(component.ask(doc, "?", align_to_tokens=False)) == [(text[start:end], start, end)]


def test_threshold_length_grouping_and_their_names(nlp, monkeypatch):
    component = nlp.get_pipe("bigbird_span_qa")
    doc = nlp.make_doc("the town, the city, the town")
    wanted = component.shim.tokenizer.text_pieces(["the town"])[0].ids.tolist()
    plant(component, monkeypatch, wanted)
    (answer,) = component.ask(doc, ["Where?"])
    starts = [row["start_char"] for row in answer.alternatives if row["text"] == "the town"]
    assert sorted(starts) == [0, 20], "both mentions stay"
    (grouped,) = component.ask(doc, ["Where?"], group_by_text=True)
    assert [row["start_char"] for row in grouped.alternatives if row["text"] == "the town"] == [0]
    (refused,) = component.ask(doc, ["Where?"], null_threshold=-10.5)
    assert (refused.text, refused.start_char, refused.end_char) == ("", 0, 0)
    assert refused.best_text == "the town"
    assert refused.null_odds == -10.0
    (short,) = component.ask(doc, ["Where?"], max_answer_length=1)
    assert max(len(row["text"].split()) for row in short.alternatives) == 1
    assert len(component.ask(doc, ["Where?"], n_best=2)[0].alternatives) == 3
    with pytest.raises(TypeError, match=r"BB242.*'threshold'"):
        component.ask(doc, ["Where?"], threshold=0.0)


@pytest.mark.parametrize("text", ["", " ", "\n\n \t", "Paris", "?", " Paris \n", "\u200b", "🙂 " * 60])
@pytest.mark.parametrize("questions", [None, [], [""], ["  \n"], ["Who?", ""], ["Who? " * 50]])
@pytest.mark.filterwarnings("ignore:.*BW240")
def test_odd_questions_and_documents_have_defined_answers(nlp, text, questions):
    doc = nlp(asked(nlp, text, questions))
    assert [answer.question for answer in doc._.answers] == (questions or [])
    for answer in doc._.answers:
        assert doc.text[answer.start_char : answer.end_char] == answer.text
        assert 0.0 <= answer.score <= 1.0
        if not answer.question.strip() or not text.strip():
            assert (places([answer]), answer.score, len(answer.alternatives)) == ([("", 0, 0)], 1.0, 1)
    assert len(doc.spans["answers"]) == sum(bool(answer.text) for answer in doc._.answers)


def test_the_question_may_be_the_document(nlp):
    (answer,) = nlp(asked(nlp, TEXT[:50], [TEXT[:50]]))._.answers
    assert TEXT[answer.start_char : answer.end_char] == answer.text


def test_questions_in_the_shape_of_squad_and_bad_ones(nlp):
    doc = nlp(asked(nlp, TEXT, [{"id": "a", **question("Who?", ("court", 4))}, "Who?"]))
    assert_same(doc._.answers[:1], doc._.answers[1:])
    for wrong in (
        "Who?",
        [{"question": "Who?", "answers": ["court"]}],
        [{"question": "Who?", "answers": {"text": "a"}}],
    ):
        with pytest.raises(ValueError, match="BB240"):
            nlp(asked(nlp, TEXT, wrong))


def test_a_text_in_place_of_a_doc_is_told_what_to_do(nlp):
    with pytest.raises(TypeError, match=r"BB246.*given a str.*nlp\.make_doc"):
        nlp.get_pipe("bigbird_span_qa").ask(TEXT, "Who?")


def test_answers_in_columns_train_like_those_in_rows(vocab_file):
    columns = {"question": "Who?", "answers": {"text": ["court"], "answer_start": [4]}}
    losses = []
    for asked_for in (columns, question("Who?", ("court", 4))):
        nlp = make_nlp(vocab_file)
        examples = [example(nlp, TEXT, [asked_for])]
        losses.append(nlp.update(examples)["bigbird_span_qa"])
        assert nlp.evaluate(examples)["qa_f1"] >= 0.0
    assert losses[0] == pytest.approx(losses[1], rel=1e-6) and losses[0] > 0


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"n_best": 0}, "n_best = 0 .*whole number"),
        ({"max_answer_length": 2.5}, "max_answer_length = 2.5"),
        ({"null_threshold": "low"}, "null_threshold = 'low' .*a number"),
        ({"null_threshold": float("nan")}, "null_threshold = nan"),
    ],
)
def test_settings_that_are_not_allowed_are_named(nlp, settings, said):
    component = nlp.get_pipe("bigbird_span_qa")
    with pytest.raises(ValueError, match=f"BB200.*{said}"):
        component.ask(nlp.make_doc(TEXT), "Who?", **settings)
    with pytest.raises(ValueError, match=f"BB200.*{said}"):
        SpanQA(nlp.vocab, component.model, "qa", None, **{**dict(component.settings), **settings})


# Training


def training_examples(nlp):
    gold = [
        ("The court held that both parties agree.", question("Who agrees?", ("both parties", 20))),
        ("The river flows through the old town.", question("What flows?", ("The river", 0))),
        ("The river flows through the old town.", question("Where?", ("the old town", 24), ("town", 32))),
        ("The court of the city is large.", question("Who was born?", is_impossible=True)),
    ]
    return [example(nlp, text, [q]) for text, q in gold]


def test_overfits_and_comes_back(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file, seed=1)
    examples = training_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.005
    losses = []
    for _ in range(60):
        step: dict[str, float] = {}
        nlp.update(examples, sgd=optimizer, losses=step)
        losses.append(step["bigbird_span_qa"])
    assert losses[-1] < 0.05 < losses[0]
    scores = nlp.evaluate(examples)
    assert [scores[f"qa_{name}"] for name in ("exact", "f1", "hasans_f1", "noans_exact", "best_f1")] == [1.0] * 5
    assert scores["qa_risk_coverage"] == 0.0
    docs = [asked(nlp, eg.reference.text, QUESTIONS) for eg in examples]
    expected = [doc._.answers for doc in nlp.pipe(docs)]
    assert places(expected[0])[0] == ("both parties", 20, 32)

    nlp.to_disk(tmp_path / "saved")
    folder = tmp_path / "saved" / "bigbird_span_qa"
    assert {"config.json", "model.safetensors", "spiece.model", "cfg"} <= {path.name for path in folder.iterdir()}
    from_bytes = make_nlp(vocab_file, seed=2).from_bytes(nlp.to_bytes())
    for again in (spacy.load(tmp_path / "saved"), from_bytes, pickle.loads(pickle.dumps(nlp))):
        assert [doc._.answers for doc in again.pipe(asked(again, doc.text, QUESTIONS) for doc in docs)] == expected
    blank = spacy.blank("en")
    blank.add_pipe("bigbird_span_qa", source=nlp)
    assert blank(asked(blank, docs[0].text, QUESTIONS))._.answers == expected[0]


@pytest.mark.parametrize("max_batch_pieces", [1, 10**6])
def test_gradients_do_not_depend_on_the_micro_batch(vocab_file, max_batch_pieces):
    nlp = make_nlp(vocab_file, max_batch_pieces=max_batch_pieces)
    reference = make_nlp(vocab_file, max_batch_pieces=100)
    gradients = []
    for pipeline in (nlp, reference):
        texts = [(TEXT, question("Who?", ("river", TEXT.index("river", 150)))), (TEXT[:60], question("What?"))]
        examples = [example(pipeline, text, [q, q]) for text, q in texts]
        component = pipeline.get_pipe("bigbird_span_qa")
        loss = component.update(examples)["bigbird_span_qa"]
        module = component.shim.module
        gradients.append([loss, *(p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None)])
    assert len(gradients[0]) > 10
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-4, abs=1e-6)


def test_without_gold_nothing_moves(vocab_file):
    nlp = make_nlp(vocab_file)
    install_question_extensions()
    optimizer = nlp.create_optimizer()
    # One real step gives the optimizer a momentum.
    nlp.update(training_examples(nlp), sgd=optimizer)
    before = {key: value.clone() for key, value in nlp.get_pipe("bigbird_span_qa").shim.module.state_dict().items()}
    mismatch = question("Who?", ("river", 3))
    without = [
        Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT)),
        example(nlp, TEXT, [{"question": "No gold?"}]),
        example(nlp, "", [question("Who?", is_impossible=True)]),
        example(nlp, TEXT, [question("", ("court", 4)), mismatch]),
    ]
    losses = nlp.update(without, sgd=optimizer)
    assert losses == {"bigbird_span_qa": 0.0}
    after = nlp.get_pipe("bigbird_span_qa").shim.module.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert nlp.get_pipe("bigbird_span_qa").update([], sgd=optimizer) == {"bigbird_span_qa": 0.0}


def test_the_scorer_refuses_questions_that_were_never_asked(nlp):
    reference = asked(nlp, TEXT, [question("Who?", ("court", 4))])
    with pytest.raises(ValueError, match="BB312"):
        nlp.evaluate([Example(nlp.make_doc(TEXT), reference)])


def test_starts_from_the_encoder_of_another_component(vocab_file):
    nlp = spacy.blank("en")
    block = {"vocab_file": str(vocab_file), "transformer_config": TINY}
    nlp.add_pipe("bigbird", config={"model": {"@architectures": "spacy-bigbird.BigBirdModel.v1", **block}})
    nlp.add_pipe("bigbird_span_qa", config={"model": {"@architectures": "spacy-bigbird.SpanQA.v1"}})
    nlp.config["initialize"]["components"]["bigbird_span_qa"] = {"encoder_from": "bigbird"}
    nlp.initialize()
    source, component = nlp.get_pipe("bigbird"), nlp.get_pipe("bigbird_span_qa")
    copied = component.shim.module.bigbird.state_dict()
    for key, value in get_shim(source.model).module.state_dict().items():
        assert torch.equal(copied[key], value)
        assert copied[key].data_ptr() != value.data_ptr()
    assert len(nlp(asked(nlp, TEXT, QUESTIONS))._.answers) == 3
    assert nlp.analyze_pipes()["problems"]["bigbird_span_qa"] == []
    with pytest.raises(ValueError, match="BB241"):
        component.initialize(lambda: training_examples(nlp), nlp=nlp, encoder_from="transformer")


# Checkpoints and configuration


@pytest.mark.parametrize("attention_type", ["original_full", "block_sparse"])
def test_logits_of_an_imported_checkpoint_equal_those_of_transformers(vocab_file, tmp_path, attention_type):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    fields = {key: value for key, value in TINY.items() if key != "full_attention_up_to"}
    config = transformers.BigBirdConfig(
        vocab_size=800, attention_type=attention_type, some_unknown_key=7, **{**fields, "max_position_embeddings": 256}
    )
    theirs = transformers.BigBirdForQuestionAnswering(config).eval()
    with torch.no_grad():
        # The initial scale of the weights would hide differences.
        theirs.qa_classifier.qa_outputs.weight.normal_(0, 0.5)
    theirs.save_pretrained(tmp_path)
    shutil.copy(vocab_file, tmp_path / "spiece.model")
    nlp = spacy.blank("en")
    block = {"@architectures": "spacy-bigbird.SpanQA.v1", "name": str(tmp_path)}
    config = {"model": {**block, "transformer_config": {"random_pattern": "huggingface"}}}
    component = nlp.add_pipe("bigbird_span_qa", config=config)
    nlp.initialize()
    maker = component.question_tokenizer()
    (document,), (question_pieces,) = maker.pieces([TEXT * 4]), maker.questions(QUESTIONS[:1])
    windows = maker.windows(question_pieces, document)
    # transformers reads windows of one length as a batch; ours are of one length too, for the last is shifted.
    ids = torch.as_tensor(np.stack([window.ids for window in windows]), dtype=torch.long)
    with torch.no_grad():
        out = theirs(ids, token_type_ids=torch.as_tensor(np.stack([w.token_type_ids for w in windows])).long())
    expected = torch.stack([out.start_logits, out.end_logits], -1)
    ours = torch.as_tensor(component.model.predict(pack(windows))).reshape(expected.shape)
    first = windows[0].first_row
    assert len(windows) > 1
    torch.testing.assert_close(ours[:, first:], expected[:, first:], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(ours[:, 0], expected[:, 0], atol=2e-5, rtol=1e-4)


def test_a_saved_setting_comes_back_and_a_new_config_wins(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file)
    nlp.get_pipe("bigbird_span_qa").set(null_threshold=1.5)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("bigbird_span_qa").settings.null_threshold == 1.5
    changed = spacy.load(tmp_path, config={"components": {"bigbird_span_qa": {"null_threshold": -2.0, "n_best": 3}}})
    assert changed.get_pipe("bigbird_span_qa").settings.null_threshold == -2.0
    assert changed.get_pipe("bigbird_span_qa").settings.n_best == 3
    batches = {"components": {"bigbird_span_qa": {"model": {"max_batch_pieces": 7}}}}
    assert spacy.load(tmp_path, config=batches).get_pipe("bigbird_span_qa").shim.settings.max_batch_pieces == 7


def test_factory_defaults_are_complete_and_answers_travel_in_a_docbin(nlp):
    block = nlp.config["components"]["bigbird_span_qa"]
    assert (block["n_best"], block["max_answer_length"], block["null_threshold"]) == (20, 30, 0.0)
    assert nlp.get_pipe_meta("bigbird_span_qa").default_score_weights["qa_f1"] == 0.5
    assert isinstance(nlp.get_pipe("bigbird_span_qa"), SpanQA)
    doc = nlp(asked(nlp, TEXT, QUESTIONS))
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin(store_user_data=True).from_bytes(stored).get_docs(nlp.vocab)
    assert places(again._.answers) == places(doc._.answers)
    assert [span.text for span in again.spans["answers"]] == [span.text for span in doc.spans["answers"]]
