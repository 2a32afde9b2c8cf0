"""BigBirds that start from BERT, RoBERTa or a shorter BigBird."""

import json
import string

import pytest
import torch
import transformers

from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdModel, warm_start
from spacy_bigbird.tokenizer import BigBirdTokenizer

SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
SPECIAL = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "[CLS]", "[SEP]": "[SEP]", "[MASK]": "[MASK]"}
ROLES = {"<s>": "[CLS]", "<pad>": "<pad>", "</s>": "[SEP]", "<unk>": "<unk>", "<mask>": "[MASK]"}


@pytest.fixture(scope="module")
def tokenizer(vocab_file) -> BigBirdTokenizer:
    return BigBirdTokenizer(vocab_file)


def randomized(model):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def save_bert(folder, pieces: list[str], name: str = "BertForMaskedLM", **changes):
    """A BERT whose word pieces are those of the toy vocabulary, in another order."""
    words = [piece[1:] if piece.startswith("▁") else f"##{piece}" for piece in pieces]
    config = transformers.BertConfig(**SIZES, vocab_size=5 + len(words), max_position_embeddings=40, **changes)
    model = randomized(getattr(transformers, name)(config))
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *words]) + "\n", encoding="utf8")
    return model


def save_roberta(folder, pieces: list[str], **changes):
    """A RoBERTa whose pieces are those of the toy vocabulary, in another order. ASCII only."""
    vocabulary = [*ROLES, *(piece.replace("▁", "Ġ") for piece in pieces)]
    config = transformers.RobertaConfig(
        **SIZES, vocab_size=len(vocabulary), max_position_embeddings=42, type_vocab_size=1, **changes
    )
    model = randomized(transformers.RobertaForMaskedLM(config))
    model.save_pretrained(folder)
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf8")
    return model


def words_of(tokenizer: BigBirdTokenizer) -> list[str]:
    """Pieces of letters that begin a word, back to front."""
    words = [piece for piece in tokenizer.get_vocab() if piece.startswith("▁") and piece[1:].isalpha()]
    return [word for word in words if word[1:].isascii()][::-1]


