"""Imported checkpoints predict what transformers predicts from the same files."""

import shutil
import warnings

import numpy as np
import pytest
import spacy
import torch
import transformers
from typer.testing import CliRunner

from spacy_bigbird.cli.import_checkpoint import describe_attention, import_checkpoint, tag_rows
from spacy_bigbird.pipeline.ner.biluo import tag_names
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.tokenizer import BigBirdTokenizer

TEXT = "The court of the city held that both parties agree."
CLASSES = {
    "encoder": transformers.BigBirdModel,
    "ner": transformers.BigBirdForTokenClassification,
    "textcat": transformers.BigBirdForSequenceClassification,
    "qa": transformers.BigBirdForQuestionAnswering,
    "multiple-choice": transformers.BigBirdForMultipleChoice,
    "fill-mask": transformers.BigBirdForMaskedLM,
}
IOB = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


def save(task, folder, vocab_file, **settings):
    """A checkpoint as transformers writes it. RETURNS: transformers' own model."""
    torch.manual_seed(0)
    config = transformers.BigBirdConfig(
        vocab_size=800,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        block_size=8,
        num_random_blocks=1,
        sep_token_id=66,
        initializer_range=0.5,
        **settings,
    )
    model = CLASSES[task](config).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    shutil.copy(vocab_file, folder / "spiece.model")
    return model


def their_output(model, vocab_file, text):
    encoding = BigBirdTokenizer(str(vocab_file), map_whitespace=True)(text)
    model.config.attention_type = "original_full"
    with torch.no_grad():
        return encoding, model(torch.tensor([encoding.ids]))


def test_entities(tmp_path, vocab_file):
    theirs = save("ner", tmp_path, vocab_file, id2label=IOB, label2id={v: k for k, v in IOB.items()})
    nlp = import_checkpoint(tmp_path, "ner")
    encoding, output = their_output(theirs, vocab_file, TEXT)
    logits = output.logits[0].numpy()
    doc = nlp(TEXT)
    assert len(doc._.trf_data.wordpieces.strings[0]) == len(encoding.ids)
    ner = nlp.get_pipe("bigbird_ner")
    [emissions] = ner.model.predict([doc])
    starts = [next(i for i, (start, end) in enumerate(encoding.offsets) if end > token.idx) for token in doc]
    columns = [0, 1, 2, 2, 1, 3, 4, 4, 3]
    assert ner.labels == ("PER", "LOC") and tag_names(ner.labels)[5] == "B-LOC"
    np.testing.assert_allclose(emissions, logits[starts][:, columns], atol=1e-4)
    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    assert [(e.start, e.end, e.label_) for e in again(TEXT).ents] == [(e.start, e.end, e.label_) for e in doc.ents]


@pytest.mark.parametrize("problem", ["single_label_classification", "multi_label_classification", "regression", None])
def test_texts(problem, tmp_path, vocab_file):
    names = {0: "score"} if problem == "regression" else {0: "NO", 1: "YES", 2: "MAYBE"}
    theirs = save("textcat", tmp_path, vocab_file, id2label=names, problem_type=problem, hidden_act="gelu")
    nlp = import_checkpoint(tmp_path, "textcat")
    _, output = their_output(theirs, vocab_file, TEXT)
    logits = output.logits[0]
    expected = {
        "single_label_classification": logits.softmax(-1),
        "multi_label_classification": logits.sigmoid(),
        "regression": logits,
    }.get(problem, logits.softmax(-1))
    doc = nlp(TEXT)
    assert list(doc.cats) == list(names.values())
    np.testing.assert_allclose(list(doc.cats.values()), expected.numpy(), atol=1e-4)
    factory = "bigbird_textcat_multilabel" if problem == "multi_label_classification" else "bigbird_textcat"
    assert nlp.pipe_names == ["bigbird", factory]


@pytest.mark.parametrize("pattern", ["huggingface", "paper"])
def test_vectors_past_the_dense_length(pattern, tmp_path, vocab_file):
    """In transformers' pattern the vectors are transformers' own; in the paper's they are others."""
    theirs = save("encoder", tmp_path, vocab_file)
    encoding = BigBirdTokenizer(str(vocab_file), map_whitespace=True)(TEXT * 4)
    assert (5 + 2) * 8 < len(encoding.ids) <= 128
    with torch.no_grad():
        expected = theirs(torch.tensor([encoding.ids])).last_hidden_state[0].numpy()
    nlp = import_checkpoint(tmp_path, "encoder", random_pattern=pattern)
    changed = {"components.bigbird.model.transformer_config": {"random_pattern": pattern, "full_attention_up_to": 8}}
    nlp.to_disk(tmp_path / "pipeline")
    found = spacy.load(tmp_path / "pipeline", config=changed)(TEXT * 4)._.trf_data.model_output.last_hidden_state[0]
    assert np.allclose(found, expected, atol=1e-4) == (pattern == "huggingface")


