"""BigBird in plain PyTorch."""

from .config import BigBirdConfig
from .encoder import BigBirdModel
from .heads.masked_lm import BigBirdForMaskedLM
from .heads.multiple_choice import BigBirdForMultipleChoice
from .heads.question_answering import BigBirdForQuestionAnswering
from .heads.sequence_classification import BigBirdForSequenceClassification
from .heads.token_classification import BigBirdForTokenClassification

__all__ = [
    "BigBirdConfig",
    "BigBirdForMaskedLM",
    "BigBirdForMultipleChoice",
    "BigBirdForQuestionAnswering",
    "BigBirdForSequenceClassification",
    "BigBirdForTokenClassification",
    "BigBirdModel",
]
