"""The command train-vocab: the vocabulary of a direct training, the report, and what goes wrong."""

import gzip
import json

import pytest
import sentencepiece
from spacy.cli import app
from typer.testing import CliRunner

from spacy_bigbird.cli.train_vocab import report_on, train_vocab
from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.train import train_vocabulary

from ..toy_text import toy_texts


@pytest.fixture
def corpus(tmp_path):
    texts = toy_texts(40)
    folder = tmp_path / "corpus"
    folder.mkdir()
    with gzip.open(folder / "a.jsonl.gz", "wt", encoding="utf8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts[:20])
    (folder / "b.txt").write_text("\n".join(texts[20:]), encoding="utf8")
    return folder, texts


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_command_equals_a_direct_training(tmp_path, corpus, model_type):
    folder, texts = corpus
    output = tmp_path / "new" / "vocab"
    arguments = ["bigbird", "train-vocab", str(folder / "a.jsonl.gz"), str(folder / "b.txt"), str(output)]
    result = CliRunner().invoke(app, [*arguments, "--vocab-size", "300", "-l", "--model-type", model_type])
    assert result.exit_code == 0, result.output
    assert (output / "spiece.model").read_bytes() == train_vocabulary(texts, 300, model_type=model_type)
    assert BigBirdTokenizer.from_pretrained(output).vocab_size == 300
    assert "Pieces per word" in result.output and "Vocabulary trained on 40 documents" in result.output
    again = CliRunner().invoke(app, [*arguments, "--vocab-size", "300", "-l"])
    assert again.exit_code == 1 and "BB303" in again.output
    assert CliRunner().invoke(app, [*arguments, "-n", "310", "-l", "-F", "-q"]).output == ""
    assert BigBirdTokenizer.from_pretrained(output).vocab_size == 310


def test_report_counts_what_sentencepiece_gives(tmp_path, corpus):
    folder, texts = corpus
    report = train_vocab([folder], tmp_path, 400, one_per_line=True, character_coverage=0.98)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    pieces = [processor.encode(text) for text in texts]
    words = [word for text in texts for word in text.split()]
    assert report.documents == 40 and report.words == len(words)
    assert report.pieces_per_word == pytest.approx(sum(map(len, pieces)) / len(words))
    assert 0 < report.unknown_rate == pytest.approx(sum(row.count(100) for row in pieces) / sum(map(len, pieces)))
    longest = max(len(processor.encode(word)) for word in words)
    assert report.longest_words[0][1] == longest and len(report.longest_words) == 10
    assert all(len(processor.encode(word)) == number for word, number in report.longest_words)
    assert all(any(part in text for text in texts) for part, _ in report.unknown)


def test_report_of_strange_texts(vocab_file):
    report = report_on(vocab_file.read_bytes(), ["ж ж\n", "", "\n", "the " + "x" * 900], 4)
    assert report.words == 4 and report.unknown == [("ж", 2)]
    assert report.longest_words[0] == ("x" * 900, len(BigBirdTokenizer(vocab_file)("x" * 900)) - 2)
    assert report_on(vocab_file.read_bytes(), [], 0).unknown_rate == 0


def test_large_corpora_are_sampled_for_the_report(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_bigbird.cli.train_vocab.SAMPLED_TEXTS", 5)
    (tmp_path / "a.txt").write_text("\n".join(toy_texts(30)), encoding="utf8")
    report = train_vocab([tmp_path / "a.txt"], tmp_path, 250, one_per_line=True)
    assert report.documents == 30
    assert report.words < len((tmp_path / "a.txt").read_text(encoding="utf8").split()) / 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-n", "50"], "BB020"),
        (["-n", "90000"], "BB021"),
        (["-n", "300", "--model-type", "char"], "BB020"),
        (["-n", "300", "--normalization", "foo"], '"nmt_nfkc" or "nfkc"'),
        (["-n", "300", "-c", "7"], "0.98 to 1.0"),
        (["-n", "105", "-c", "1"], "Expected at least"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(tmp_path, corpus, options, said):
    result = CliRunner().invoke(app, ["bigbird", "train-vocab", str(corpus[0]), str(tmp_path), *options])
    assert result.exit_code == 1 and said in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "spiece.model").exists()


def test_a_broken_line_is_told_without_advice_on_the_vocabulary(tmp_path, corpus):
    with (tmp_path / "bad.jsonl").open("w", encoding="utf8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in corpus[1])
        file.write("{broken")
    result = CliRunner().invoke(
        app, ["bigbird", "train-vocab", str(tmp_path / "bad.jsonl"), str(tmp_path), "-n", "300"]
    )
    output = " ".join(result.output.split())
    assert result.exit_code == 1 and "BB302" in output and "line 41" in output
    assert "BB021" not in output and "INTERNAL" not in output


@pytest.mark.parametrize("place", ["a_file", "a_file/inner"])
def test_a_place_that_cannot_be_written_is_told_before_texts_are_read(tmp_path, corpus, monkeypatch, place):
    (tmp_path / "a_file").write_text("mine", encoding="utf8")
    monkeypatch.setattr("spacy_bigbird.corpora.text_files.read_texts", None)
    arguments = ["bigbird", "train-vocab", str(corpus[0]), str(tmp_path / place), "-n", "300", "--force"]
    result = CliRunner().invoke(app, arguments)
    output = " ".join(result.output.split())
    assert result.exit_code == 1 and "BB319" in output and "a_file is a file" in output
    assert (tmp_path / "a_file").read_text(encoding="utf8") == "mine"


def test_nothing_is_made_where_texts_or_settings_are_wrong(tmp_path, corpus):
    (tmp_path / "vocab" / "spiece.model").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"BB319.*it is a folder"):
        train_vocab([corpus[0]], tmp_path / "vocab", 300, force=True)
    with pytest.raises(FileNotFoundError, match="BB300"):
        train_vocab([tmp_path / "nothing"], tmp_path / "new", 300)
    with pytest.raises(ValueError, match="BB020"):
        train_vocab([corpus[0]], tmp_path / "new", 300, character_coverage=0.5)
    assert not (tmp_path / "new").exists()
