"""SentencePiece tokenization: pieces with character offsets, pairs and windows, alignment with tokens, training."""

from .encoding import Encoding, TextPieces
from .pairs import PairWindow
from .sentencepiece import BigBirdTokenizer

__all__ = ["BigBirdTokenizer", "Encoding", "PairWindow", "TextPieces"]
