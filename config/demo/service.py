"""The demo's side of the public API: it uses what any client could."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx2

from config.demo.texts import Text

MODEL = "demo/sentiment"
TIMEOUT_S = 60.0
POLL_S = 0.25
Json = dict[str, Any]


class DemoError(Exception):
    """Why the demo cannot go on, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as the service tells it."""

    id: str
    kind: str
    severity: str
    summary: str
    fired_at: datetime
    resolved_at: datetime | None


class Service:
    """One running Bellwether, and the demo's model on it. Every call raises DemoError."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(
            base_url=self.url, headers=headers, timeout=TIMEOUT_S, trust_env=False
        )

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer, None where it has none."""
        answer = self._send(method, path, **request)
        if answer.status_code >= 400:
            raise DemoError(_refusal(method, path, answer))
        return answer.json() if answer.content else None

    def find(self, path: str) -> Any | None:
        """The JSON of an answer; None where nothing is there."""
        answer = self._send("GET", path)
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise DemoError(_refusal("GET", path, answer))
        return answer.json()

    def predict(self, texts: Sequence[Text]) -> list[str]:
        """Ask for answers to `texts`, which share a segment; their ids."""
        body = {"inputs": [each.text for each in texts], "segment": texts[0].segment}
        answer = self.ask("POST", f"/api/v1/models/{MODEL}/predict", json=body)
        return [each["id"] for each in answer["predictions"]]

    def label(self, labels: Sequence[tuple[str, str]]) -> None:
        """Say of each (prediction, label) what is true."""
        items = [
            {"prediction_id": id, "correct_label": label, "source": "delayed"}
            for id, label in labels
        ]
        self.ask("POST", "/api/v1/feedback", json=items)

    def alerts(self) -> list[Told]:
        """The model's newest alerts that ever fired."""
        rows = self.ask("GET", "/api/v1/alerts", params={"model": MODEL})["results"]
        return [_told(row) for row in rows if row["fired_at"]]

    def monitors(self) -> dict[str, Json]:
        """The model's monitors with their last verdicts, by name."""
        rows = self.ask("GET", "/api/v1/monitors", params={"model": MODEL})["results"]
        return {row["name"]: row for row in rows}

    def f1(self, now: datetime, last: timedelta) -> Json:
        """Macro F1 by the labels of the predictions since `last`: value, low, high."""
        params = {"from": (now - last).isoformat()}
        report = self.ask("GET", f"/api/v1/models/{MODEL}/quality", params=params)
        found: Json = report["macro"]["f1"] | {"n": report["n_labelled"]}
        return found

    def _send(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            return self._client.request(method, path, **request)
        except httpx2.HTTPError as error:
            raise DemoError(
                f"{self.url} does not answer ({type(error).__name__}). Is the service still up?"
            ) from error


def wait_until(condition: Callable[[], Any], what: str, *, longest_s: float) -> Any:
    """What `condition` says once it is true. Raises DemoError after `longest_s` seconds."""
    deadline = time.monotonic() + longest_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise DemoError(f"After {longest_s:.0f} s {what}.")
        time.sleep(POLL_S)
    return found


def _told(row: Json) -> Told:
    resolved = row["resolved_at"]
    return Told(
        id=row["id"],
        kind=row["kind"],
        severity=row["severity"],
        summary=row["summary"],
        fired_at=datetime.fromisoformat(row["fired_at"]),
        resolved_at=datetime.fromisoformat(resolved) if resolved else None,
    )


def _refusal(method: str, path: str, answer: httpx2.Response) -> str:
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.text[:200]
    if answer.status_code in (401, 403):
        return (
            f"The key was refused: {message}. The demo needs one with the scope admin: that of "
            "first-run.json, or name another by BELLWETHER_API_KEY."
        )
    return f"{method} {path} was answered {answer.status_code}: {message}"