def inputs(tokenizer: BigBirdTokenizer, pieces: list[str], theirs: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """The same text of 30 pieces in ids of the new vocabulary and of the old one, [CLS] and [SEP] around it."""
    chosen = pieces[3:31]
    ours = tokenizer.convert_tokens_to_ids(["[CLS]", *chosen, "[SEP]"])
    return torch.tensor([ours]), torch.tensor([[theirs.index(piece) for piece in ("[CLS]", *chosen, "[SEP]")]])


def test_bert_and_bigbird_compute_the_same_on_short_texts(tokenizer, vocab_file, tmp_path):
    words = words_of(tokenizer)
    bert = save_bert(tmp_path, words)
    model, report = warm_start(tmp_path, vocab_file, 100, model_class=BigBirdForMaskedLM, block_size=4)
    ours, theirs = inputs(tokenizer, words, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", *words])
    with torch.no_grad():
        one, other = model(ours, output_hidden_states=True), bert(theirs, output_hidden_states=True)
    for state, expected in zip(one.hidden_states, other.hidden_states, strict=True):
        torch.testing.assert_close(state, expected, atol=2e-5, rtol=0)
    columns = tokenizer.convert_tokens_to_ids(words)
    torch.testing.assert_close(one.logits[..., columns], other.logits[..., 5:], atol=5e-5, rtol=0)
    assert model.lm_head.decoder.weight is model.bigbird.embeddings.word_embeddings.weight
    assert report.copied == len(words) + 7
    assert report.pieces == tokenizer.vocab_size
    assert 0 < report.averaged < report.pieces - report.copied
    assert report.weights is model.load_report
    assert set(report.weights.missing) == {"pooler.weight", "pooler.bias"}
    assert f"{report.share_copied:.1%}" in str(report)


def test_roberta_and_bigbird_compute_the_same_on_short_texts(tokenizer, vocab_file, tmp_path):
    words = words_of(tokenizer)
    roberta = save_roberta(tmp_path, words)
    model, report = warm_start(tmp_path, vocab_file, 100, model_class=BigBirdForMaskedLM)
    ours, theirs = inputs(tokenizer, words, [*ROLES.values(), *words])
    with torch.no_grad():
        one, other = model(ours), roberta(theirs)
    columns = tokenizer.convert_tokens_to_ids(words)
    torch.testing.assert_close(one.logits[..., columns], other.logits[..., 5:], atol=5e-5, rtol=0)
    positions = model.bigbird.embeddings.position_embeddings.weight
    source = roberta.roberta.embeddings.position_embeddings.weight
    assert torch.equal(positions[:40], source[2:])
    assert torch.equal(positions[40:80], source[2:])
    assert torch.equal(positions[80:], source[2:22])
    types = model.bigbird.embeddings.token_type_embeddings.weight
    assert torch.equal(types[0], roberta.roberta.embeddings.token_type_embeddings.weight[0])
    assert torch.equal(types[0], types[1])
    assert report.copied == len(words) + 7


def test_a_roberta_whose_padding_is_not_named_counts_as_all_do(tokenizer, vocab_file, tmp_path):
    roberta = save_roberta(tmp_path, words_of(tokenizer))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    model, _ = warm_start(tmp_path, vocab_file, 80)
    source = roberta.roberta.embeddings.position_embeddings.weight
    assert torch.equal(model.embeddings.position_embeddings.weight, source[2:].repeat(2, 1))


def test_pieces_that_the_source_lacks_are_the_mean_of_their_parts(tokenizer, vocab_file, tmp_path):
    letters = [mark + letter for letter in string.ascii_letters for mark in ("▁", "")]
    roberta = save_roberta(tmp_path, letters)
    model, report = warm_start(tmp_path, vocab_file)
    words = roberta.roberta.embeddings.word_embeddings.weight
    target = next(piece for piece in words_of(tokenizer) if len(piece) > 3)
    parts = [5 + letters.index(letter) for letter in (target[:2], *target[2:])]
    found = model.embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids(target)]
    torch.testing.assert_close(found, words[parts].mean(0))
    assert report.averaged > 0
    assert model.config.max_position_embeddings == 4096
    assert model.embeddings.position_embeddings.weight.shape == (4096, 8)


def test_the_configuration_comes_from_source_vocabulary_and_overrides(tokenizer, vocab_file, tmp_path):
    save_bert(tmp_path, words_of(tokenizer), "BertModel", layer_norm_eps=1e-6, hidden_act="relu")
    model, report = warm_start(tmp_path, vocab_file, 200, block_size=16, num_random_blocks=2, add_pooling_layer=False)
    expected = BigBirdConfig(
        **SIZES,
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=200,
        layer_norm_eps=1e-6,
        hidden_act="relu",
        block_size=16,
        num_random_blocks=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        extra=model.config.extra,
    )
    assert model.config == expected
    assert isinstance(model, BigBirdModel)
    assert not model.training
    assert set(report.weights.unexpected) == {"pooler.weight", "pooler.bias"}
    model.save_pretrained(tmp_path / "saved")
    assert BigBirdModel.from_pretrained(tmp_path / "saved", add_pooling_layer=False).config.block_size == 16


@pytest.mark.parametrize("new_length", [96, 70, 16])
def test_a_bigbird_is_extended_past_its_positions(new_length, tmp_path):
    config = BigBirdConfig(**SIZES, vocab_size=30, max_position_embeddings=32, block_size=4, sep_token_id=6)
    source = randomized(BigBirdForMaskedLM(config))
    source.save_pretrained(tmp_path)
    model, report = warm_start(tmp_path, None, new_length, model_class=BigBirdForMaskedLM)
    positions = source.bigbird.embeddings.position_embeddings.weight
    rows = torch.arange(new_length) % 32
    assert torch.equal(model.bigbird.embeddings.position_embeddings.weight, positions[rows])
    assert model.config.replace(extra={}) == config.replace(max_position_embeddings=new_length)
    assert report.share_copied == 1.0
    ids = torch.arange(7, 7 + 16)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, source(ids).logits, atol=1e-6, rtol=0)


def test_a_bigbird_gets_another_vocabulary(tokenizer, vocab_file, tmp_path):
    config = BigBirdConfig(**SIZES, vocab_size=tokenizer.vocab_size, max_position_embeddings=32, block_size=4)
    source = randomized(BigBirdModel(config))
    source.save_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"spiece\.model"):
        warm_start(tmp_path, vocab_file)
    tokenizer.save_vocabulary(tmp_path)
    model, report = warm_start(tmp_path, vocab_file)
    assert report.copied == tokenizer.vocab_size
    words = source.embeddings.word_embeddings.weight
    assert torch.equal(model.embeddings.word_embeddings.weight, words)


def test_a_vocabulary_of_another_checkpoint_is_refused(tokenizer, vocab_file, tmp_path):
    words = words_of(tokenizer)
    save_bert(tmp_path, words[:5])
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, *(word[1:] for word in words)]), encoding="utf8")
    with pytest.raises(ValueError, match=r"BB061.*word_embeddings\.weight has 10 rows.*copy both again"):
        warm_start(tmp_path, vocab_file)


def test_bert_without_a_new_vocabulary_or_of_another_kind_is_refused(tokenizer, vocab_file, tmp_path):
    save_bert(tmp_path, words_of(tokenizer))
    with pytest.raises(ValueError, match=r"BB060.*bert checkpoint: give vocab_file"):
        warm_start(tmp_path)
    with pytest.raises(TypeError, match=r"BB058.*block_sise"):
        warm_start(tmp_path, vocab_file, block_sise=4)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "position_embedding_type": "relative_key"}))
    with pytest.raises(ValueError, match=r"BB001.*position_embedding_type"):
        warm_start(tmp_path, vocab_file)
    (tmp_path / "config.json").write_text(json.dumps({**values, "model_type": "electra"}))
    with pytest.raises(ValueError, match=r"BB053.*'electra'.*'big_bird' or 'bert' or 'roberta'"):
        warm_start(tmp_path, vocab_file)
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"BB059"):
        warm_start(tmp_path, vocab_file)
