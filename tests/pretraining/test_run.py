"""Whole runs: they learn, their output loads everywhere, and the seed alone decides what they find."""

from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
import transformers
from thinc.api import Config

from spacy_bigbird.model import BigBirdForMaskedLM, BigBirdForPreTraining, BigBirdModel
from spacy_bigbird.pretraining.log import read_log
from spacy_bigbird.pretraining.run import pretrain
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .toy_run import NO_DROPOUT, TOY_MODEL, assert_same_weights, losses, toy_blocks, toy_settings, weights

SENTENCE = "the captain reads the letter of the king in the evening and the doctor writes an answer to the queen"


def learning_settings(tmp_path: Path, vocab: Path, **training) -> PretrainingSettings:
    """Forty copies of two sentences, which a model can learn by heart in fifty steps."""
    lines = [" ".join(SENTENCE.split()[number % 2 :] * 2) for number in range(40)]
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(lines), encoding="utf8")
    return toy_settings(
        path,
        vocab,
        paths={"dev": str(path)},
        model={"transformer_config": {**TOY_MODEL, "hidden_size": 64, "full_attention_up_to": 128, **NO_DROPOUT}},
        corpus={"join_documents": False, "streams": 1, "shuffle_documents": 512},
        training={
            "max_steps": 50,
            "batch_pieces": 1024,
            "lengths": [[0, 32], [10, 64]],
            "optimizer": {"learning_rate": 0.01},
            "schedule": {"warmup_steps": 5},
            **training,
        },
        report={"log_every": 10, "evaluate_every": 25, "curves": True},
    )


def test_fifty_steps_learn_a_toy_corpus(tmp_path, vocab_file):
    settings = learning_settings(tmp_path, vocab_file)
    output = tmp_path / "output"
    result = pretrain(settings, output)
    lines = read_log(output / "log.jsonl")
    train, dev = ([line for line in lines if line["kind"] == kind] for kind in ("train", "dev"))
    assert [line["step"] for line in train] == [10, 20, 30, 40, 50] and [line["step"] for line in dev] == [25, 50]
    assert train[0]["loss"] > 3 and train[-1]["loss"] < 0.5 and dev[-1]["loss"] < 0.5
    assert dev[-1]["masked_accuracy"] > 0.9
    assert dev[-1]["perplexity"] == pytest.approx(np.exp(dev[-1]["loss"]))
    assert 0 < dev[-1]["bits_per_character"] < 0.2
    assert [line["length"] for line in train] == [32, 64, 64, 64, 64]
    assert all(line["pieces_per_second"] > 0 and 0 <= line["waiting"] <= 1 for line in train)
    assert result["dev"]["loss"] == dev[-1]["loss"]
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_with_next_sentences_gives_a_checkpoint_with_both_heads(toy_corpus, vocab_file, tmp_path):
    settings = toy_settings(toy_corpus, vocab_file, training={"next_sentence": True, "max_steps": 3})
    result = pretrain(settings, tmp_path / "output")
    assert 0.4 < result["next_sentence_loss"] < 1.2
    theirs = transformers.BigBirdForPreTraining.from_pretrained(tmp_path / "output", attention_type="original_full")
    ours = BigBirdForPreTraining.from_pretrained(tmp_path / "output", attention_type="original_full")
    ids = torch.randint(101, 800, (2, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = theirs.eval()(input_ids=ids), ours(input_ids=ids)
    torch.testing.assert_close(found.seq_relationship_logits, expected.seq_relationship_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.prediction_logits, expected.prediction_logits, atol=1e-4, rtol=0)


def test_the_output_is_a_checkpoint(whole_run, vocab_file):
    _, output = whole_run
    tokenizer = BigBirdTokenizer.from_pretrained(output)
    assert tokenizer.to_bytes() == vocab_file.read_bytes()
    config = BigBirdModel.from_pretrained(output).config
    assert config.vocab_size == tokenizer.vocab_size
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id, config.sep_token_id) == (0, 2, 1, 66)
    theirs, report = transformers.BigBirdForMaskedLM.from_pretrained(
        output, attention_type="original_full", output_loading_info=True
    )
    assert not any(report.values())
    ours = BigBirdForMaskedLM.from_pretrained(output, attention_type="original_full")
    ids = torch.tensor([tokenizer("The captain reads a letter.").ids])
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs.eval()(ids).logits, atol=1e-4, rtol=0)
    written = Config().from_disk(output / "config.cfg")
    assert PretrainingSettings.from_dict(written) == whole_run[0]
    assert not list(output.rglob("*.part"))


