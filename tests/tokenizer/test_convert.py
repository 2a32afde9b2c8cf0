"""spiece.model from tokenizer.json: the same pieces for the same texts."""

import json
import subprocess
import sys

import pytest
import transformers

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.convert import write_spiece_model
from spacy_bigbird.tokenizer.train import train_vocabulary

from ..toy_text import toy_texts


@pytest.mark.parametrize("normalization", ["identity", "nmt_nfkc"])
def test_same_vocabulary_and_pieces(tmp_path, normalization):
    settings = {"normalization": normalization, "character_coverage": 1.0, "num_threads": 1}
    original = tmp_path / "original" / "spiece.model"
    original.parent.mkdir()
    original.write_bytes(train_vocabulary(toy_texts(30), 400, **settings))
    transformers.BigBirdTokenizerFast(str(original)).save_pretrained(tmp_path)
    (tmp_path / "spiece.model").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="this command converts"):
        BigBirdTokenizer.from_pretrained(tmp_path)
    assert write_spiece_model(tmp_path) == tmp_path / "spiece.model"
    converted, before = BigBirdTokenizer.from_pretrained(tmp_path), BigBirdTokenizer(original)
    assert converted.get_vocab() == before.get_vocab()
    assert converted.all_special_ids == before.all_special_ids
    texts = [*toy_texts(10), "the \ufb01rst \u00bd [SEP] \U0001f600  two", ""]
    assert [one.ids for one in converted.batch(texts)] == [one.ids for one in before.batch(texts)]
    assert [one.offsets for one in converted.batch(texts)] == [one.offsets for one in before.batch(texts)]


def test_the_line_in_the_message_works(tmp_path, vocab_file):
    transformers.BigBirdTokenizerFast(str(vocab_file)).save_pretrained(tmp_path)
    (tmp_path / "spiece.model").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError) as raised:
        BigBirdTokenizer.from_pretrained(tmp_path)
    line = str(raised.value).split("converts it to spiece.model: ")[1].split()
    assert line[0] == "python"
    subprocess.run([sys.executable, *line[1:]], check=True, capture_output=True)
    assert (
        BigBirdTokenizer.from_pretrained(tmp_path)("Anna signs").ids == BigBirdTokenizer(vocab_file)("Anna signs").ids
    )


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", json.dumps({"model": {"type": "WordPiece", "vocab": {}}}), json.dumps({"model": {"vocab": [1]}})],
)
def test_other_files_are_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r"cannot be converted to a spiece\.model: FileNotFoundError"):
        write_spiece_model(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json cannot be converted to a spiece\.model"):
        write_spiece_model(tmp_path)
    assert not (tmp_path / "spiece.model").exists()
