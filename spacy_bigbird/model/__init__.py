"""BigBird in plain PyTorch."""

from ..plan.config import BigBirdConfig
from .encoder import BigBirdModel
from .heads.causal_lm import BigBirdForCausalLM
from .heads.masked_lm import BigBirdForMaskedLM
from .heads.multiple_choice import BigBirdForMultipleChoice
from .heads.pretraining import BigBirdForPreTraining
from .heads.question_answering import BigBirdForQuestionAnswering
from .heads.sequence_classification import BigBirdForSequenceClassification
from .heads.token_classification import BigBirdForTokenClassification
from .warm_start import warm_start

__all__ = [
    "BigBirdConfig",
    "BigBirdForCausalLM",
    "BigBirdForMaskedLM",
    "BigBirdForMultipleChoice",
    "BigBirdForPreTraining",
    "BigBirdForQuestionAnswering",
    "BigBirdForSequenceClassification",
    "BigBirdForTokenClassification",
    "BigBirdModel",
    "warm_start",
]
