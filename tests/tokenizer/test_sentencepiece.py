"""BigBirdTokenizer: ids as transformers', offsets that slice the text, special strings as plain text, saving."""

import io
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import sentencepiece
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.train import train_vocabulary

from ..toy_text import toy_text, toy_texts

HARD_TEXTS = [
    "",
    " ",
    "\n\n\n",
    "  Hello,  world!  ",
    "tabs\tand\nlines\r\n\r\nand no-break\u00a0spaces",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 and flags \U0001f1eb\U0001f1f7!",
    "cafe\u0301 na\u0131\u0308ve e\u0301e\u0301",
    "\ufb01nd the o\ufb03ce \u00bd a \u00bd \u2167 \ufdfa \u337f",
    "full\uff37idth \uff11\uff12",
    "zero\u200bwidth \u200d joiner \ufeff mark",
    "control\x00 \x01\x7f\x85 characters",
    "x" * 900 + " " + "y" * 900,
    " ".join(["a"] * 500),
    "\n" * 1000 + "end",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u65e5\u672c\u8a9e\u306e\u6587\u7ae0",
    "\u2581 \u2581a",
    "\ufffd \ufffdx\ufffd",
    "half a pair \ud83d here",
]


@pytest.fixture(scope="session")
def tokenizer(vocab_file):
    return BigBirdTokenizer(vocab_file)


@pytest.fixture(scope="session")
def normalising():
    """A vocabulary that changes the text first: NFKC and more."""
    return BigBirdTokenizer(train_vocabulary(toy_texts(50), 500, character_coverage=1.0, num_threads=1))


@pytest.fixture(scope="session")
def slow(vocab_file):
    return transformers.BigBirdTokenizer(str(vocab_file))


@pytest.fixture(scope="session")
def fast(slow):
    return transformers.BigBirdTokenizerFast(slow.vocab_file)


def google_like_model() -> bytes:
    marks = [f"<len_{index}>" for index in range(3, 65)] + ["[CLS]", "[SEP]", "[MASK]"]
    marks = ["<s>", *marks, *(f"<unused_{index}>" for index in range(68, 100))]
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(toy_texts(30)),
        model_writer=writer,
        vocab_size=400,
        user_defined_symbols=[*marks, "wholeword"],
        pad_id=0,
        eos_id=1,
        bos_id=-1,
        unk_id=100,
        num_threads=1,
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return writer.getvalue()


def assert_offsets_slice_the_text(tokenizer, text):
    (pieces,) = tokenizer.text_pieces([text])
    assert pieces.offsets.shape == (len(pieces.ids), 2)
    previous = (0, 0)
    covered = set()
    for index, (start, end) in zip(pieces.ids.tolist(), pieces.offsets.tolist(), strict=True):
        assert previous[0] <= start and previous[1] <= end and 0 <= start <= end <= len(text)
        part = text[start:end]
        assert part == part.strip() or not part.strip(), "white space is trimmed unless there is nothing else"
        piece = tokenizer.convert_ids_to_tokens(index)
        if piece.strip("\u2581"):
            assert part, "only a mark of a word's start stands for no character"
        covered.update(range(start, end))
        previous = (start, end)
    return covered


@pytest.mark.parametrize("text", HARD_TEXTS, ids=lambda text: repr(text[:20]))
def test_offsets_of_hard_texts(tokenizer, normalising, text):
    covered = assert_offsets_slice_the_text(tokenizer, text)
    assert_offsets_slice_the_text(normalising, text)
    # This vocabulary changes no character; only U+2581 is a space to SentencePiece.
    assert {n for n, character in enumerate(text) if not character.isspace() and character != "\u2581"} <= covered


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_offsets_of_any_text(tokenizer, normalising, text):
    covered = assert_offsets_slice_the_text(tokenizer, text)
    assert_offsets_slice_the_text(normalising, text)
    assert {n for n, character in enumerate(text) if not character.isspace() and character != "\u2581"} <= covered


