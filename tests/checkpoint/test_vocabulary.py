"""Pieces of one vocabulary found in another by their text."""

import json

import pytest

from spacy_bigbird.checkpoint.vocabulary import (
    bpe_vocabulary,
    read_vocabulary,
    sentencepiece_vocabulary,
    wordpiece_vocabulary,
)

WORDPIECE = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s", "play", "##ing", ",", "cafe", "p", "##x", "##"]
# "é" is two bytes, "Ã" and "©" in byte-level BPE; "Ċ" is a line break.
BPE = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "<mask>",
    "Ġthe",
    "s",
    "Ġplay",
    "ing",
    ",",
    "Ã",
    "©",
    "Ã©",
    "Ċ",
    "Ġ",
    "the",
    "p",
]


def ids(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(pieces)}


@pytest.mark.parametrize(
    "piece, parts, how",
    [
        ("▁the", ["the"], "copied"),
        ("s", ["##s"], "copied"),
        ("▁playing", ["play", "##ing"], "averaged"),
        ("▁The", ["the"], "copied"),
        ("▁Café", ["cafe"], "copied"),
        (",", [","], "copied"),
        ("▁,", [","], "copied"),
        ("the", ["the"], "averaged"),
        ("▁xs", ["##x", "##s"], "averaged"),
        ("▁", ["[UNK]"], "unknown"),
        ("漢", ["[UNK]"], "unknown"),
        ("s漢s", ["##s", "##s"], "averaged"),
        ("##", ["##"], "copied"),
        ("[CLS]", ["[CLS]"], "copied"),
        ("<s>", ["[CLS]"], "copied"),
        ("</s>", ["[SEP]"], "copied"),
        ("<pad>", ["[PAD]"], "copied"),
        ("<unk>", ["[UNK]"], "copied"),
    ],
)
def test_wordpiece(piece, parts, how):
    vocabulary = wordpiece_vocabulary(ids(WORDPIECE))
    assert vocabulary.ids_of(piece) == ([WORDPIECE.index(part) for part in parts], how)


def test_a_cased_vocabulary_keeps_case_and_accents():
    vocabulary = wordpiece_vocabulary(ids(["[UNK]", "The", "the", "é"]))
    assert vocabulary.ids_of("▁The") == ([1], "copied")
    assert vocabulary.ids_of("▁é") == ([3], "copied")
    assert vocabulary.ids_of("▁THE") == ([0], "unknown")


@pytest.mark.parametrize(
    "piece, parts, how",
    [
        ("▁the", ["Ġthe"], "copied"),
        ("the", ["the"], "copied"),
        ("é", ["Ã©"], "copied"),
        ("\n", ["Ċ"], "copied"),
        ("▁", ["Ġ"], "copied"),
        ("▁playing,s", ["Ġplay", "ing", ",", "s"], "averaged"),
        ("play", ["Ġplay"], "averaged"),
        ("▁s", ["s"], "averaged"),
        ("éà", ["Ã©", "Ã"], "averaged"),
        ("漢", ["<unk>"], "unknown"),
        ("[CLS]", ["<s>"], "copied"),
        ("[SEP]", ["</s>"], "copied"),
        ("[MASK]", ["<mask>"], "copied"),
    ],
)
def test_byte_level_bpe(piece, parts, how):
    vocabulary = bpe_vocabulary(ids(BPE))
    assert vocabulary.ids_of(piece) == ([BPE.index(part) for part in parts], how)


def test_every_byte_has_its_letter_in_gpt2_order():
    vocabulary = bpe_vocabulary(ids([*(chr(code) for code in range(256 + 68))]))
    assert len(vocabulary.texts) == 256
    assert set(vocabulary.texts) == {bytes([byte]) for byte in range(256)}
    assert vocabulary.texts[b"\x00"] == 256
    assert vocabulary.texts[b" "] == ord("Ġ")
    assert vocabulary.texts[b"\xad"] == 256 + 67


def test_sentencepiece():
    vocabulary = sentencepiece_vocabulary(ids(["<unk>", "▁the", "s", "▁"]))
    assert vocabulary.ids_of("▁the") == ([1], "copied")
    assert vocabulary.ids_of("▁thes") == ([1, 2], "averaged")
    assert vocabulary.ids_of("▁") == ([3], "copied")


def test_a_special_piece_is_no_text():
    vocabulary = wordpiece_vocabulary(ids(["[UNK]", "[CLS]", "a"]))
    assert vocabulary.ids_of("▁[CLS]") == ([0], "unknown")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_vocab_txt(line_end, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((line_end.join(WORDPIECE) + line_end).encode("utf8"))
    assert read_vocabulary(tmp_path) == wordpiece_vocabulary(ids(WORDPIECE))


def test_vocab_json(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps(ids(BPE)), encoding="utf8")
    assert read_vocabulary(tmp_path) == bpe_vocabulary(ids(BPE))


@pytest.mark.parametrize("pieces, build", [(WORDPIECE, wordpiece_vocabulary), (BPE, bpe_vocabulary)])
def test_tokenizer_json(pieces, build, tmp_path):
    kind = "WordPiece" if pieces is WORDPIECE else "BPE"
    added = [{"id": 0, "content": pieces[0]}]
    content = {"model": {"type": kind, "vocab": ids(pieces[1:]) | ids(pieces)}, "added_tokens": added}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf8")
    assert read_vocabulary(tmp_path) == build(ids(pieces))


def test_tokenizer_json_of_unigram_pieces(tmp_path):
    content = {"model": {"type": "Unigram", "vocab": [["<s>", 0.0], ["▁the", -1.5]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf8")
    vocabulary = read_vocabulary(tmp_path)
    assert vocabulary.ids_of("▁the") == ([1], "copied")
    assert vocabulary.ids_of("[CLS]") == ([0], "copied")


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"model": {}}', "3", '{"model": {"vocab": [1]}}'])
@pytest.mark.parametrize("name", ["vocab.json", "tokenizer.json"])
def test_what_is_no_vocabulary_is_refused(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"BB055.*{name} cannot be read: not a vocabulary"):
        read_vocabulary(tmp_path)


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"BB059.*vocab\.json, vocab\.txt, tokenizer\.json"):
        read_vocabulary(tmp_path)
