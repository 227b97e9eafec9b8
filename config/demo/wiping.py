"""Takes the demo away again: its model, and by that all that was kept about it."""

from config.demo.preparing import NOTE, PATH, Tell
from config.demo.service import MODEL, Service, wait_until

GONE_S = 90.0


def wipe(service: Service, *, tell: Tell) -> bool:
    """Delete the demo's model and wait until its rows are gone; False where there is none.

    Raises DemoError.
    """
    is_there = service.find(PATH) is not None
    if is_there:
        tell(f"deleting {MODEL}")
        service.ask("DELETE", PATH, params={"reason": NOTE, "force": "true"})
    tell("waiting until all that was kept about it is gone")
    wait_until(
        lambda: not _remains(service),
        "rows of it are still there. They are erased by the worker: does one run?",
        longest_s=GONE_S,
    )
    return is_there


def _remains(service: Service) -> bool:
    params = {"model": MODEL}
    kept = ("predictions", "monitors", "evaluations", "alerts")
    return any(service.ask("GET", f"/api/v1/{each}", params=params)["results"] for each in kept)
