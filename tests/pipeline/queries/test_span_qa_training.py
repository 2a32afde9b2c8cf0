"""Training of `bigbird_span_qa`: gradients, scores, and the weights that it starts from."""

import pickle
import shutil

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim
from spacy_bigbird.thinc_layers.question_windows import pack
from tests.toy_questions import QUESTIONS, TEXT, TINY, asked, make_nlp

from .toy_answers import places, question


def example(nlp, text, questions):
    reference = asked(nlp, text, questions)
    return Example(asked(nlp, text, [q["question"] for q in questions]), reference)


def test_answers_in_columns_train_like_those_in_rows(vocab_file):
    columns = {"question": "Who?", "answers": {"text": ["court"], "answer_start": [4]}}
    losses = []
    for asked_for in (columns, question("Who?", ("court", 4))):
        nlp = make_nlp(vocab_file)
        examples = [example(nlp, TEXT, [asked_for])]
        losses.append(nlp.update(examples)["bigbird_span_qa"])
        assert nlp.evaluate(examples)["qa_f1"] >= 0.0
    assert losses[0] == pytest.approx(losses[1], rel=1e-6) and losses[0] > 0


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
