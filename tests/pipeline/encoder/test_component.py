"""The component by itself: what it writes, for which documents, within which bounds."""

import shutil

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData

from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim, get_tokenizer

from ...toy_pipelines import ODD_TEXTS, TINY_ENCODER, add_head, make_examples, make_pipeline, rows_of, snapshot

LONG = "old books and green tea " * 60


@pytest.fixture(scope="module")
def nlp(vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    return nlp


def same_weights(nlp, vocab_file, **settings):
    """A pipeline with other settings around the weights of `nlp`."""
    other = make_pipeline(vocab_file, **settings)
    other.get_pipe("bigbird").from_bytes(nlp.get_pipe("bigbird").to_bytes())
    return other


def test_add_pipe_loads_nothing_and_fills_the_config():
    nlp = spacy.blank("en")
    component = nlp.add_pipe("bigbird")
    assert not component.shim.is_loaded
    filled = nlp.config["components"]["bigbird"]
    assert filled["factory"] == "bigbird" and filled["keep_vectors"] == "float32"
    assert filled["model"]["@architectures"] == "spacy-bigbird.BigBirdModel.v1"
    assert filled["model"]["max_batch_pieces"] == 16384 and filled["model"]["transformer_config"] == {}
    assert Language.has_factory("bigbird")
    assert nlp.analyze_pipes()["problems"] == {"bigbird": []}
    meta = nlp.get_pipe_meta("bigbird")
    assert meta.assigns == ["doc._.trf_data", "doc._.bigbird_stats"] and not meta.retokenizes
    spacy.blank("en").from_config(nlp.config)


def test_initialize_without_a_source_says_what_to_write():
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird")
    with pytest.raises(ValueError, match=r"(?s)BB137.*name = .*vocab_file = "):
        nlp.initialize()
    with pytest.raises(ValueError, match=r"BB139.*no weights yet"):
        nlp("text")


def test_a_saved_pipeline_whose_encoder_is_gone_names_the_folder(nlp, tmp_path):
    nlp.to_disk(tmp_path)
    shutil.rmtree(tmp_path / "bigbird")
    (tmp_path / "bigbird").mkdir()
    with pytest.raises(ValueError, match=rf"BB139.*none in {tmp_path / 'bigbird'}"):
        spacy.load(tmp_path)("text")


def test_initialize_wants_examples_that_are_callable(nlp):
    with pytest.raises(TypeError, match="E930"):
        nlp.initialize([])
    with pytest.raises(TypeError, match="E930"):
        nlp.initialize(lambda: [])


def test_settings_are_checked_when_the_component_is_added(vocab_file):
    nlp = spacy.blank("en")
    with pytest.raises(ValueError, match=r"BB135.*keep_vectors = \"?'?half"):
        nlp.add_pipe("bigbird", config={"keep_vectors": "half"})
    model = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "on_oversize": "cut"}
    with pytest.raises(ValueError, match=r"BB135.*on_oversize"):
        nlp.add_pipe("bigbird", config={"model": model})
    with pytest.raises(ValueError, match="BB140"):
        nlp.add_pipe(
            "bigbird",
            config={
                "model": {
                    "@architectures": "spacy.HashEmbedCNN.v2",
                    "width": 8,
                    "depth": 1,
                    "embed_size": 10,
                    "window_size": 1,
                    "maxout_pieces": 2,
                    "subword_features": False,
                    "pretrained_vectors": None,
                }
            },
        )


