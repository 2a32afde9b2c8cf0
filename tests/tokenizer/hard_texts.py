"""Texts that are hard to split, and a vocabulary like Google's."""

import io

import sentencepiece

from ..toy_text import toy_texts

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
