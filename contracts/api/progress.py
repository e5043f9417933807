"""What is being computed for a server that serves already: written by the pipeline, answered by the server."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, Field

STALE_SECONDS: Final = 30.0
"""A pipeline writes every second; one that has not written for this long was killed."""


class State(StrEnum):
    """State of the computation."""

    NONE = "none"  # nothing is computed for this server
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # by a signal; it goes on where it was when it is started again


class Step(BaseModel):
    """One bundle of several, each better than the one before."""

    name: str = Field(examples=["first"])
    title: str = Field(examples=["From counts"])
    bundle_version: str | None = Field(None, description="Null until it is sealed.")
    seconds: float | None = Field(None, description="From the start of the computation until it could serve.")
    resumed: bool = Field(
        False, description="Parts are of an earlier computation; `seconds` are those of the last one."
    )
    ndcg: float | None = Field(None, description="NDCG@20 of its lists on the test window, where it was measured.")
    note: str | None = Field(None, description="Why it does not serve, where it was made and is not better.")


class Progress(BaseModel):
    """How far the computation is."""

    state: State = State.NONE
    steps: list[Step] = []
    step: str | None = Field(None, description="Name of the step that is computed now.")
    doing: str | None = Field(None, examples=["training the towers"])
    share: float | None = Field(None, ge=0, le=1, description="Of the time of this step that is over, about.")
    seconds_left: float | None = Field(None, description="Until this step can serve, about.")
    failure: str | None = None
    updated_at: float = Field(0.0, description="Unix seconds.")
