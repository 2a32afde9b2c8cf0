"""Added tokens: the same pieces and ids as in transformers, through every file and every way to save."""

import json
import pickle

import pytest
import spacy
import torch
import transformers

from spacy_bigbird.model import BigBirdConfig, BigBirdForTokenClassification
from spacy_bigbird.thinc_layers.checkpoints import Checkpoint
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.added import AddedToken, read_added_tokens

from ..toy_pipelines import TINY_ENCODER

ADDED = [
    "<ent>",
    "COVID-19",
    transformers.AddedToken("lonely", single_word=True),
    transformers.AddedToken("<left>", lstrip=True),
    transformers.AddedToken("<right>", rstrip=True),
    "<entity>",
]
TEXTS = [
    "Anna <ent>met</ent> Boris<ent> COVID-19 in COVID-192.",
    "<ent>",
    "<ent><ent> <entity>",
    "a lonely lonelyness, lonely",
    "lonely",
    "before \n <left> after <right> \n behind",
    "nothing of the kind",
    "",
    " <ent> ",
    "ﬁne <ent> ½ COVID-19ﬁ",
]


@pytest.fixture
def theirs(vocab_file):
    tokenizer = transformers.BigBirdTokenizer(str(vocab_file))
    tokenizer.add_tokens(ADDED)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]"]})
    return tokenizer


@pytest.fixture(params=["tokenizer_config.json", "added_tokens.json"])
def folder(request, theirs, tmp_path):
    """A directory in which only one of the files names the added tokens."""
    theirs.save_pretrained(tmp_path)
    for name in {"tokenizer_config.json", "added_tokens.json"} - {request.param}:
        (tmp_path / name).unlink()
    return tmp_path


@pytest.mark.parametrize("text", TEXTS)
def test_ids_equal_transformers(theirs, tmp_path, text):
    theirs.save_pretrained(tmp_path)
    ours = BigBirdTokenizer.from_pretrained(tmp_path)
    encoding = ours(text)
    assert encoding.ids == theirs(text).input_ids and encoding.pieces == theirs.convert_ids_to_tokens(encoding.ids)
    assert ours.text_ids([text])[0].tolist() == encoding.ids[1:-1]
    assert ours.decode(encoding.ids) == theirs.decode(encoding.ids)
    assert ours.decode(encoding.ids, skip_special_tokens=True) == theirs.decode(encoding.ids, skip_special_tokens=True)
    for piece, (start, end) in zip(encoding.pieces, encoding.offsets, strict=True):
        if piece in ours.get_vocab() and ours.get_vocab()[piece] >= 800:
            assert text[start:end] == piece


def test_the_vocabulary_is_that_of_transformers(theirs, folder):
    ours = BigBirdTokenizer.from_pretrained(folder)
    assert ours.get_vocab() == theirs.get_vocab() and len(ours) == len(theirs)
    assert ours("Anna <ent> COVID-19").ids == theirs("Anna <ent> COVID-19").input_ids
    assert "[SEP]" not in ours("a [SEP] b", add_special_tokens=False).pieces  # still plain text


