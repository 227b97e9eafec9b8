"""One HTTP layer on one port: `python -m benchmarks.peers.layers LAYER PORT [CORE]`.

Run by uvicorn as `manage.py serve` runs it (no access log). `LAYERS` lists what there is.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import uvicorn

from benchmarks.processes import end_in_order_on_sigterm

ANSWER = b'{"label":"POSITIVE","score":0.99}'


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer a constant."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(ANSWER)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def _pipeline(is_recording: bool) -> Any:
    from benchmarks.peers.nomodel import build

    return build(Path(os.environ["BELLWETHER_HOME"]), is_recording=is_recording)


def _on_threads() -> Any:
    from a2wsgi import WSGIMiddleware
    from django.core.wsgi import get_wsgi_application

    from config.middleware import BufferedBody
    from config.planes import MANAGEMENT_THREADS, MAX_MANAGEMENT_BODY

    wsgi: Any = WSGIMiddleware(cast(Any, get_wsgi_application()), MANAGEMENT_THREADS)
    return BufferedBody(wsgi, MAX_MANAGEMENT_BODY)


def _on_asgi() -> Any:
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


LAYERS: dict[str, Callable[[], Any]] = {
    "bare": lambda: bare,
    "pipeline": lambda: _pipeline(is_recording=False),
    "pipeline-recording": lambda: _pipeline(is_recording=True),
    "django-threads": _on_threads,
    "django-asgi": _on_asgi,
}


def main() -> None:
    layer, port, *core = sys.argv[1:]
    if core:
        os.sched_setaffinity(0, {int(core[0])})
    end_in_order_on_sigterm()
    if layer != "bare":
        import django

        django.setup()
    lifespan = "on" if layer.startswith("pipeline") else "off"
    uvicorn.run(
        LAYERS[layer](),
        host="127.0.0.1",
        port=int(port),
        log_config=None,
        access_log=False,
        lifespan=lifespan,  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