def test_the_output_stands_as_name_in_a_pipeline(whole_run):
    _, output = whole_run
    nlp = spacy.blank("en")
    settings = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(output)}
    nlp.add_pipe("bigbird", config={"model": settings})
    nlp.initialize()
    states = nlp("The captain reads a letter.")._.trf_data.model_output.last_hidden_state
    ids = torch.tensor(BigBirdTokenizer.from_pretrained(output)("The captain reads a letter.").ids)
    with torch.no_grad():
        expected = BigBirdModel.from_pretrained(output).forward_packed(ids, [len(ids)])
    assert np.allclose(states[0], expected.numpy(), atol=1e-5)


def test_a_run_goes_on_from_a_checkpoint(whole_run, toy_corpus, tmp_path):
    _, start = whole_run
    blocks = toy_blocks(
        toy_corpus, start / "spiece.model", training={"max_steps": 1, "optimizer": {"learning_rate": 1e-9}}
    )
    blocks["paths"].pop("vocab")
    blocks["model"] = {"name": str(start), "transformer_config": {"hidden_dropout_prob": 0.0, "random_pattern": "none"}}
    pretrain(PretrainingSettings.from_dict(blocks), tmp_path)
    before, after = weights(start), weights(tmp_path)
    for name in before:
        torch.testing.assert_close(after[name], before[name], atol=1e-7, rtol=0)
    assert BigBirdModel.from_pretrained(tmp_path).config.random_pattern == "none"
    assert (tmp_path / "spiece.model").read_bytes() == (start / "spiece.model").read_bytes()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(whole_run, tmp_path):
    settings, output = whole_run
    pretrain(settings, tmp_path / "again")
    assert_same_weights(output, tmp_path / "again")
    other = settings.model_copy(update={"training": settings.training.model_copy(update={"seed": 1, "max_steps": 1})})
    pretrain(other, tmp_path / "other")
    assert losses(tmp_path / "other")[0] != losses(output)[0]


def test_texts_without_a_known_piece_change_nothing_but_by_decay(vocab_file, tmp_path):
    text = tmp_path / "unknown.txt"
    text.write_text("\u4e2d \u56fd\n\u4e2d\n", encoding="utf8")
    settings = toy_settings(text, vocab_file, corpus={"streams": 1}, training={"max_steps": 2})
    result = pretrain(settings, tmp_path / "output")
    # The mark of a word's start may be a piece of its own; it is all that could be masked.
    assert np.isfinite(result["loss"])
    assert all(weight.isfinite().all() for weight in weights(tmp_path / "output").values())


@pytest.mark.parametrize("blocks", [{"mixed_precision": True}, {"micro_batch_pieces": 64}])
def test_precision_and_parts_hardly_change_a_run(toy_corpus, vocab_file, tmp_path, blocks):
    model = {"transformer_config": {**TOY_MODEL, **NO_DROPOUT}}
    for name, training in (("plain", {}), ("changed", blocks)):
        how = {**model, "gradient_checkpointing": name == "changed"}
        pretrain(
            toy_settings(toy_corpus, vocab_file, model=how, training={"max_steps": 3, **training}), tmp_path / name
        )
    tolerance = 0.03 if "mixed_precision" in blocks else 1e-5
    assert losses(tmp_path / "changed") == pytest.approx(losses(tmp_path / "plain"), abs=tolerance)
