"""Converts annotations of other tools to corpora for training."""

from .converting import Report, convert
from .formats import FORMATS

__all__ = ["FORMATS", "Report", "convert"]
