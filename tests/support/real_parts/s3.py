"""An empty bucket in the S3 on loopback."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def s3_bucket(s3: str, environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system with the empty bucket `shop`; AWS_* variables lead to it."""
    import s3fs  # type: ignore[import-not-found,import-untyped,unused-ignore]

    environment.setenv("AWS_ENDPOINT_URL", s3)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.setenv(name, "testing")
    urllib.request.urlopen(urllib.request.Request(f"{s3}/moto-api/reset", method="POST")).close()
    s3fs.S3FileSystem.clear_instance_cache()
    filesystem = s3fs.S3FileSystem()
    filesystem.mkdir("shop")
    yield filesystem
    s3fs.S3FileSystem.clear_instance_cache()
