"""Settings of the service."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import Errors

# The settings of the processes that uvicorn starts, as JSON.
ENVIRONMENT_VARIABLE = "SPACY_BIGBIRD_SERVE"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class ServiceSettings(BaseModel):
    """What the service serves, and its limits.

    pipelines (dict[str, str]): the pipelines by name: folders, or names of packages. The first is the default.
    host (str): address to listen on. If it is this machine's own, requests under other host names are refused.
    token (str | None): what clients have to send as `Authorization: Bearer TOKEN`; None for no check.
    max_batch_pieces (int): pieces that are computed at once; a longer document is computed alone.
    max_wait (float): how long a request waits for others to be computed with it. Unit: seconds.
    max_waiting (int): requests that wait for a pipeline; more are refused with 429.
    max_characters (int): length of a document; a longer one is refused with 413.
    max_body (int): length of the body of a request; a longer one is refused with 413. Unit: bytes.
    time_limit (float): time for a request, from its first byte; after that, it is refused with 504. Unit: seconds.
    kept_characters (int): documents and what was found in them are kept for further questions up to this length in
        total; 0 to keep none.
    kept_megabytes (int): states of documents are kept for further questions up to this size in total, for pipelines
        with `join_layer`; 0 to keep none.
    gpu_id (int): GPU to use, or -1 for the CPU.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipelines: dict[str, str] = Field(min_length=1)
    host: str = "127.0.0.1"
    token: str | None = Field(default=None, min_length=1, repr=False)
    max_batch_pieces: int = Field(default=16384, ge=1)
    max_wait: float = Field(default=0.005, ge=0, le=10)
    max_waiting: int = Field(default=64, ge=1)
    max_characters: int = Field(default=2_000_000, ge=1)
    max_body: int = Field(default=32 * 1024**2, ge=1)
    time_limit: float = Field(default=120.0, gt=0)
    kept_characters: int = Field(default=50_000_000, ge=0)
    kept_megabytes: int = Field(default=512, ge=0)
    gpu_id: int = Field(default=-1, ge=-1)

    @field_validator("pipelines", mode="before")
    @classmethod
    def named(cls, value: object) -> object:
        """Take a list of pipelines as well: NAME=PIPELINE, or a folder or package, whose own name is taken."""
        if not isinstance(value, list | tuple):
            return value
        pairs = [one.split("=", 1) if "=" in one else (Path(one).resolve().name, one) for one in map(str, value)]
        found = {name: place for name, place in pairs}
        if len(found) < len(pairs):
            raise ValueError(Errors.BB520.format(names=", ".join(name for name, _ in pairs)))
        return found

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOCAL_HOSTS
