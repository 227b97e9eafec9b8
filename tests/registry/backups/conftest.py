"""Targets of every kind, each real: a folder, a storage of Django's, and an S3 server."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from registry.backups.targets import DirectoryTarget, Target, open_target

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A real HTTP server that speaks S3; fsspec is told of it as a deployment would tell it."""
    moto_server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(fsspec.config.conf)
    fsspec.config.conf["s3"] = {
        "key": "test",
        "secret": "a-secret",
        "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": REGION},
    }
    yield "s3://"
    fsspec.config.conf.clear()
    fsspec.config.conf.update(before)
    server.stop()


@pytest.fixture
def s3(s3_url: str) -> str:
    """The URL of a new bucket's folder."""
    bucket = f"bucket-{uuid4().hex[:12]}"
    fsspec.filesystem("s3").call_s3(
        "create_bucket",
        Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    return f"{s3_url}{bucket}/bellwether"


@pytest.fixture(params=["folder", "storage", "s3", "memory"])
def target(request, tmp_path: Path, settings) -> Target:
    """A target of each kind, empty."""
    return open_target(location(request, tmp_path, settings), label="safe")


def location(request, tmp_path: Path, settings) -> str:
    if request.param == "folder":
        return str(tmp_path / "backups")
    if request.param == "storage":
        settings.STORAGES = settings.STORAGES | {
            "backups": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": str(tmp_path / "storage")},
            }
        }
        return "storage:backups"
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return f"memory://{uuid4().hex}"


@pytest.fixture
def folder(tmp_path: Path) -> DirectoryTarget:
    """An empty folder as a target."""
    return DirectoryTarget(tmp_path / "backups", label="safe")
