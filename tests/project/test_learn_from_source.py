"""How the model "small" learns from the encoder that it began as."""

import itertools
import string

import numpy as np
import pytest
import srsly
import torch

from project.models.recipes import learn_from_source
from project.models.recipes.learn_from_source import (
    Lesson,
    Reader,
    Source,
    length_at,
    means_of,
    share_unexplained,
    words_of,
)
from spacy_bigbird.model import BigBirdForMaskedLM, warm_start
from spacy_bigbird.pretraining.masking import PieceTable
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_texts

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def source_folder(tmp_path_factory):
    """A BERT with random weights and a vocabulary of letters."""
    folder = tmp_path_factory.mktemp("source")
    letters = [*string.ascii_letters, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf8")
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def start_folder(source_folder, vocab_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    torch.manual_seed(0)
    fields = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model, _ = warm_start(source_folder, vocab_file, 512, model_class=BigBirdForMaskedLM, **fields)
    model.save_pretrained(folder)
    BigBirdTokenizer(vocab_file).save_vocabulary(folder)
    return folder


@pytest.fixture(scope="module")
def texts_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    srsly.write_jsonl(path, [{"text": text} for text in toy_texts(30)])
    return path


def test_words_are_what_white_space_separates():
    #       0123456789
    text = "ab c-d\n\nef"
    assert words_of(np.array([1, 2, 4, 5, 6, 10]), text).tolist() == [0, 0, 1, 1, 1, 3]


def test_the_state_of_a_word_is_the_mean_of_its_pieces():
    states = torch.tensor([[1.0], [3.0], [5.0], [100.0], [7.0]])
    means, counts = means_of(states, np.array([0, 0, 2, -1, 2]), 4)
    assert means.tolist() == [[2.0], [0.0], [6.0], [0.0]]
    assert counts.tolist() == [2, 0, 2, 0]


def test_share_unexplained():
    wanted = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert share_unexplained(wanted, wanted) == 0
    assert share_unexplained(wanted.mean(0).expand(2, 2), wanted) == 1
    assert share_unexplained(wanted + torch.tensor([1.0, 0.0]), wanted) == pytest.approx(2 / 10)


def test_the_source_reads_a_short_text_at_once(source_folder):
    source = Source(source_folder)
    states, ends = source("ab c")
    expected = transformers.BertModel.from_pretrained(source_folder).eval()(
        **source.tokenizer("ab c", return_tensors="pt")
    )
    torch.testing.assert_close(states, expected.last_hidden_state[0, 1:-1])
    assert ends.tolist() == [1, 2, 4]


def test_the_source_reads_a_long_text_in_windows(source_folder):
    source = Source(source_folder)
    text = " ".join(string.ascii_lowercase * 40)
    states, ends = source(text)
    assert len(states) == len(ends) == 26 * 40
    ids = source.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    # The second window begins with what stands before the pieces that are taken from it.
    first, end = 384 - 63, 768 + 63
    window = torch.tensor([[source.tokenizer.cls_token_id, *ids[first:end], source.tokenizer.sep_token_id]])
    with torch.no_grad():
        expected = source.model(input_ids=window).last_hidden_state[0, 64 : 64 + 384]
    torch.testing.assert_close(states[384:768], expected, atol=1e-5, rtol=1e-4)


def test_a_word_with_a_hidden_piece_is_left_out(vocab_file, texts_file):
    tokenizer = BigBirdTokenizer(vocab_file, map_whitespace=True)
    table = PieceTable.of(tokenizer)
    reader = Reader(texts_file, tokenizer, 0)
    chosen = [reader.next(64) for _ in range(3)]
    lesson = Lesson(chosen, table, key=0)
    words = np.concatenate(lesson.words)
    assert len(words) == len(lesson.ids) == sum(lesson.lengths)
    assert (words[lesson.places] == -1).all()
    # A pass over what is left: no hidden piece's word, and all others.
    first = 0
    for (text, pieces), length in zip(chosen, lesson.lengths, strict=True):
        numbers = words_of(pieces.offsets[:, 1], text)
        places = lesson.places[(lesson.places >= first) & (lesson.places < first + length)] - first - 1
        hidden = set(numbers[places])
        kept = words[first + 1 : first + length - 1]
        assert kept.tolist() == [-1 if number in hidden else number for number in numbers]
        assert words[first] == words[first + length - 1] == -1
        first += length


def test_samples_are_the_texts(vocab_file, texts_file):
    tokenizer = BigBirdTokenizer(vocab_file, map_whitespace=True)
    texts = [record["text"] for record in srsly.read_jsonl(texts_file)]
    reader = Reader(texts_file, tokenizer, 28)
    seen: dict[int, list[int]] = {}
    for length in itertools.cycle((32, 20, 64)):
        text, pieces = reader.next(length)
        if reader.read > 31:
            break
        assert len(pieces) <= length - 2 and len(text) == pieces.offsets[-1, 1]
        seen.setdefault(reader.read, []).extend(pieces.ids.tolist())
    # The first comes again after the last.
    assert seen == {29: _ids(tokenizer, texts[28]), 30: _ids(tokenizer, texts[29]), 31: _ids(tokenizer, texts[0])}


def test_lengths_take_turns_or_halve_the_steps():
    assert [length_at(step, 6, [512, 4096]) for step in range(6)] == [512] * 3 + [4096] * 3
    assert [length_at(step, 6, [512, 1024, 4096]) for step in range(6)] == [512, 1024, 4096] * 2


def _ids(tokenizer, text):
    return tokenizer.text_ids([text])[0].tolist()


def test_what_is_missing_or_empty_is_named(source_folder, start_folder, texts_file, tmp_path, capsys):
    paths = [str(path) for path in (source_folder, start_folder, texts_file, tmp_path / "output")]
    for place in range(3):
        with pytest.raises(SystemExit):
            learn_from_source.main([*paths[:place], str(tmp_path / "nowhere"), *paths[place + 1 :]])
        assert "nowhere does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        learn_from_source.main([*paths, "--skip", "-5"])
    assert "--skip is -5, expected 0 or more" in capsys.readouterr().err
    (tmp_path / "empty.jsonl").write_text("", encoding="utf8")
    with pytest.raises(ValueError, match=r"empty\.jsonl holds no text"):
        learn_from_source.main([*paths[:2], str(tmp_path / "empty.jsonl"), paths[3]])


def test_the_model_comes_nearer_and_goes_on_where_it_was_stopped(
    source_folder, start_folder, texts_file, tmp_path, monkeypatch
):
    for name, value in {"BATCH_PIECES": 256, "LOG_EVERY": 1, "SAVE_EVERY": 10}.items():
        monkeypatch.setattr(learn_from_source, name, value)
    paths = [str(path) for path in (source_folder, start_folder, texts_file, tmp_path)]
    options = ["--steps", "40", "--lengths", "64", "128", "--rate", "1e-3", "--new-rate", "3e-3"]
    losses, calls = Lesson.losses, []

    def killed(self, *arguments):
        calls.append(1)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return losses(self, *arguments)

    monkeypatch.setattr(Lesson, "losses", killed)
    with pytest.raises(KeyboardInterrupt):
        learn_from_source.main([*paths, *options])
    assert not (tmp_path / "model.safetensors").exists()
    learn_from_source.main([*paths, *options])
    log = list(srsly.read_jsonl(tmp_path / "log.jsonl"))
    assert [line["step"] for line in log] == list(range(1, 41))
    # 24 steps, the last four of which were done again.
    assert len(calls) == 25 + 20
    assert {line["length"] for line in log[:20]} == {64} and {line["length"] for line in log[20:]} == {128}
    missed = [line["source_missed"] for line in log]
    assert np.mean(missed[-5:]) < 0.8 * np.mean(missed[:5])
    assert np.mean([line["loss"] for line in log[-5:]]) < np.mean([line["loss"] for line in log[:5]])
    learn_from_source.main([*paths, *options, "--steps", "42"])
    assert [line["step"] for line in srsly.read_jsonl(tmp_path / "log.jsonl")] == list(range(1, 43))
    model = BigBirdForMaskedLM.from_pretrained(tmp_path)
    assert model.config.vocab_size == BigBirdTokenizer.from_pretrained(tmp_path).vocab_size


def test_texts_of_an_earlier_run_are_skipped(source_folder, start_folder, texts_file, tmp_path, monkeypatch):
    monkeypatch.setattr(learn_from_source, "BATCH_PIECES", 64)
    paths = [str(path) for path in (source_folder, start_folder, texts_file, tmp_path)]
    learn_from_source.main([*paths, "--steps", "1", "--lengths", "64", "64", "--skip", "9"])
    assert torch.load(tmp_path / learn_from_source.STATE, weights_only=True)["read"] == 10
