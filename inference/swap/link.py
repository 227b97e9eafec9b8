"""This process's line to the registry: reports out, checks and goldens in."""

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connections

from access.database import unavailable
from inference.swap.ports import ReplicaReport
from registry import queries
from registry.golden import GoldenSpec
from registry.services import golden, swaps
from registry.specs import DesiredState, VersionSpec

T = TypeVar("T")
ACTOR = "loading"


class RegistryLink:
    """Both the `Registry` and the `Desk` of a serving process.

    Used on threads that live long: a connection that broke is closed, so that the next call gets a
    new one. Raises DatabaseUnavailable while there is no database.
    """

    def __init__(self) -> None:
        host = socket.gethostname()[:60]
        self.replica_id = f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def load_generation(self) -> int:
        return _guarded(queries.load_generation)

    def load_desired_state(self) -> DesiredState:
        return _guarded(queries.load_desired_state)

    def stage(self, spec: VersionSpec) -> dict[str, Any]:
        return _guarded(lambda: swaps.check_stageable(spec.model, spec.number))

    def load_golden(self, spec: VersionSpec) -> GoldenSpec | None:
        return _guarded(lambda: golden.load_golden(spec.model, spec.number))

    def keep_golden(self, spec: VersionSpec, made: GoldenSpec) -> None:
        _guarded(lambda: golden.store_golden(spec.model, spec.number, made, actor=ACTOR))

    def report(self, report: ReplicaReport) -> Mapping[str, int]:
        return _guarded(
            lambda: swaps.report_replica(
                self.replica_id,
                is_ready=report.is_ready,
                rss_bytes=report.rss_bytes,
                states=report.states,
            )
        )

    def commit(self, model: str) -> bool:
        return _guarded(lambda: swaps.commit_if_prepared(model))

    def leave(self) -> None:
        _guarded(lambda: swaps.forget_replica(self.replica_id))

    def hang_up(self) -> None:
        connections.close_all()


def _guarded(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError) as error:
        close_old_connections()
        raise unavailable(error) from error
