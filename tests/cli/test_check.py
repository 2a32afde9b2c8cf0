"""`spacy bigbird check` through spaCy's own command line: findings, files, exit codes."""

import json

import pytest
import spacy
import srsly
from spacy.cli import app as spacy_app
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from typer.testing import CliRunner
from wasabi import Printer

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.check.listeners import find_training_problems
from spacy_bigbird.check.report import CheckReport
from spacy_bigbird.check.terminal import bar, duration, histogram
from spacy_bigbird.cli.check import check
from spacy_bigbird.cli.new_config import Size, make_config
from spacy_bigbird.errors import Errors

from ..toy_pipelines import make_examples, make_pipeline
from ..toy_text import toy_texts

registry.cli.get_all()
CONFIG = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["bigbird", "tagger"]

[components]

[components.bigbird]
factory = "bigbird"

[components.bigbird.model]
@architectures = "spacy-bigbird.BigBirdModel.v1"
vocab_file = {vocab_file}
transformer_config = {{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "block_size": 16}}

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
pooling = {{"@layers": "reduce_mean.v1"}}
grad_factor = 1.0

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${{paths.train}}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${{paths.dev}}

[training]
max_steps = 0

[training.optimizer]
@optimizers = "Adam.v1"

[training.optimizer.learn_rate]
@schedules = "spacy-bigbird.warmup_linear.v1"
initial_rate = 0.001
warmup_steps = 10
total_steps = ${{training.max_steps}}

[training.batcher]
@batchers = "spacy-bigbird.batch_by_pieces.v1"
size = 500
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, vocab_file):
    folder = tmp_path_factory.mktemp("check")
    nlp = spacy.blank("en")
    for name in ("train", "dev"):
        docs = [nlp.make_doc(text) for text in toy_texts(4, 6)]
        DocBin(docs=docs).to_disk(folder / f"{name}_untagged.spacy")
        for doc in docs:
            for token in doc:
                token.tag_ = "X" if token.is_alpha else "Y"
        # Tokens as another tokenizer had them: "it" is inside of ours.
        odd = Doc(nlp.vocab, words=["New", "York", "ers", "left", "."], spaces=[1, 0, 1, 0, 0])
        odd.set_ents([odd.char_span(0, 8, label="GPE")])
        DocBin(docs=docs).to_disk(folder / f"{name}.spacy")
        DocBin(docs=[*docs, odd]).to_disk(folder / f"{name}_odd.spacy")
    (folder / "config.cfg").write_text(CONFIG.format(vocab_file=srsly.json_dumps(str(vocab_file))))
    return folder


def run(folder, *arguments, train="train.spacy"):
    paths = ["--paths.train", str(folder / train), "--paths.dev", str(folder / "dev.spacy")]
    arguments = ["bigbird", "check", str(folder / "config.cfg"), *paths, *arguments]
    return CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)


def flat(result) -> str:
    return " ".join(result.output.split())


