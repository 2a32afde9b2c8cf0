"""BigBirdTokenizer: ids as transformers', offsets that slice the text, special strings as plain text, saving."""

import json
import pickle
from types import SimpleNamespace

import pytest
import sentencepiece
import transformers

from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_text, toy_texts
from .hard_texts import HARD_TEXTS, assert_offsets_slice_the_text, google_like_model


def test_special_strings_in_a_text_are_plain_text(tokenizer):
    text = "a [SEP] b </s> <s> [CLS] [MASK] <pad> <unk> <unused_5> [UNK]"
    ids = tokenizer(text).ids[1:-1]
    assert all(index >= 100 for index in ids)
    assert_offsets_slice_the_text(tokenizer, text)


def test_google_pieces_that_a_text_could_spell():
    """Google's vocabulary defines its marks as user-defined pieces; words that were defined so stay whole."""
    model = google_like_model()
    spelled = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert spelled.encode("a [SEP] <s>")[1:] != BigBirdTokenizer(model)("a [SEP] <s>").ids[2:-1]
    tokenizer = BigBirdTokenizer(model)
    assert [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id] == [65, 66, 2]
    assert not {2, 4, 65, 66, 67} & set(tokenizer("a [SEP] [CLS] <s> <len_4> [MASK]").ids[1:-1])
    assert tokenizer.convert_tokens_to_ids("wholeword") in tokenizer("some wholeword here").ids
    assert tokenizer.to_bytes() == model


def test_batch_equals_single_texts_whatever_the_threads(tokenizer):
    texts = [*toy_texts(20), *HARD_TEXTS]
    single = [tokenizer(text) for text in texts]
    for num_threads in (-1, 1, 3):
        for one, other in zip(single, tokenizer.batch(texts, num_threads=num_threads), strict=True):
            assert one.ids == other.ids and one.offsets == other.offsets
    ids = tokenizer.text_ids(texts)
    assert [row.tolist() for row in ids] == [encoding.ids[1:-1] for encoding in single]
    pairs = tokenizer.batch(iter(texts), reversed(texts))
    assert [pair.ids for pair in pairs] == [tokenizer(*both).ids for both in zip(texts, reversed(texts), strict=True)]
    assert tokenizer.batch([]) == [] == tokenizer.text_ids([])
    with pytest.raises(ValueError, match="number of pairs = 1"):
        tokenizer.batch(["a", "b"], ["c"])


def test_encoding_without_special_tokens(tokenizer):
    encoding = tokenizer("Anna signs", "Thomas reads", add_special_tokens=False)
    first, second = tokenizer.text_pieces(["Anna signs", "Thomas reads"])
    assert encoding.ids == [*first.ids, *second.ids]
    assert encoding.token_type_ids == [0] * len(first) + [1] * len(second)
    assert encoding.special_tokens_mask == [0] * len(encoding)
    assert encoding.offsets == [tuple(span) for span in [*first.offsets.tolist(), *second.offsets.tolist()]]


def test_pad(tokenizer, slow):
    texts = [("Anna", "signs the contract"), ("a", "b")]
    batch = tokenizer.pad([tokenizer(*pair) for pair in texts])
    expected = slow([a for a, _ in texts], [b for _, b in texts], padding=True, return_token_type_ids=True)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert batch[name].tolist() == expected[name]
    assert tokenizer.pad([[65, 66]], max_length=4)["input_ids"].tolist() == [[65, 66, 0, 0]]
    assert tokenizer.pad([[65, 300, 66]], pad_to_multiple_of=64)["attention_mask"].sum(dim=1).tolist() == [3]
    assert tokenizer.pad([[65, 300, 66]], pad_to_multiple_of=64)["input_ids"].shape == (1, 64)
    assert tokenizer.pad([])["input_ids"].shape == (0, 0)
    with pytest.raises(ValueError, match=r"max_length = 2 .* 3 or more"):
        tokenizer.pad([[65, 300, 66]], max_length=2)


def test_save_load_and_pickle(tmp_path, vocab_file):
    tokenizer = BigBirdTokenizer(vocab_file, allow_special=True, map_whitespace=True, cls_token="<s>")
    (path,) = tokenizer.save_vocabulary(tmp_path / "new", filename_prefix="my")
    assert path.endswith("my-spiece.model")
    (path,) = tokenizer.save_vocabulary(tmp_path / "new")
    assert (tmp_path / "new" / "spiece.model").read_bytes() == vocab_file.read_bytes()
    loaded = BigBirdTokenizer.from_pretrained(
        tmp_path / "new", allow_special=True, map_whitespace=True, cls_token="<s>"
    )
    copied = pickle.loads(pickle.dumps(tokenizer))
    text = "Anna [SEP]\nsigns"
    assert (
        tokenizer(text).ids
        == loaded(text).ids
        == copied(text).ids
        == BigBirdTokenizer(tokenizer.to_bytes(), allow_special=True, map_whitespace=True, cls_token="<s>")(text).ids
    )
    assert copied.cls_token_id == 2 and copied(text).ids[0] == 2


