"""Background work of the registry."""

from django_tasks import task

from registry import services


@task()
def verify_all() -> dict[str, object]:
    """Verify every version that is not retired; says how many, and which are not sound."""
    n_verified, unsound = 0, []
    for result in services.verify_all(actor="daily verification"):
        n_verified += 1
        if not result.verification.is_sound:
            unsound.append(f"{result.version.model} version {result.version.number}")
    return {"n_verified": n_verified, "unsound": unsound}
