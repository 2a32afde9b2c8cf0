"""A config with corpora for `check`."""

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin

from ..toy_text import toy_texts
from .checked import CONFIG


@pytest.fixture(scope="module")
def checked_folder(tmp_path_factory, vocab_file):
    checked_folder = tmp_path_factory.mktemp("check")
    nlp = spacy.blank("en")
    for name in ("train", "dev"):
        docs = [nlp.make_doc(text) for text in toy_texts(4, 6)]
        DocBin(docs=docs).to_disk(checked_folder / f"{name}_untagged.spacy")
        for doc in docs:
            for token in doc:
                token.tag_ = "X" if token.is_alpha else "Y"
        # Tokens as another tokenizer had them: "it" is inside of ours.
        odd = Doc(nlp.vocab, words=["New", "York", "ers", "left", "."], spaces=[1, 0, 1, 0, 0])
        odd.set_ents([odd.char_span(0, 8, label="GPE")])
        DocBin(docs=docs).to_disk(checked_folder / f"{name}.spacy")
        DocBin(docs=[*docs, odd]).to_disk(checked_folder / f"{name}_odd.spacy")
    (checked_folder / "config.cfg").write_text(CONFIG.format(vocab_file=srsly.json_dumps(str(vocab_file))))
    return checked_folder
