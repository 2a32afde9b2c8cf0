"""The readers of questions, by their names in configs."""

from pathlib import Path

from .docbin import QuestionCorpus
from .squad import SquadCorpus


def make_squad_corpus(
    path: Path | None, join_paragraphs: bool = False, max_questions: int = 0, limit: int = 0, strict: bool = False
) -> SquadCorpus:
    """Create a reader of files in SQuAD's format.

    Registered as `spacy-bigbird.SquadCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a file in SQuAD's JSON format (1.1 or 2.0), or a folder of such files.
    join_paragraphs (bool): whether to join the paragraphs of an article into one document.
    max_questions (int): maximum number of questions per example; a document with more is repeated. 0 for no limit.
    limit (int): maximum number of examples; 0 for no limit.
    strict (bool): whether to raise an error for unusable data, instead of reporting it and leaving it out.
    RETURNS (SquadCorpus): the reader.
    RAISES ValueError: `path` is None.
    """
    return SquadCorpus(path, join_paragraphs=join_paragraphs, max_questions=max_questions, limit=limit, strict=strict)


def make_question_corpus(
    path: Path | None, max_questions: int = 0, limit: int = 0, strict: bool = False
) -> QuestionCorpus:
    """Create a reader of .spacy files with questions, choices or masks.

    Registered as `spacy-bigbird.QuestionCorpus.v1`, for `[corpora.train]` and `[corpora.dev]`.

    path (Path | None): a .spacy file or a folder of them, stored with `DocBin(store_user_data=True)`. The documents
        have `doc._.questions` with answers, `doc._.choices` with the index of the correct option, or `doc._.masks`.
    max_questions (int): maximum number of questions per example; a document with more is repeated. 0 for no limit.
    limit (int): maximum number of examples; 0 for no limit.
    strict (bool): whether to raise an error for unusable data, instead of reporting it and leaving it out.
    RETURNS (QuestionCorpus): the reader.
    RAISES ValueError: `path` is None.
    """
    return QuestionCorpus(path, max_questions=max_questions, limit=limit, strict=strict)
