"""What pages ask for and the worker does: a version verified, a version brought back."""

from typing import Any
from uuid import UUID

from registry.backups.checking import load_snapshot
from registry.errors import VersionDamaged
from registry.queries import require
from registry.services import backups, restoring, upkeep
from registry.services.operations import Watch, worker
from registry.specs import OperationKind


def request_verification(model: str, number: int, *, actor: str) -> UUID:
    """Have every stored byte of a version read again in the background; returns the operation.

    Raises ModelNotFound or VersionNotFound.
    """
    from registry.tasks import enqueue  # the tasks import the services

    require(model, number)
    title = f"Verify {model} version {number}"
    parameters = {"model": model, "version": number}
    return enqueue(OperationKind.VERIFY, title, actor=actor, parameters=parameters)


def request_restore(target: str, snapshot: str, version: tuple[str, int], *, actor: str) -> UUID:
    """Have one version brought back from a configured target in the background.

    Returns the operation; `version` is (model, number), which may be here still without its files.
    Raises TargetNotFound or TargetUnreachable.
    """
    from registry.tasks import enqueue  # the tasks import the services

    backups.find_target(target)
    model, number = version
    title = f"Restore {model} version {number} from {target}"
    parameters = {
        "target": target,
        "snapshot": snapshot,
        "missing": False,
        "version": [model, number],
    }
    return enqueue(OperationKind.RESTORE, title, actor=actor, parameters=parameters)


@worker(OperationKind.VERIFY)
def _verify(watch: Watch) -> dict[str, Any]:
    asked = watch.parameters
    if "backup" in asked:
        target = backups.find_target(asked["backup"])
        return backups.report(backups.check(target, snapshot=asked["snapshot"], progress=watch))
    done = upkeep.verify(asked["model"], asked["version"], actor=watch.actor, progress=watch)
    found = done.verification
    if not found.is_sound:
        n_faults = len(found.missing) + len(found.damaged) + len(found.extra)
        raise VersionDamaged(
            f"{asked['model']} version {asked['version']} is damaged: {n_faults} faults, listed in "
            "its event; restore it from a backup"
        )
    return {"model": asked["model"], "version": asked["version"], "state": done.state.value}


@worker(OperationKind.RESTORE)
def _restore(watch: Watch) -> dict[str, Any]:
    target = backups.find_target(watch.parameters["target"])
    chosen = load_snapshot(target, watch.parameters["snapshot"])
    return restoring.run_restore(target, chosen, watch)