def test_what_is_written_on_a_document(nlp):
    doc = nlp("They sell old books .")
    data, tokenizer = doc._.trf_data, get_tokenizer(nlp.get_pipe("bigbird").model)
    encoding = tokenizer(doc.text)
    assert isinstance(data, TransformerData)
    assert data.wordpieces.strings == [encoding.pieces]
    assert data.wordpieces.input_ids.tolist() == [encoding.ids]
    assert data.wordpieces.lengths == [len(encoding.ids)] and data.width == 32
    assert data.model_output.last_hidden_state.shape == (1, len(encoding.ids), 32)
    assert data.model_output.last_hidden_state.dtype == numpy.float32
    assert data.align.lengths.shape == (5,) and 0 not in data.align.dataXd
    assert len(encoding.ids) - 1 not in data.align.dataXd
    (text,) = ["".join(data.wordpieces.strings[0][row] for row in data.align[i].dataXd.ravel()) for i in [3]]
    assert text.replace("\u2581", "") == "books"
    assert doc._.bigbird_stats == {
        "pieces": len(encoding.ids) - 2,
        "windows": 1,
        "unknown_pieces": 0,
        "truncated_pieces": 0,
    }
    assert nlp("\u4e2d")._.bigbird_stats["unknown_pieces"] == 1


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_documents_have_two_rows_at_least(nlp, text):
    doc = nlp(text)
    assert rows_of(doc).shape == (doc._.bigbird_stats["pieces"] + 2, 32)
    assert doc._.trf_data.align.lengths.shape == (len(doc),)
    if not text.strip():
        assert not rows_of(doc).any() and doc._.bigbird_stats["pieces"] == doc._.bigbird_stats["windows"] == 0
        assert doc._.trf_data.align.lengths.sum() == 0


def test_alone_and_anywhere_in_a_batch_are_the_same(nlp):
    texts = ["", LONG, "x", *ODD_TEXTS, "They sell old books .", LONG[:200], ""]
    alone = [rows_of(nlp(text)) for text in texts]
    for order in (range(len(texts)), reversed(range(len(texts)))):
        order = list(order)
        for index, doc in zip(order, nlp.pipe([texts[i] for i in order], batch_size=4), strict=True):
            numpy.testing.assert_allclose(rows_of(doc), alone[index], atol=1e-5)


@pytest.mark.parametrize("max_batch_pieces", [1, 64, 200, 10**6])
def test_micro_batches_do_not_change_results(nlp, vocab_file, max_batch_pieces):
    other = same_weights(nlp, vocab_file, max_batch_pieces=max_batch_pieces)
    for text in (LONG, "tea", ""):
        numpy.testing.assert_allclose(rows_of(other(text)), rows_of(nlp(text)), atol=1e-5)