def test_a_fast_tokenizers_file_alone_is_enough(theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    fast = transformers.BigBirdTokenizerFast.from_pretrained(tmp_path)
    target = tmp_path / "fast"
    fast.save_pretrained(target)
    for name in ("tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"):
        (target / name).unlink(missing_ok=True)
    BigBirdTokenizer.from_pretrained(tmp_path).save_vocabulary(target)
    ours = BigBirdTokenizer.from_pretrained(target)
    assert ours.get_vocab() == theirs.get_vocab()
    for text in TEXTS[:3]:
        assert ours(text).ids == theirs(text).input_ids


def test_they_survive_every_way_to_save(theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    ours = BigBirdTokenizer.from_pretrained(tmp_path, allow_special=True)
    ours.save_pretrained(tmp_path / "again")
    assert pickle.loads(pickle.dumps(ours)).added_tokens == ours.added_tokens
    assert BigBirdTokenizer.from_pretrained(tmp_path / "again").added_tokens == ours.added_tokens
    back = transformers.BigBirdTokenizer.from_pretrained(tmp_path / "again")
    for text in TEXTS:
        assert back(text).input_ids == theirs(text).input_ids == ours(text).ids
    # A vocabulary without any, saved to the same place, does not inherit them.
    BigBirdTokenizer(tmp_path / "spiece.model").save_pretrained(tmp_path / "again")
    assert BigBirdTokenizer.from_pretrained(tmp_path / "again").added_tokens == ()
    assert len(transformers.BigBirdTokenizer.from_pretrained(tmp_path / "again")) == 800


def test_white_space_that_was_added_is_a_token_in_a_pipeline_too(vocab_file):
    ours = BigBirdTokenizer(vocab_file, map_whitespace=True, added_tokens=[AddedToken("\n", 800)])
    plain = BigBirdTokenizer(vocab_file, map_whitespace=True)
    encoding = ours("Anna\tmet\nBoris", add_special_tokens=False)
    assert encoding.ids == [*plain("Anna met", add_special_tokens=False).ids, 800, *plain("Boris").ids[1:-1]]
    assert encoding.offsets[encoding.ids.index(800)] == (8, 9)


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([("a", 800), ("b", 800)], "'a' and 'b' with the same id 800"),
        ([("a", 800), ("b", 802)], "'b' with id 802, and none with id 801"),
    ],
)
def test_tokens_that_do_not_fit_together_are_named(vocab_file, tokens, found):
    with pytest.raises(ValueError, match=rf"BB029.*{found}"):
        BigBirdTokenizer(vocab_file, added_tokens=[AddedToken(*token) for token in tokens])


@pytest.mark.parametrize("name", ["tokenizer_config.json", "added_tokens.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["{", "[1]", '{"added_tokens_decoder": {"x": {}}, "added_tokens": [1], "a": "b"}'])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"BB030.*{name}"):
        read_added_tokens(tmp_path)


@pytest.fixture
def resized(theirs, vocab_file, tmp_path):
    """A tagger of transformers with two added tokens' embeddings, fine-tuned and saved."""
    torch.manual_seed(0)
    sizes = {**TINY_ENCODER, "attention_type": "original_full", "vocab_size": 800}
    sizes.pop("full_attention_up_to")
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    model = transformers.BigBirdForTokenClassification(transformers.BigBirdConfig(**sizes, id2label=labels)).eval()
    model.resize_token_embeddings(len(theirs), pad_to_multiple_of=8)
    torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path)
    return model, tmp_path


def test_an_imported_pipeline_reads_added_tokens_and_keeps_them(resized, theirs, recwarn):
    from spacy_bigbird.cli.import_checkpoint import import_checkpoint

    model, folder = resized
    nlp = import_checkpoint(folder, "ner")
    assert not [one for one in recwarn if "BW05" in str(one.message)]
    text = "Anna <ent> met COVID-19 Boris"
    ids = torch.tensor([theirs(text).input_ids])
    expected = model.bert(ids).last_hidden_state.detach()
    nlp.to_disk(folder / "pipeline")
    copies = [nlp, spacy.load(folder / "pipeline"), pickle.loads(pickle.dumps(nlp))]
    copies.append(spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes()))
    for copy in copies:
        data = copy(text)._.trf_data
        assert data.wordpieces.input_ids.tolist() == ids.tolist()
        torch.testing.assert_close(torch.tensor(data.model_output.last_hidden_state), expected, atol=1e-4, rtol=0)
    ours = BigBirdForTokenClassification.from_pretrained(folder)
    torch.testing.assert_close(ours(ids).logits, model(ids).logits, atol=1e-4, rtol=0)


def test_embeddings_without_their_tokens_are_noticed(resized):
    _, folder = resized
    for name in ("tokenizer_config.json", "added_tokens.json"):
        (folder / name).unlink()
    config = BigBirdConfig.from_pretrained(folder)
    BigBirdForTokenClassification.build(config.replace(vocab_size=900)).save_pretrained(folder)
    with pytest.warns(UserWarning, match=r"BW051.*900 pieces.*only 800"):
        Checkpoint.load(EncoderSettings(name=str(folder)))
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == 900