def test_a_sound_config_passes_and_its_cost_is_estimated(folder, tmp_path):
    result = run(folder, "--plot", str(tmp_path / "lengths.png"))
    assert result.exit_code == 0, result.output
    output = flat(result)
    assert "Encoder of bigbird" in output and "62 pieces; neighbours share at least 7" in output
    assert "Gold in train" in output and "tagger 4" in output
    assert "4 documents with" in output and "Every document is in a batch" in output
    assert "pieces per second" in output and "Nothing would be lost" in output
    assert (tmp_path / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_lost_spans_are_written_and_fail(folder, tmp_path):
    result = run(folder, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure", train="train_odd.spacy")
    assert result.exit_code == 1 and "1 of 1 gold spans" in flat(result)
    (row,) = srsly.read_jsonl(tmp_path / "lost.jsonl")
    expected = {"corpus": "train", "document": 4, "kind": "ents", "label": "GPE", "text": "New York"}
    assert {key: row[key] for key in expected} == expected and row["tokens"] == ["New", "Yorkers"]


def test_records_that_cannot_be_used_are_written_too(folder, tmp_path):
    """All of them, where the report shows three of a kind."""
    lines = [{"text": "New Yorkers left.", "entities": [[0, 8, "GPE"]]}] * 5 + [{"txt": "wrong"}]
    srsly.write_jsonl(tmp_path / "train.jsonl", lines)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(folder, *arguments, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1 and "5 of 5 entities are not at token boundaries" in flat(result)
    *entities, record = srsly.read_jsonl(tmp_path / "lost.jsonl")
    assert [row["where"] for row in entities] == [f"train.jsonl, line {number}" for number in range(1, 6)]
    assert entities[0] == {
        "corpus": "train",
        "kind": "entities",
        "problem": "are not at token boundaries",
        "where": "train.jsonl, line 1",
        "text": "[0, 8, 'GPE', 'New York']",
    }
    assert record["kind"] == "records" and "txt" in record["text"]


ANNA = {"start": 0, "end": 4, "label": "PER"}
OTHER_TOOLS = [
    # doccano, in two versions.
    ({"label": [[0, 4, "PER"]]}, "records have a key that is not read, 'label'."),
    ({"labels": [[0, 4, "PER"]]}, "records have a key that is not read, 'labels'."),
    # Prodigy, for entities and for categories.
    ({"spans": [ANNA], "_task_hash": 7}, "spans are not [start, end, label] inside the text"),
    ({"accept": ["PER"], "_view_id": "choice"}, "records have a key that is not read, 'accept'."),
    # Label Studio, with and without a text of its own.
    ({"text": None, "data": {"text": "Anna left."}}, "records are not a JSON object with a string `text`"),
    ({"annotations": [{"result": []}]}, "records have a key that is not read, 'annotations'."),
    # Nobody's.
    ({"entitys": []}, "records have a key that is not read, 'entitys'. Did you mean 'entities' for 'entitys'?"),
    ({"entities": [ANNA]}, "entities are not [start, end, label] inside the text"),
    ({"cats": "TRAVEL"}, "cats are not an object of labels and numbers"),
]


def test_annotation_in_the_form_of_another_tool_is_not_taken_for_text_without_annotation(folder, tmp_path):
    records = [{"text": "Berta left."}, *({"text": "Anna left.", **record} for record, _ in OTHER_TOOLS)]
    srsly.write_jsonl(tmp_path / "train.jsonl", records)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(folder, *arguments, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1
    for line, (_, problem) in enumerate(OTHER_TOOLS, start=2):
        assert f" {problem} train.jsonl, line {line}: " in flat(result)
    rows = list(srsly.read_jsonl(tmp_path / "lost.jsonl"))
    assert [f"{row['kind']} {row['problem']}" for row in rows] == [problem for _, problem in OTHER_TOOLS]


@pytest.mark.parametrize("options", [["--limit", "3"], ["--corpora.train.strict", "true"]])
def test_a_reader_that_does_not_come_to_its_report(folder, tmp_path, options):
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "New Yorkers left.", "entities": [[0, 8, "GPE"]]}] * 5)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(folder, *arguments, *options, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1 and "Corpus dev for bigbird" in flat(result)
    assert "cannot be used; --misaligned lists them" in flat(result) or "[BB318]" in flat(result)
    assert len(list(srsly.read_jsonl(tmp_path / "lost.jsonl"))) == (3 if "--limit" in options else 5)


def test_a_corpus_that_is_not_there_gets_a_message(folder):
    result = run(folder, train="nothing.spacy")
    assert result.exit_code == 1
    assert "[BB387] The train corpus cannot be read" in flat(result) and "--paths.train PATH" in flat(result)


def test_a_dev_corpus_without_gold_is_a_warning(folder):
    dev = str(folder / "dev_untagged.spacy")
    result = run(folder, "--no-measure", f"--corpora.dev.path={dev}")
    assert result.exit_code == 0 and "[BW380] Component 'tagger' cannot be scored: none of the 4" in flat(result)


def test_a_batcher_that_discards_fails(folder):
    result = run(
        folder,
        "--no-measure",
        "--training.batcher.@batchers=spacy.batch_by_words.v1",
        "--training.batcher.size=20",
        "--training.batcher.tolerance=0.1",
        "--training.batcher.discard_oversize=true",
    )
    assert result.exit_code == 1 and "leaves out 4 of 4 documents with 100% of all pieces" in flat(result)


def test_a_schedule_of_another_length_is_said(folder):
    """There are four batches of one document each in an epoch."""
    arguments = ["--no-measure", "--training.batcher.size=1", "--training.optimizer.learn_rate.total_steps=400"]
    result = run(folder, *arguments, "--training.max_epochs=1000")
    assert result.exit_code == 1 and "[BB660] The learning rate is 0 from step 400 on" in flat(result)
    assert "goes on until step 4,000" in flat(result)
    result = run(folder, *arguments, "--training.max_epochs=20")
    assert result.exit_code == 0 and "[BW661] The training ends after 80 steps" in flat(result)
    result = run(folder, *arguments, "--training.max_epochs=0")
    assert result.exit_code == 1 and "is not limited to a number of steps" in flat(result)


def test_an_option_that_is_misspelled(folder):
    result = run(folder, "--no-measure", "--paths.trian", "x.spacy")
    assert result.exit_code == 1 and "[BB664] --paths.trian: [paths] of the config has no such setting" in flat(result)
    assert "only train, dev. Did you mean 'train' for 'trian'?" in flat(result)


def test_json_lines_for_spacys_own_reader(folder, tmp_path):
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "x"}])
    result = run(folder, "--no-measure", f"--paths.train={tmp_path / 'train.jsonl'}")
    assert result.exit_code == 1 and "[BB661] spacy.Corpus.v1 reads .spacy files" in flat(result)
    assert "set @readers to spacy-bigbird.JsonlCorpus.v1" in flat(result)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('--components.bigbird_textcat.class_weights={"SHRT": 2.0}', "Did you mean 'SHORT' for 'SHRT'?"),
        ("--initialize.components.bigbird_textcat.positive_label=SHRT", "E920"),
        ('--components.bigbird_textcat.class_weights={"SHORT": 2.0}', "Nothing would be lost"),
    ],
)
def test_settings_that_name_labels(folder, tmp_path, vocab_file, setting, expected):
    config = make_config(["textcat"], size=Size.small, vocab_file=str(vocab_file))
    config["initialize"]["components"]["bigbird_textcat"] = {"positive_label": None}
    config["components"]["bigbird"]["model"]["transformer_config"].update(hidden_size=16, num_attention_heads=2)
    config["corpora"]["train"] = config["corpora"]["dev"] = {
        "@readers": "spacy-bigbird.JsonlCorpus.v1",
        "path": "${paths.train}",
    }
    config.to_disk(tmp_path / "config.cfg", interpolate=False)
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "x", "cats": {"LONG": 0, "SHORT": 1}}] * 2)
    arguments = ["bigbird", "check", str(tmp_path / "config.cfg"), "--no-measure", setting]
    arguments += ["--paths.train", str(tmp_path / "train.jsonl")]
    result = CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)
    assert expected in flat(result) and result.exit_code == ("Nothing" not in expected)


