"""Texts of files as people have them: .txt, .md, .html, .pdf, .docx and .epub, with their pages and headings."""

from .document import Document, Heading, UnreadableError
from .outline import outline
from .reading import ENDINGS, find, read

__all__ = ["ENDINGS", "Document", "Heading", "UnreadableError", "find", "outline", "read"]