def test_sampling(vocab_file):
    settings = {"enable_sampling": True, "nbest_size": -1, "alpha": 0.1}
    tokenizer = BigBirdTokenizer(vocab_file, sp_model_kwargs=settings)
    text = toy_text(1)
    spelled = [tokenizer(text) for _ in range(5)]
    assert len({tuple(encoding.ids) for encoding in spelled}) > 1
    assert {tokenizer.decode(encoding.ids, skip_special_tokens=True) for encoding in spelled} == {text}
    assert_offsets_slice_the_text(tokenizer, text)
    copied = pickle.loads(pickle.dumps(tokenizer))
    assert len({tuple(copied(text).ids) for _ in range(5)}) > 1
    with pytest.raises(ValueError, match="add_bos"):
        BigBirdTokenizer(vocab_file, sp_model_kwargs={"add_bos": True})


def test_bad_files_and_arguments(tmp_path, vocab_file):
    with pytest.raises(FileNotFoundError, match=r"spiece\.model"):
        BigBirdTokenizer(tmp_path / "none.model")
    with pytest.raises(FileNotFoundError, match=r"no vocabulary at .*spiece\.model"):
        BigBirdTokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"python -m spacy_bigbird\.tokenizer\.convert"):
        BigBirdTokenizer.from_pretrained(tmp_path)
    for number, content in enumerate([b"", b"version https://git-lfs", vocab_file.read_bytes()[:5000], b"\x00" * 100]):
        path = tmp_path / f"{number}.model"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{number}.model is not a SentencePiece model"):
            BigBirdTokenizer(path)
    with pytest.raises(ValueError, match=r"has no piece \[NONE\]"):
        BigBirdTokenizer(vocab_file, cls_token="[NONE]")
    tokenizer = BigBirdTokenizer(vocab_file)
    with pytest.raises(TypeError, match=r"given a list\. Expected str"):
        tokenizer(["a"])
    with pytest.raises(ValueError, match="truncation = 'middle'"):
        tokenizer("a b c d e", truncation="middle", max_length=4)
    with pytest.raises(ValueError, match="truncation = 'middle'"):
        tokenizer("short enough", truncation="middle", max_length=400)
    with pytest.raises(ValueError, match="max_length = None"):
        tokenizer("a", truncation=True)
    with pytest.raises(ValueError, match=r"max_length = 5 .*truncation=True"):
        tokenizer("nothing would be cut of this", max_length=5)
    for arguments in (("one text",), (["one text"], "another")):
        with pytest.raises(TypeError, match=r"given a str\. Expected several"):
            tokenizer.batch(*arguments)


class OlderSentencePiece:
    """Gives ids and character offsets as sentencepiece 0.2.1 and older do."""

    def __init__(self, processor):
        self.processor = processor

    def encode(self, texts, out_type=int, num_threads=-1):
        if out_type is int:
            return self.processor.encode(texts, num_threads=num_threads)
        assert out_type == "immutable_proto"
        found = self.processor.encode(texts, out_type="offset_mapping")
        return [
            SimpleNamespace(
                pieces=[
                    SimpleNamespace(id=index, begin=begin, end=end)
                    for index, (begin, end) in zip(one["ids"], one["offsets"], strict=True)
                ]
            )
            for one in found
        ]


def test_older_sentencepiece_gives_the_same(vocab_file, tokenizer):
    older = BigBirdTokenizer(vocab_file)
    processor = older._processor
    if not processor._offsets_as_lists:
        pytest.skip("this is an older sentencepiece already")
    processor._plain, processor._offsets_as_lists = OlderSentencePiece(processor._plain), False
    texts = [*toy_texts(3), *HARD_TEXTS]
    for one, other in zip(older.batch(texts), tokenizer.batch(texts), strict=True):
        assert one.ids == other.ids and one.offsets == other.offsets
    assert [row.tolist() for row in older.text_ids(texts)] == [row.tolist() for row in tokenizer.text_ids(texts)]


def test_google_vocabulary_on_real_documents(data_dir):
    path = str(data_dir / "vocab" / "gpt2.model")
    tokenizer = BigBirdTokenizer(path)
    slow, fast = transformers.BigBirdTokenizer(path), transformers.BigBirdTokenizerFast(path)
    special = [tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.cls_token_id]
    assert [*special, tokenizer.sep_token_id, tokenizer.mask_token_id, tokenizer.unk_token_id] == [
        *(0, 1, 2, 65),
        *(66, 67, 100),
    ]
    lines = (data_dir / "mini_fixtures" / "mlm_text.jsonl").read_text(encoding="utf8").splitlines()[:6]
    for text in (json.loads(line)["text"] for line in lines):
        encoding = tokenizer(text)
        assert encoding.ids == slow(text).input_ids == fast(text).input_ids
        covered = assert_offsets_slice_the_text(tokenizer, text)
        assert {n for n, character in enumerate(text) if not character.isspace()} <= covered
    assert all(index > 100 for index in tokenizer("a [SEP] <s> </s> <unused_34> <::::> [CLS]").ids[1:-1])