def test_pieces_spell_what_their_offsets_cut_out(tokenizer):
    for text in toy_texts(20):
        encoding = tokenizer(text)
        for piece, (start, end), special in zip(
            encoding.pieces, encoding.offsets, encoding.special_tokens_mask, strict=True
        ):
            if not special and piece != "\u2581":
                assert text[start:end] == piece.strip("\u2581")


def test_characters_of_a_ligature_and_a_fraction(normalising):
    text = "a \ufb01 \u00bd"
    (pieces,) = normalising.text_pieces([text])
    found = [text[start:end] for start, end in pieces.offsets.tolist()]
    assert {part.strip() for part in found} - {""} == {"a", "\ufb01", "\u00bd"}
    assert found.count("\u00bd") == 3, "1, a slash and 2"


def test_ids_equal_transformers(tokenizer, slow, fast):
    for text in [*toy_texts(30), *HARD_TEXTS[:-1]]:
        ids = tokenizer(text).ids
        assert ids == slow(text).input_ids, repr(text)
        # The fast tokenizer drops lone line breaks, and does not know that U+2581 is a space to SentencePiece.
        if text.strip() and "\u2581" not in text:
            assert ids == fast(text).input_ids, repr(text)
    pair = ("Anna signs?", toy_text(3))
    encoding = tokenizer(*pair)
    expected = fast(*pair, return_special_tokens_mask=True, return_token_type_ids=True)
    assert encoding.ids == expected.input_ids == slow(*pair).input_ids
    assert encoding.token_type_ids == expected.token_type_ids
    assert encoding.special_tokens_mask == expected.special_tokens_mask


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581<[]>"), max_size=40))
@settings(max_examples=60, deadline=None)
def test_ids_of_any_text_equal_transformers(tokenizer, slow, text):
    assert tokenizer(text).ids == slow(text).input_ids


@pytest.mark.parametrize("strategy", ["longest_first", "only_second", "only_first"])
@pytest.mark.parametrize("max_length", [24, 25, 30, 41, 60, 400])
def test_truncation_equals_transformers(tokenizer, slow, strategy, max_length):
    texts = [toy_text(1, 1), toy_text(2, 2)]
    lengths = [len(tokenizer(text).ids) - 2 for text in texts]
    for first, second in (texts, texts[::-1], [texts[0], texts[0]]):
        cut = second if strategy == "only_first" else first
        if strategy != "longest_first" and len(tokenizer(cut).ids) + 2 > max_length:
            with pytest.raises(ValueError, match="do not fit"):
                tokenizer(first, second, truncation=strategy, max_length=max_length)
            continue
        expected = slow(first, second, truncation=strategy, max_length=max_length, return_token_type_ids=True)
        encoding = tokenizer(first, second, truncation=strategy, max_length=max_length)
        assert encoding.ids == expected.input_ids
        assert encoding.token_type_ids == expected.token_type_ids
        assert len(encoding) == len(encoding.offsets) <= max_length
    assert min(lengths) > 5
    alone = tokenizer(texts[1], truncation=True, max_length=max_length).ids
    assert alone == slow(texts[1], truncation=True, max_length=max_length).input_ids


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


@pytest.mark.parametrize("google", [False, True])
def test_allow_special_equals_transformers(tmp_path, vocab_file, google):
    path = tmp_path / "spiece.model"
    path.write_bytes(google_like_model() if google else vocab_file.read_bytes())
    slow = transformers.BigBirdTokenizer(str(path))
    tokenizer = BigBirdTokenizer(path, allow_special=True)
    for text in [
        "Anna [SEP] signs the [MASK] .",
        "[CLS]here[SEP]",
        "</s><s> <pad>the <unk>",
        "a <len_4> b",
        "no mark",
        "[MASK]",
        "",
    ]:
        encoding = tokenizer(text)
        assert encoding.ids == slow(text).input_ids, text
        for piece, (start, end) in zip(encoding.pieces[1:-1], encoding.offsets[1:-1], strict=True):
            if piece in tokenizer.all_special_tokens and piece != "<unk>":
                assert text[start:end] == piece
    assert tokenizer.text_ids(["a [SEP]"])[0].tolist() == tokenizer("a [SEP]").ids[1:-1]