def test_long_documents_are_encoded_in_windows(nlp):
    doc = nlp(LONG)
    stats, output = doc._.bigbird_stats, doc._.trf_data.model_output
    assert stats["pieces"] > 250 and stats["truncated_pieces"] == 0
    assert stats["windows"] == len(output["window_cls"]) == -(-(stats["pieces"] - 7) // 55)
    assert output["window_lengths"].tolist() == [62] * stats["windows"]
    assert (output["window_cls"][0] == rows_of(doc)[0]).all()
    assert (doc._.trf_data.align.lengths[: len(doc) - 1] > 0).all()
    assert (abs(rows_of(doc)).sum(1) > 0).all()


def test_oversize_documents_may_be_an_error(nlp, vocab_file):
    other = same_weights(nlp, vocab_file, on_oversize="error")
    with pytest.raises(ValueError, match=r"BB141.*old books.*\d{3} pieces.*62.*on_oversize = \"window\".*max_length"):
        other(LONG)
    numpy.testing.assert_allclose(rows_of(other("tea")), rows_of(nlp("tea")), atol=1e-6)


def test_truncation_warns_and_counts(nlp, vocab_file):
    other = same_weights(nlp, vocab_file, on_oversize="truncate")
    with pytest.warns(UserWarning, match=r"BW131.*old books.*62.*\d{3} were cut off"):
        doc = other(LONG)
    whole = nlp(LONG)._.bigbird_stats["pieces"]
    assert doc._.bigbird_stats == {"pieces": 62, "windows": 1, "unknown_pieces": 0, "truncated_pieces": whole - 62}
    assert len(rows_of(doc)) == 64 and 60 <= doc._.trf_data.align.dataXd.max() <= 62
    assert doc._.trf_data.align.lengths[-1] == 0
    first_window = nlp(LONG)._.trf_data.model_output["window_cls"][0]
    numpy.testing.assert_allclose(rows_of(doc)[0], first_window, atol=1e-5)


def test_bf16_is_close(nlp, vocab_file):
    other = same_weights(nlp, vocab_file, precision="bf16")
    found, expected = rows_of(other(LONG)), rows_of(nlp(LONG))
    assert found.dtype == numpy.float32 and 1e-5 < abs(found - expected).max() < 0.1


def test_extra_annotations_are_set_last(vocab_file):
    seen = []

    def setter(docs, batch):
        seen.append([(doc.text, doc._.trf_data is data) for doc, data in zip(docs, batch.doc_data, strict=True)])

    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    nlp.get_pipe("bigbird").set_extra_annotations = setter
    list(nlp.pipe(["a", "b"]))
    assert seen == [[("a", True), ("b", True)]]


@pytest.mark.parametrize("pattern", ["paper", "none", "huggingface"])
def test_every_pattern_runs(vocab_file, pattern):
    nlp = make_pipeline(vocab_file, transformer_config={"random_pattern": pattern, "full_attention_up_to": 0})
    nlp.initialize()
    assert numpy.isfinite(rows_of(nlp(LONG))).all()


def test_mode_of_training_is_left_behind_in_prediction(vocab_file):
    nlp = make_pipeline(vocab_file, ("tagger",), transformer_config={"hidden_dropout_prob": 0.5})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    before = rows_of(nlp("old books"))
    nlp.update(examples, sgd=False)
    numpy.testing.assert_array_equal(rows_of(nlp("old books")), before)
    numpy.testing.assert_array_equal(rows_of(nlp("old books")), before)


def test_the_encoder_has_no_limit_on_characters(nlp):
    doc = Doc(nlp.vocab, words=["tea"] * 3000)
    assert nlp.get_pipe("bigbird")(doc)._.bigbird_stats["truncated_pieces"] == 0
    assert len(doc._.trf_data.align.lengths) == 3000


def test_defaults_are_those_of_the_documentation():
    component = spacy.blank("en").add_pipe("bigbird")
    settings = get_shim(component.model).settings
    assert (settings.overlap, settings.on_oversize, settings.max_batch_pieces) == (None, "window", 16384)
    assert settings.window_capacity(BigBirdConfig()) == (4094, 511)
    assert component.hide_labels and component.labels == ()


@pytest.mark.parametrize(
    "pooling", ["reduce_mean.v1", "reduce_sum.v1", "reduce_first.v1", "reduce_last.v1", "reduce_max.v1"]
)
def test_white_space_tokens_pass_every_pooling(vocab_file, pooling):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, "tagger", pooling=pooling)
    examples = make_examples(nlp, odd=True)
    nlp.initialize(lambda: examples)
    for _ in range(2):
        nlp.update(examples, sgd=False)
    texts = ["", "\n\n", "old books\n\n\tand tea", "", "   "]
    assert [snapshot(doc)["tags"] for doc in nlp.pipe(texts)] == [snapshot(nlp(text))["tags"] for text in texts]
    vectors = nlp.get_pipe("tagger").model.get_ref("tok2vec").predict([nlp(text) for text in texts])
    assert [v.shape for v in vectors] == [(len(nlp.make_doc(text)), 32) for text in texts]
    assert [bool(vector.any()) for vector in vectors[2]] == [True, True, False, True, True]
    (nothing,) = nlp.get_pipe("tagger").model.get_ref("tok2vec").predict([nlp("")])
    assert nothing.shape == (0, 32)


def test_tiny_encoder_reaches_the_sparse_path():
    config = BigBirdConfig(**TINY_ENCODER)
    assert config.full_attention_up_to < config.max_position_embeddings
