import pickle
import subprocess
import sys
import warnings

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import Underscore

from spacy_bigbird.annotations import registration
from spacy_bigbird.annotations.extensions import DOC_EXTENSIONS, install_extensions, score_attribute
from spacy_bigbird.visualize import render

from ..processes import start
from ..toy_pipelines import SENTENCES, add_head, encoder_model, make_examples, make_pipeline, snapshot
from ..toy_questions import QUESTIONS, TEXT, TINY, asked

ARCHITECTURES = {"span_qa": "SpanQA", "multiple_choice": "MultipleChoice", "fill_mask": "FillMask"}


@pytest.fixture
def fresh(monkeypatch):
    """The attributes of a process in which nothing is registered yet, as of one that unpickles."""
    for name in ("doc_extensions", "span_extensions", "token_extensions"):
        monkeypatch.setattr(Underscore, name, {})
    monkeypatch.setattr(registration, "_reported", set())


def test_all_are_none_at_first(fresh):
    install_extensions()
    doc = spacy.blank("en").make_doc("one two")
    assert [doc._.get(name) for name in DOC_EXTENSIONS] == [None] * len(DOC_EXTENSIONS)
    assert doc[:1]._.score is None and score_attribute() == "score"


def test_attributes_of_others_that_store_values_are_shared(fresh):
    Doc.set_extension("bigbird_stats", default="mine")
    Span.set_extension("score", default=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        install_extensions()
    assert Doc.get_extension("bigbird_stats")[0] == "mine" and score_attribute() == "score"


@pytest.mark.parametrize("form", [{"getter": lambda span: 7}, {"method": lambda span: 7}])
def test_a_score_that_another_package_computes_does_not_hide_ours(fresh, vocab_file, form):
    Span.set_extension("score", **form)
    with pytest.warns(UserWarning, match=r"BW630.*span\._\.score.*span\._\.bigbird_score"):
        nlp = make_pipeline(vocab_file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        nlp.add_pipe("bigbird_ner")
        examples = make_examples(nlp)
        optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    doc = nlp(SENTENCES[0][0])
    assert doc.ents and all(0 < ent._.bigbird_score <= 1 for ent in doc.ents)
    assert doc.ents[0]._.score == 7 if "getter" in form else callable(doc.ents[0]._.score)
    assert nlp.evaluate(examples)["ents_ece"] is not None
    assert f"{doc.ents[0]._.bigbird_score:.2f}" in render(doc, style="entities", jupyter=False)


@pytest.mark.parametrize("name", ["questions", "answers", "bigbird_stats"])
def test_other_attributes_in_another_form_are_reported(fresh, name):
    Doc.set_extension(name, getter=lambda doc: "theirs")
    with pytest.warns(UserWarning, match=rf"BW630.*doc\._\.{name}.*remove_extension\('{name}'\)"):
        install_extensions()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        install_extensions()


def pipelines(vocab_file):
    """One pipeline for each component, and a document to process."""
    nlp = make_pipeline(vocab_file)
    yield nlp, lambda nlp: nlp.make_doc(TEXT)
    for head in ("tagger", "bigbird_ner", "bigbird_textcat", "bigbird_textcat_multilabel"):
        nlp = make_pipeline(vocab_file)
        nlp.add_pipe(head) if head.startswith("bigbird") else add_head(nlp, head)
        yield nlp, lambda nlp: nlp.make_doc(TEXT)
    for kind, architecture in ARCHITECTURES.items():
        nlp = spacy.blank("en")
        model = {**encoder_model(vocab_file, TINY), "@architectures": f"spacy-bigbird.{architecture}.v1"}
        nlp.add_pipe(f"bigbird_{kind}", config={"model": model})
        yield nlp, ready


def ready(nlp):
    doc = asked(nlp, TEXT, QUESTIONS)
    doc._.choices = [{"question": "Who?", "options": ["the court", "the river"]}]
    doc._.masks = [(4, 9)]
    return doc


@pytest.fixture(scope="module")
def pickled(vocab_file):
    """Every pipeline as bytes, the function that makes its document, and what it predicts."""
    results = []
    for nlp, make_doc in pipelines(vocab_file):
        examples = make_examples(nlp) if "bigbird" in nlp.pipe_names else []
        nlp.initialize((lambda examples=examples: examples) if examples else None)
        results.append((pickle.dumps(nlp), make_doc, predictions(nlp(make_doc(nlp)))))
    return results


def predictions(doc):
    return [doc._.bigbird_stats, doc._.answers, doc._.choice_answers, doc._.mask_predictions, snapshot(doc)]


def test_an_unpickled_pipeline_runs_where_nothing_is_registered(pickled, fresh):
    for content, make_doc, expected in pickled:
        for extensions in (Underscore.doc_extensions, Underscore.span_extensions):
            extensions.clear()
        nlp = pickle.loads(content)
        assert predictions(nlp(make_doc(nlp))) == expected, nlp.pipe_names


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork", "loky"])
def test_an_unpickled_pipeline_runs_in_other_processes(pickled, tmp_path, method):
    """In a process of its own, with a time-out."""
    if method == "loky":
        pytest.importorskip("joblib")
    (tmp_path / "pipelines").write_bytes(pickle.dumps([content for content, _, _ in pickled]))
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, pickle\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def run(nlp):\n"
        "    doc = nlp.make_doc('They sell old books')\n"
        "    doc._.questions = ['Who?']\n"
        "    nlp(doc)\n"
        "    return [*nlp.pipe_names, len(list(nlp.pipe(['one', 'two'])))]\n"
        "if __name__ == '__main__':\n"
        f"    nlps = [pickle.loads(p) for p in pickle.load(open({str(tmp_path / 'pipelines')!r}, 'rb'))]\n"
        f"    if {method!r} == 'loky':\n"
        "        from joblib import Parallel, delayed\n"
        "        print(len(Parallel(2)(delayed(run)(nlp) for nlp in nlps)))\n"
        "    else:\n"
        f"        context = multiprocessing.get_context({method!r})\n"
        "        with ProcessPoolExecutor(2, mp_context=context) as pool:\n"
        "            print(len(list(pool.map(run, nlps))))\n"
    )
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=240, check=False)
    assert result.stdout.split() == [str(len(pickled))], result.stderr[-2000:]


def test_a_fresh_process_reads_a_saved_document(tmp_path, vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    nlp.to_disk(tmp_path / "pipeline")
    nlp("old books").to_disk(tmp_path / "document")
    process = start(read_a_document, tmp_path)
    process.join(120)
    assert process.exitcode == 0


def read_a_document(folder):
    assert not Doc.has_extension("bigbird_stats")
    doc = Doc(spacy.load(folder / "pipeline").vocab).from_disk(folder / "document")
    assert (doc._.trf_data.width, doc._.bigbird_stats["windows"]) == (32, 1)