def test_map_whitespace_makes_one_space_of_each_run_and_moves_nothing(vocab_file):
    plain, mapped = BigBirdTokenizer(vocab_file), BigBirdTokenizer(vocab_file, map_whitespace=True)
    text = "one\n\n\ttwo\r\nthree\u00a0four \u2003 five\n"
    assert 100 in plain(text).ids
    encoding = mapped(text)
    assert encoding.ids == plain("one two three four five").ids
    found = [text[start:end] for start, end in encoding.offsets]
    assert "".join(part.strip() for part in found) == "onetwothreefourfive"
    assert len(mapped.text_pieces(["\n\t "])[0]) == 0
    assert mapped.text_ids([text])[0].tolist() == encoding.ids[1:-1]


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


def test_decode_equals_transformers(tokenizer, slow):
    for text in [*toy_texts(10), "", "\U0001f600 unknown", " spaces  here "]:
        for ids in (tokenizer(text).ids, tokenizer(text, "the pair").ids, [67, *tokenizer(text).ids, 67, 0, 0]):
            assert tokenizer.decode(ids) == slow.decode(ids)
            assert tokenizer.decode(np.array(ids), skip_special_tokens=True) == slow.decode(
                ids, skip_special_tokens=True
            )
    text = toy_text(5)
    assert tokenizer.decode(tokenizer(text).ids, skip_special_tokens=True) == text


def test_vocabulary_equals_transformers(tokenizer, slow):
    assert tokenizer.vocab_size == len(tokenizer) == slow.vocab_size == 800
    assert tokenizer.get_vocab() == slow.get_vocab()
    assert set(tokenizer.all_special_tokens) == set(slow.all_special_tokens)
    assert set(tokenizer.all_special_ids) == set(slow.all_special_ids)
    for name in ("unk", "bos", "eos", "pad", "sep", "mask", "cls"):
        assert getattr(tokenizer, f"{name}_token") == getattr(slow, f"{name}_token")
        assert getattr(tokenizer, f"{name}_token_id") == getattr(slow, f"{name}_token_id")
    assert tokenizer.convert_ids_to_tokens(list(range(800))) == slow.convert_ids_to_tokens(list(range(800)))
    assert tokenizer.convert_ids_to_tokens([65, 300, 100], skip_special_tokens=True) == [
        slow.convert_ids_to_tokens(300)
    ]
    pieces = ["the", "\u2581the", "[CLS]", "no such piece"]
    assert tokenizer.convert_tokens_to_ids(pieces) == slow.convert_tokens_to_ids(pieces)
    assert tokenizer.convert_tokens_to_ids("[SEP]") == 66 and tokenizer.convert_ids_to_tokens(66) == "[SEP]"
    with pytest.raises(ValueError, match=r"id = 800 .* 0 to 799"):
        tokenizer.convert_ids_to_tokens([5, 800])


def test_special_functions_equal_transformers(tokenizer, slow):
    a, b = [300, 301, 302], [400, 401]
    for second in (None, b, []):
        assert tokenizer.build_inputs_with_special_tokens(a, second) == slow.build_inputs_with_special_tokens(a, second)
        assert tokenizer.get_special_tokens_mask(a, second) == slow.get_special_tokens_mask(a, second)
        expected = slow.create_token_type_ids_from_sequences(a, second)
        assert tokenizer.create_token_type_ids_from_sequences(a, second) == expected
    whole = [65, 300, 100, 66, 0]
    assert tokenizer.get_special_tokens_mask(whole, already_has_special_tokens=True) == [1, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="whole input"):
        tokenizer.get_special_tokens_mask(whole, b, already_has_special_tokens=True)


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
