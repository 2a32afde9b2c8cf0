import subprocess
import sys

import spacy
from spacy.tokens import Doc

from spacy_bigbird.annotations.extensions import DOC_EXTENSIONS, SPAN_EXTENSIONS, install_extensions

from ..toy_pipelines import make_pipeline


def test_all_are_none_at_first():
    install_extensions()
    doc = spacy.blank("en").make_doc("one two")
    assert [doc._.get(name) for name in DOC_EXTENSIONS] == [None] * len(DOC_EXTENSIONS)
    assert [doc[:1]._.get(name) for name in SPAN_EXTENSIONS] == [None] * len(SPAN_EXTENSIONS)


def test_what_is_there_already_stays():
    install_extensions()
    Doc.set_extension("bigbird_stats", default="mine", force=True)
    try:
        install_extensions()
        assert Doc.get_extension("bigbird_stats")[0] == "mine"
    finally:
        Doc.set_extension("bigbird_stats", default=None, force=True)


def test_a_fresh_process_reads_a_saved_document(tmp_path, vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    nlp.to_disk(tmp_path / "pipeline")
    nlp("old books").to_disk(tmp_path / "document")
    code = (
        "import sys, spacy; from spacy.tokens import Doc\n"
        f"nlp = spacy.load({str(tmp_path / 'pipeline')!r})\n"
        f"doc = Doc(nlp.vocab).from_disk({str(tmp_path / 'document')!r})\n"
        "print(doc._.trf_data.width, doc._.bigbird_stats['windows'])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["32", "1"]
