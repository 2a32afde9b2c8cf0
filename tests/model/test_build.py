"""Building models: the same seed gives the same weights, and PyTorch's global defaults change nothing."""

import os
import subprocess
import sys
import threading

import pytest
import spacy
import torch

from spacy_bigbird import model as models
from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_pipelines import SENTENCES, make_pipeline
from .toy_models import SMALL

CONFIG = SMALL.replace(initializer_range=0.02)
CLASSES = [getattr(models, name) for name in models.__all__ if name.startswith("BigBird") and name != "BigBirdConfig"]
WITH_HEADS = [kind for kind in CLASSES if kind is not BigBirdModel]


def config_of(model_class) -> BigBirdConfig:
    return CONFIG.replace(is_decoder=model_class.__name__ == "BigBirdForCausalLM")


def saved_encoder(folder, model_class) -> None:
    torch.manual_seed(1)
    BigBirdModel.build(config_of(model_class)).save_pretrained(folder)


@pytest.mark.filterwarnings("ignore:.*BW050")
@pytest.mark.parametrize("model_class", WITH_HEADS)
def test_new_weights_are_drawn_in_the_order_of_their_names(model_class, tmp_path):
    saved_encoder(tmp_path, model_class)
    torch.manual_seed(5)
    model = model_class.from_pretrained(tmp_path)
    state = torch.get_rng_state()
    weights = model.canonical_weights()
    torch.manual_seed(5)
    for name in sorted(weights.keys() - BigBirdModel.from_pretrained(tmp_path).canonical_weights().keys()):
        if name.endswith(".weight") and "norm" not in name:
            assert torch.equal(weights[name], torch.empty_like(weights[name]).normal_(std=0.02)), name
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("model_class", CLASSES)
def test_a_model_is_built_with_what_it_is_given_and_draws_the_rest(model_class):
    torch.manual_seed(0)
    first = model_class.build(config_of(model_class))
    again = model_class.build(first.config, first.canonical_weights(), complete=True)
    weights = first.canonical_weights()
    assert all(torch.equal(weight, weights[name]) for name, weight in again.canonical_weights().items())
    assert not any(weight.is_meta for weight in again.state_dict().values())
    torch.manual_seed(0)
    assert all(
        torch.equal(weight, weights[name])
        for name, weight in model_class.build(first.config).canonical_weights().items()
    )
    words = weights.pop("embeddings.word_embeddings.weight")
    with pytest.raises(ValueError, match=r"(?s)BB057.*missing: embeddings\.word_embeddings\.weight"):
        model_class.build(first.config, weights, complete=True)
    with pytest.raises(ValueError, match=r"(?s)BB057.*of another shape"):
        model_class.build(first.config, {**weights, "embeddings.word_embeddings.weight": words[1:]})


def test_a_head_without_its_bias_keeps_zeros_in_its_place():
    torch.manual_seed(0)
    model = BigBirdForMaskedLM.build(CONFIG)
    head = model.lm_head
    assert not head.bias.any() and torch.equal(head.layer_norm.weight, torch.ones(CONFIG.hidden_size))
    assert head.decoder.weight is model.bigbird.embeddings.word_embeddings.weight
    assert not head.decoder.weight[CONFIG.pad_token_id].any() and 0.01 < head.decoder.weight.std() < 0.03


@pytest.fixture(params=["dtype", "device"])
def foreign_default(request):
    """Another default of the process: numbers in double precision, or a device without values."""
    if request.param == "dtype":
        torch.set_default_dtype(torch.float64)
    else:
        torch.set_default_device("meta")
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


@pytest.mark.filterwarnings("ignore:.*BW050")
@pytest.mark.parametrize("model_class", CLASSES)
def test_global_defaults_change_no_model_and_no_output(model_class, tmp_path, foreign_default):
    saved_encoder(tmp_path, model_class)
    torch.manual_seed(0)
    model = model_class.from_pretrained(tmp_path)
    ids = torch.arange(3, 38, device="cpu").repeat(2, 1)
    mask = torch.ones_like(ids)
    mask[1, 30:] = 0
    if model_class.__name__ == "BigBirdForMultipleChoice":
        ids, mask = ids[None], mask[None]
    with torch.no_grad():
        outputs = model(ids, attention_mask=mask, output_hidden_states=True)
        probabilities = model(ids, attention_mask=mask, output_attentions=True).attentions
    found = [*model.state_dict().values(), *outputs.hidden_states, *probabilities]
    found += [value for value in vars(outputs).values() if isinstance(value, torch.Tensor)]
    assert {(tensor.dtype, str(tensor.device)) for tensor in found} == {(torch.float32, "cpu")}