@pytest.mark.parametrize("task", sorted(CLASSES))
def test_the_command_writes_a_pipeline_that_loads(task, tmp_path, vocab_file):
    labels = {"id2label": IOB} if task == "ner" else {}
    save(task, tmp_path / "checkpoint", vocab_file, **labels)
    arguments = ["import", str(tmp_path / "checkpoint"), str(tmp_path / "pipeline"), "--task", task]
    result = CliRunner().invoke(spacy.cli.app, ["bigbird", *arguments])
    assert result.exit_code == 0, result.output
    output = " ".join(result.output.split())
    assert 'Attention: block_sparse with 1 random blocks of 8 pieces per head, random_pattern = "paper"' in output
    assert ("Labels of bigbird_ner: PER, LOC" in output) == (task == "ner")
    (tmp_path / "checkpoint").rename(tmp_path / "elsewhere")
    nlp = spacy.load(tmp_path / "pipeline")
    assert nlp(TEXT).text == TEXT
    assert nlp.config["nlp"]["batch_size"] == 16
    again = CliRunner().invoke(spacy.cli.app, ["bigbird", *arguments])
    assert again.exit_code == 1 and "BB342" in again.output


def test_a_checkpoint_without_the_head_is_an_error(tmp_path, vocab_file):
    save("encoder", tmp_path, vocab_file)
    for task in set(CLASSES) - {"encoder"}:
        with pytest.raises(ValueError, match=rf"BB340.*'{task}'"):
            import_checkpoint(tmp_path, task)
    arguments = ["bigbird", "import", str(tmp_path / "nothing"), str(tmp_path / "out"), "--task", "ner"]
    result = CliRunner().invoke(spacy.cli.app, arguments)
    assert result.exit_code == 1 and "BB050" in result.output and not (tmp_path / "out").exists()


def test_places_and_languages_that_there_are_not(tmp_path, vocab_file):
    save("encoder", tmp_path / "checkpoint", vocab_file)
    (tmp_path / "a_file").write_text("mine")
    for place, options, code in [
        ("a_file", ["--force"], "BB319"),
        ("a_file", [], "BB319"),
        ("a_file/inner", [], "BB319"),
        ("out", ["--lang", "xq"], "BB322"),
    ]:
        arguments = ["import", str(tmp_path / "checkpoint"), str(tmp_path / place), "--task", "encoder", *options]
        result = CliRunner().invoke(spacy.cli.app, ["bigbird", *arguments])
        assert result.exit_code == 1 and code in result.output and isinstance(result.exception, SystemExit)
    assert (tmp_path / "a_file").read_text() == "mine" and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "labels", "rows"),
    [
        (["O", "B-X", "I-X"], ["X"], [0, 1, 2, 2, 1]),
        (["B-X", "L-X", "U-X", "I-X", "O"], ["X"], [4, 0, 3, 1, 2]),
        (["S-X", "O", "E-X", "B-X", "I-X"], ["X"], [1, 3, 4, 2, 0]),
        (["O", "B_X", "M_X", "E_X", "W_X"], ["X"], [0, 1, 2, 3, 4]),
        (["O", "X", "E-MAIL"], ["X", "E-MAIL"], [0, 1, 1, 1, 1, 2, 2, 2, 2]),
        (["O", "I-X"], ["X"], [0, 1, 1, 1, 1]),
    ],
)
def test_schemes_of_tags(names, labels, rows):
    assert tag_rows(dict(enumerate(names))) == (labels, rows)


def test_labels_without_an_outside_are_an_error():
    with pytest.raises(ValueError, match=r"BB341.*LABEL_0, LABEL_1"):
        tag_rows({0: "LABEL_0", 1: "LABEL_1"})


def test_what_is_said_about_the_attention():
    small = BigBirdConfig(vocab_size=100, hidden_size=8, num_attention_heads=2)
    assert "full (original_full)" in describe_attention(small.replace(attention_type="original_full"))
    assert "full up to 704 pieces" in describe_attention(small.replace(random_pattern="huggingface"))
    assert "full up to 1024 pieces" in describe_attention(small)
    assert "no random blocks" in describe_attention(small.replace(random_pattern="none"))


def test_a_revision_goes_to_the_hub_and_one_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    def not_there(name, revision, **_):
        raise OSError(f"404: no {revision} in {name}")

    monkeypatch.setattr("spacy_bigbird.checkpoint.hub.snapshot_download", not_there)
    arguments = ["bigbird", "import", "toy/bigbird", str(tmp_path / "out"), "--task", "encoder", "--revision", "v7"]
    result = CliRunner().invoke(spacy.cli.app, arguments)
    assert result.exit_code == 1 and "its revision 'v7'" in " ".join(result.stdout.split())
    assert not (tmp_path / "out").exists()