def test_a_plot_without_matplotlib_is_refused_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run(folder, "--plot", str(tmp_path / "lengths.png"))
    assert result.exit_code == 1 and "pip install 'spacy-bigbird[plot]'" in flat(result)
    assert "Encoder of" not in flat(result)


def test_heads_that_could_not_be_trained_are_named(vocab_file):
    nlp = make_pipeline(vocab_file, heads=("tagger",))
    assert find_training_problems(nlp, [], []) == []
    nlp.initialize(lambda: make_examples(nlp))
    assert find_training_problems(nlp, [], []) == []
    (problem,) = find_training_problems(nlp, ["bigbird"], [])
    assert "[BB669] Component 'bigbird' is in frozen_components but not in annotating_components" in problem
    assert find_training_problems(nlp, ["bigbird"], ["bigbird"]) == []
    assert find_training_problems(nlp, ["bigbird", "tagger"], []) == []
    fresh = make_pipeline(vocab_file)
    fresh.add_pipe("tagger", source=nlp)
    (problem,) = find_training_problems(fresh, [], [])
    assert "[BB670] Component 'tagger' comes from a saved pipeline, but its encoder 'bigbird' is new" in problem


@pytest.mark.parametrize("case", ["as it should be", "frozen encoder", "new encoder"])
def test_heads_that_could_not_be_trained_stop_spacy_train(case, vocab_file, tmp_path):
    nlp = make_pipeline(vocab_file, heads=("tagger",))
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "saved")
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "train.spacy")
    config = nlp.config
    config["paths"].update(train=str(tmp_path / "train.spacy"), dev=str(tmp_path / "train.spacy"))
    config["training"]["max_steps"] = 1
    config["components"]["tagger"] = {"source": str(tmp_path / "saved")}
    if case != "new encoder":
        config["components"]["bigbird"] = {"source": str(tmp_path / "saved")}
    if case == "frozen encoder":
        config["training"]["frozen_components"] = ["bigbird"]
    if case == "as it should be":
        assert train(init_nlp(config))
    else:
        with pytest.raises(ValueError, match="E203"):
            train(init_nlp(config))


