"""BigBird in plain PyTorch."""

from .config import BigBirdConfig
from .encoder import BigBirdModel

__all__ = ["BigBirdConfig", "BigBirdModel"]
