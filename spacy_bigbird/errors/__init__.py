"""Every error of the package, with a code to search for: what was given, what was expected, what to do."""

from .apply import ApplyErrors
from .bakeoff import BakeoffErrors
from .bridge import BridgeErrors
from .cache import LayerErrors
from .codes import WithCodes
from .distributed import DistributedErrors
from .documents import DocumentErrors
from .engines import EngineErrors
from .flax import FlaxErrors
from .model import ModelErrors
from .pipeline import PipelineErrors
from .serve import ServeErrors
from .spans import SpanErrors
from .training import TrainingErrors
from .usage import UsageErrors


class Errors(
    ApplyErrors,
    BakeoffErrors,
    BridgeErrors,
    DistributedErrors,
    DocumentErrors,
    EngineErrors,
    FlaxErrors,
    LayerErrors,
    ModelErrors,
    PipelineErrors,
    ServeErrors,
    SpanErrors,
    TrainingErrors,
    UsageErrors,
    metaclass=WithCodes,
):
    """Messages of exceptions, one file for each part of the package. Fill in with `.format(...)`."""
