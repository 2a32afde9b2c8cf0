"""A tiny model that answers questions, and texts to ask about."""

import shutil
from pathlib import Path
from typing import Any

import spacy
import torch
import transformers
from spacy.language import Language
from spacy.tokens import Doc

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 48,
    "block_size": 8,
    "num_random_blocks": 1,
    "full_attention_up_to": 24,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
TEXT = "The court of the city held that both parties agree. The river flows through the old town, and so on. " * 3
QUESTIONS = ["Who agrees?", "What flows?", "Where?"]


def make_nlp(vocab_file: Any, seed: int = 0, **model: Any) -> Language:
    """A pipeline that answers questions, with random weights."""
    torch.manual_seed(seed)
    nlp = spacy.blank("en")
    block = {"@architectures": "spacy-bigbird.SpanQA.v1", "vocab_file": str(vocab_file)}
    nlp.add_pipe("bigbird_span_qa", config={"model": {**block, "transformer_config": TINY, **model}})
    nlp.initialize()
    return nlp


def import_checkpoint(
    task: str, architecture: str, factory: str, vocab_file: Any, folder: Path
) -> tuple[Any, Language]:
    """A checkpoint with random weights as transformers writes it, and a pipeline that starts from it.

    RETURNS: transformers' own model, and the pipeline.
    """
    torch.manual_seed(4)
    fields = {key: value for key, value in TINY.items() if key != "full_attention_up_to"}
    config = transformers.BigBirdConfig(vocab_size=800, attention_type="original_full", **fields)
    theirs = getattr(transformers, f"BigBirdFor{task}")(config).eval()
    theirs.save_pretrained(folder)
    shutil.copy(vocab_file, folder / "spiece.model")
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"model": {"@architectures": architecture, "name": str(folder)}})
    nlp.initialize()
    return theirs, nlp


def asked(nlp: Language, text: str, questions: Any) -> Doc:
    """A document with questions."""
    doc = nlp.make_doc(text)
    doc._.questions = questions
    return doc