def test_the_summary_repeats_the_findings(folder):
    result = run(folder, "--no-measure", "--corpora.train.max_length=10", '--training.frozen_components=["bigbird"]')
    _, summary = flat(result).split(" Summary ")
    assert "[BB385] Component 'bigbird' is in frozen_components" in summary and "fail: 4" in summary
    assert "4. train: the corpus setting max_length = 10 leaves out" in summary


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("--components.bigbird.model.on_oversize=truncate", 'on_oversize = "truncate" cuts'),
        ("--components.bigbird.model.on_oversize=error", "longer than one window"),
        ("--components.tagger.model.tok2vec.upstream=bigbrid", "Set upstream = 'bigbird'"),
        ("--corpora.train.max_length=10", "leaves out"),
        ("--paths.train=null", "E913"),
        ("--components.bigbird.model.vocab_file=null", "BB137"),
        ('--nlp.pipeline=["tagger"]', "BB381"),
        ("--components.bigbird.model.freeze_layers=2", "BB135"),
        ('--training.frozen_components=["bigbird"]', "BB385"),
        ("--components.bigbird.model.precision=fp16", "precision = 'fp16' is not allowed"),
        ("--components.bigbird.keep_vectors=nix", "keep_vectors = 'nix' is not allowed"),
        ("--components.bigbird.factory=nix", "E002"),
        ("--components.bigbird.model.@architectures=nix", "E893"),
        ('--components.bigbird.model.transformer_config={"hidden_size": 33}', "BB001"),
        ("--training.batcher.size=0", "BB380"),
        ("--nlp.lang=xq", "E048"),
    ],
)
def test_what_would_fail_or_lose_data_is_said_and_fails(folder, override, expected):
    result = run(folder, override, "--no-measure")
    assert result.exit_code == 1 and expected in flat(result), result.output


def test_a_head_without_gold_is_named(folder):
    result = run(folder, "--no-measure", train="train_untagged.spacy")
    assert result.exit_code == 1 and "BB386" in flat(result)
    assert "Component 'tagger' has nothing to learn from: none of the 4 documents" in flat(result)
    # A frozen component does not learn.
    assert "BB386" not in flat(run(folder, "--no-measure", '--training.frozen_components=["tagger"]'))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it has no [nlp] section"),
        (b"[masking]\nrate = 0.15\n", "it has no [nlp] section"),
        (b"\x9c\xff", "it is not UTF-8 text"),
        (b"lang = 1\n", "File contains no section headers"),
        (b"[nlp]\nlang = ${nix.da}\n", "nix"),
        (b'[nlp]\nlang = "en"\npipeline = ["x"]\n[components]\n[components.x]\nsource = "nix"\n', "E050"),
        (b'[nlp]\nlang = "en"\npipeline = ["x"]\n', "E956"),
    ],
)
def test_a_file_that_is_no_config_gets_a_message(tmp_path, content, expected):
    (tmp_path / "config.cfg").write_bytes(content)
    arguments = ["bigbird", "check", str(tmp_path / "config.cfg")]
    result = CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)
    assert result.exit_code == 1 and expected in flat(result), result.output


def test_folders_of_outputs_are_made_and_places_are_looked_at_first(folder, tmp_path):
    lost, plot = tmp_path / "new" / "lost.jsonl", tmp_path / "other" / "plot"
    result = run(folder, "--misaligned", str(lost), "--plot", str(plot), "--no-measure")
    assert result.exit_code == 0, result.output
    assert lost.read_bytes().strip() == b"" and plot.read_bytes().startswith(b"\x89PNG")
    for option, place in (("--plot", plot / "x.png"), ("--misaligned", tmp_path)):
        result = run(folder, option, str(place))
        assert result.exit_code == 1 and "BB319" in flat(result) and "Encoder of" not in result.output


def test_a_gpu_that_is_not_there(folder, monkeypatch):
    def fail(number):
        raise ValueError("No GPU devices detected")

    monkeypatch.setattr("spacy.cli._util.require_gpu", fail)
    result = run(folder, "-g", "0")
    assert result.exit_code == 1 and "GPU 0 cannot be used: No GPU devices detected" in flat(result)


def test_lines_of_a_message_stay_lines(capsys):
    report = CheckReport(Printer())
    report.loss(Errors.BB137)
    printed = capsys.readouterr().out
    assert '\n    vocab_file = "spiece.model"\n    transformer_config = {' in printed
    assert "add to the component's block" in " ".join(printed.split()) and report.losses == [Errors.BB137]
    CheckReport(Printer(no_print=True)).loss("one\ntwo")
    assert capsys.readouterr().out == ""


QUESTIONS_CONFIG = """
[nlp]
lang = "en"
pipeline = ["head"]

[components]

[components.head]
factory = "{factory}"

[components.head.model]
vocab_file = {vocab_file}
name = null
transformer_config = {{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "block_size": 16}}

[corpora]

[corpora.train]
@readers = "{reader}"
path = "{path}"

[corpora.dev]
@readers = "{reader}"
path = "{path}"
"""
CHOICE = {"question": "Who?", "options": ["A", "B"], "answer": 1}