def test_global_defaults_change_no_pipeline(vocab_file, foreign_default, tmp_path):
    def vectors(nlp):
        return nlp("Anna met Boris in London . " * 12)._.trf_data.model_output.last_hidden_state

    nlp = make_pipeline(vocab_file, ("tagger",))
    examples = [
        spacy.training.Example.from_dict(nlp.make_doc(text), {"words": text.split(), "tags": tags})
        for text, tags in SENTENCES
    ]
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    trained = vectors(nlp)
    assert trained.dtype == "float32"
    nlp.to_disk(tmp_path)
    copies = [spacy.load(tmp_path), spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())]
    assert all((vectors(copy) == trained).all() for copy in copies)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    usual = make_pipeline(vocab_file, ("tagger",))
    spacy.util.fix_random_seed(0)
    optimizer = usual.initialize(lambda: examples)
    usual.update(examples, sgd=optimizer)
    assert (vectors(usual) == trained).all()


def test_batches_of_ids_are_on_the_cpu(vocab_file, foreign_default):
    tokenizer = BigBirdTokenizer(vocab_file)
    batch = tokenizer.pad(tokenizer.batch(["Anna", "met Boris"]))
    assert {(str(one.device), one.dtype) for one in batch.values()} == {("cpu", torch.int64)}


def test_building_leaves_the_random_numbers_of_other_threads_alone(tmp_path):
    BigBirdModel.build(CONFIG).save_pretrained(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(200)
    torch.manual_seed(3)
    drawn = []
    thread = threading.Thread(target=lambda: [BigBirdModel.from_pretrained(tmp_path) for _ in range(5)])
    thread.start()
    drawn = [torch.rand(1) for _ in range(200)]
    thread.join()
    assert torch.equal(torch.cat(drawn), expected)


HASHES = """
import hashlib, sys, warnings
import spacy, torch
from spacy_bigbird import model as models
warnings.simplefilter("ignore")
folder, vocab = sys.argv[1:]
for name in models.__all__:
    if name.startswith("BigBirdFor"):
        torch.manual_seed(0)
        model = getattr(models, name).from_pretrained(folder, is_decoder=name == "BigBirdForCausalLM")
        weights = b"".join(weight.numpy().tobytes() for _, weight in sorted(model.state_dict().items()))
        print(name, hashlib.sha256(weights).hexdigest())
encoder = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": folder}
for factory in ("bigbird_ner", "bigbird_textcat", "bigbird_textcat_multilabel", "bigbird_span_qa",
                "bigbird_multiple_choice", "bigbird_fill_mask"):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    if factory in ("bigbird_ner", "bigbird_textcat", "bigbird_textcat_multilabel"):
        nlp.add_pipe("bigbird", config={"model": encoder})
        pipe = nlp.add_pipe(factory)
        for label in ("one", "two", "three", "four"):
            pipe.add_label(label)
    else:
        nlp.add_pipe(factory, config={"model": {"name": folder}})
    nlp.initialize()
    print(factory, hashlib.sha256(nlp.to_bytes(exclude=["vocab", "tokenizer"])).hexdigest())
"""


@pytest.mark.slow
def test_the_hash_seed_of_the_process_changes_no_weight(vocab_file, tmp_path):
    torch.manual_seed(1)
    tokenizer = BigBirdTokenizer(vocab_file)
    BigBirdModel.build(CONFIG.replace(**tokenizer.config_fields)).save_pretrained(tmp_path)
    tokenizer.save_vocabulary(tmp_path)
    printed = {
        subprocess.run(
            [sys.executable, "-c", HASHES, str(tmp_path), str(vocab_file)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1 and len(printed.pop().splitlines()) == 7 + 6
