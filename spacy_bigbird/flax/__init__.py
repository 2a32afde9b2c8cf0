"""BigBird in Flax, for TPUs and programs in JAX: configuration, attention pattern and files are those of PyTorch."""

from ..errors import Errors

try:
    import flax as _flax  # noqa: F401
    import jax as _jax  # noqa: F401
except ImportError as error:
    raise ImportError(Errors.BB730.format(missing=error.name)) from error

from .models import (
    FlaxBigBirdForCausalLM,
    FlaxBigBirdForMaskedLM,
    FlaxBigBirdForMultipleChoice,
    FlaxBigBirdForPreTraining,
    FlaxBigBirdForQuestionAnswering,
    FlaxBigBirdForSequenceClassification,
    FlaxBigBirdForTokenClassification,
    FlaxBigBirdModel,
)

__all__ = [
    "FlaxBigBirdForCausalLM",
    "FlaxBigBirdForMaskedLM",
    "FlaxBigBirdForMultipleChoice",
    "FlaxBigBirdForPreTraining",
    "FlaxBigBirdForQuestionAnswering",
    "FlaxBigBirdForSequenceClassification",
    "FlaxBigBirdForTokenClassification",
    "FlaxBigBirdModel",
]