@pytest.mark.parametrize(
    ("factory", "annotated", "expected"),
    [
        ("bigbird_multiple_choice", {"choices": [CHOICE]}, None),
        ("bigbird_multiple_choice", {"choices": [{**CHOICE, "answer": None}]}, "BB386"),
        ("bigbird_multiple_choice", {"choices": [{**CHOICE, "answer": 7}]}, "BB244"),
        ("bigbird_multiple_choice", {"choices": [{"question": "Who?"}]}, "BB244"),
        ("bigbird_span_qa", {}, "none of the 2 documents in the train corpus has doc._.questions"),
        ("bigbird_fill_mask", {}, "none of the 2 documents in the train corpus has doc._.masks"),
        ("bigbird_fill_mask", {"masks": [[0, 3]]}, None),
    ],
)
def test_heads_with_an_encoder_of_their_own_need_gold(vocab_file, tmp_path, factory, annotated, expected):
    install_question_extensions()
    docs = [spacy.blank("en").make_doc(text) for text in toy_texts(2, 3)]
    for doc in docs:
        for name, value in annotated.items():
            doc._.set(name, value)
    path = tmp_path / "train.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    for reader in ("spacy.Corpus.v1", "spacy-bigbird.QuestionCorpus.v1"):
        settings = {"factory": factory, "vocab_file": json.dumps(str(vocab_file)), "reader": reader, "path": path}
        (tmp_path / "config.cfg").write_text(QUESTIONS_CONFIG.format(**settings))
        losses = check(tmp_path / "config.cfg", {}, measure=False, silent=True).losses
        if expected is None:
            assert losses == []
        elif expected == "BB244" and "Question" in reader:
            # This reader leaves them out.
            assert any("BW310" in loss for loss in losses) and any("BB386" in loss for loss in losses)
        else:
            assert any(expected in loss for loss in losses), losses


def test_texts_that_the_reader_leaves_out_are_not_counted_and_do_not_stop_spacy(vocab_file, tmp_path):
    question = {"id": "1", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}
    paragraphs = [{"context": "Anna met Boris.", "qas": [question]}, {"context": "books " * 190_000, "qas": []}]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf8")
    reader = "spacy-bigbird.SquadCorpus.v1"
    settings = {"factory": "bigbird_span_qa", "vocab_file": json.dumps(str(vocab_file)), "reader": reader, "path": path}
    (tmp_path / "config.cfg").write_text(QUESTIONS_CONFIG.format(**settings))
    checked = check(tmp_path / "config.cfg", {}, measure=False, silent=True)
    assert not any("E088" in loss for loss in checked.losses)
    assert all("1 of 2 contexts have more than nlp.max_length" in loss for loss in checked.losses)
    assert [len(lengths) for lengths in checked.lengths.values()] == [1, 1]


def test_a_limit_looks_at_the_first_documents(folder):
    assert "2 documents with" in flat(run(folder, "--limit", "2", "--no-measure"))


def test_texts_beyond_the_tokenizers_limit_are_reported(folder, tmp_path):
    code = tmp_path / "functions.py"
    code.write_text(
        "import spacy\n\n@spacy.registry.callbacks('short.v1')\ndef make():\n"
        "    def shorten(nlp):\n        nlp.max_length = 100\n        return nlp\n    return shorten\n"
    )
    config = (
        folder / "config.cfg"
    ).read_text() + '\n[initialize]\n\n[initialize.before_init]\n@callbacks = "short.v1"\n'
    (tmp_path / "config.cfg").write_text(config)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.spacy").write_bytes((folder / f"{name}.spacy").read_bytes())
    result = run(tmp_path, "--code", str(code), "--no-measure")
    assert result.exit_code == 1 and "nlp.max_length = 100 characters" in flat(result)


def test_histograms_cover_all_lengths():
    lines = histogram([0, 63, 64, 700])
    assert len(lines) == 11 and lines[0].startswith("  0 -  63 ") and lines[0].endswith(" 2")
    assert lines[-1].startswith("640 - 703 ") and lines[-1].endswith(" 1")
    assert [line.split()[-1] for line in lines[1:3]] == ["1", "0"]
    assert len(histogram([100_000])) <= 12


def test_bars_and_durations():
    assert len(bar(1.0)) == 40 and bar(0.0) == "" and bar(1e-9) != "" and len(bar(0.5)) == 20
    assert [duration(1.2), duration(180), duration(9000)] == ["1.2 seconds", "3.0 minutes", "2.5 hours"]
