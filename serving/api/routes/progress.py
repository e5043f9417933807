"""What is being computed for this server."""

import time
from pathlib import Path

from fastapi import APIRouter
from pydantic import ValidationError

from contracts.api.progress import STALE_SECONDS, Progress, State
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /progress."""
    routes = APIRouter(tags=["release"])

    @routes.get("/progress", summary="What is being computed, and which bundles there were")
    async def progress() -> Progress:
        """State of a demo that serves while it trains. Other servers say `none`."""
        path = service.settings.progress_file
        return read_progress(path, time.time()) if path else Progress()

    return routes


def read_progress(path: Path, now: float) -> Progress:
    """What the pipeline has written last; `stopped` where it has ended without a word, `none` without a file.

    now: Unix seconds.
    """
    try:
        written = Progress.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there yet, or of another version: it says nothing of what serves
        return Progress()
    if written.state is State.RUNNING and now - written.updated_at > STALE_SECONDS:
        return written.model_copy(update={"state": State.STOPPED, "seconds_left": None})
    return written
