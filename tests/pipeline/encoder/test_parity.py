"""The component's vectors are those of transformers' BigBird on the same pieces."""

import numpy
import pytest
import spacy
import torch

from spacy_bigbird.thinc_layers.encoder_wrapper import get_tokenizer

from ...toy_pipelines import TINY_ENCODER, rows_of

transformers = pytest.importorskip("transformers")

SENTENCE = "They sell old books and green tea . "
# Dense, sparse with a full last block, sparse with a cut one, several windows.
TEXTS = ["tea", SENTENCE, SENTENCE * 6, SENTENCE * 7, SENTENCE * 9 + "tea", SENTENCE * 40]
POSITIONS = 256


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, vocab_file):
    """A checkpoint with random weights as transformers writes it, and its model."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    known = {key: value for key, value in TINY_ENCODER.items() if key != "full_attention_up_to"}
    config = transformers.BigBirdConfig(
        **{**known, "max_position_embeddings": POSITIONS, "initializer_range": 0.2}, vocab_size=800
    )
    transformers.BigBirdModel(config).save_pretrained(folder)
    (folder / "spiece.model").write_bytes(vocab_file.read_bytes())
    return folder


def encode_with_transformers(folder, ids):
    # A fresh model each time: a short text switches theirs to dense attention for good.
    model = transformers.BigBirdModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).last_hidden_state[0].numpy()


@pytest.fixture(scope="module")
def nlp(checkpoint):
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "name": str(checkpoint),
        "transformer_config": {"random_pattern": "huggingface"},
        "overlap": 40,
    }
    nlp.add_pipe("bigbird", config={"model": model})
    nlp.initialize()
    return nlp


@pytest.mark.parametrize("number", range(len(TEXTS) - 1))
def test_rows_equal_those_of_transformers(nlp, checkpoint, number):
    doc = nlp(TEXTS[number])
    ids = doc._.trf_data.wordpieces.input_ids[0].tolist()
    assert ids == get_tokenizer(nlp.get_pipe("bigbird").model)(TEXTS[number]).ids
    assert doc._.bigbird_stats["windows"] == 1
    numpy.testing.assert_allclose(rows_of(doc), encode_with_transformers(checkpoint, ids), atol=2e-5)


def test_a_batch_equals_transformers_one_by_one(nlp, checkpoint):
    """Theirs depends on the padding of the batch; here every document is a batch of its own."""
    for doc in nlp.pipe(TEXTS[:-1]):
        ids = doc._.trf_data.wordpieces.input_ids[0].tolist()
        numpy.testing.assert_allclose(rows_of(doc), encode_with_transformers(checkpoint, ids), atol=2e-5)


def test_windows_equal_those_of_transformers(nlp, checkpoint):
    doc = nlp(TEXTS[-1])
    ids = doc._.trf_data.wordpieces.input_ids[0].tolist()
    window_cls = doc._.trf_data.model_output["window_cls"]
    capacity, step = POSITIONS - 2, POSITIONS - 2 - 40
    pieces, found = ids[1:-1], rows_of(doc)[1:-1]
    starts = [*range(0, len(pieces) - capacity, step), len(pieces) - capacity]
    assert doc._.bigbird_stats["windows"] == len(starts) == len(window_cls) > 2
    distance = numpy.full(len(pieces), numpy.inf)
    expected = numpy.zeros_like(found)
    for number, start in enumerate(starts):
        rows = encode_with_transformers(checkpoint, [ids[0], *pieces[start : start + capacity], ids[-1]])
        numpy.testing.assert_allclose(window_cls[number], rows[0], atol=2e-5)
        inside = numpy.arange(start, start + capacity)
        from_middle = abs(inside - (start + (capacity - 1) / 2))
        better = from_middle < distance[inside]
        distance[inside[better]] = from_middle[better]
        expected[inside[better]] = rows[1:-1][better]
    numpy.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_paper_pattern_differs_where_attention_is_sparse(nlp, checkpoint):
    paper = spacy.blank("en")
    model = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "name": str(checkpoint),
        "transformer_config": {"full_attention_up_to": 56},
    }
    paper.add_pipe("bigbird", config={"model": model})
    paper.initialize()
    numpy.testing.assert_allclose(rows_of(paper(TEXTS[0])), rows_of(nlp(TEXTS[0])), atol=2e-5)
    assert abs(rows_of(paper(TEXTS[3])) - rows_of(nlp(TEXTS[3]))).max() > 1e-3
