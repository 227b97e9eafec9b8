"""The restore drill on real processes: what the starter answers before and after is the same."""

from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.server import Server, wait_until

pytestmark = pytest.mark.e2e
STARTER = "starter/sentiment"


def test_a_backup_of_a_served_starter_passes_its_drill(tmp_path: Path) -> None:
    home, target = tmp_path / "home", tmp_path / "backups"
    server = Server(home, "--no-worker")
    try:
        server.start()
        with server.client() as client:
            path = f"/api/v1/models/{STARTER}/predict"
            wait_until(lambda: client.post(path, json={"inputs": "Fine."}).status_code == 200, 60)
    finally:
        server.stop()
    make_golden(server)
    assert "new" in server.manage("backup", str(target))
    told = server.manage("drill", str(target))
    assert f"{STARTER} version 1: 1 golden answers as before" in told
    assert "serves 1 models as before" in told
    assert server.manage("verify", "--full").endswith("sound\n")
    databases.drop_for(home)


def make_golden(server: Server) -> None:
    """Give the starter a golden input, unless it has some, through the shell command."""
    code = (
        "from registry.models import Golden, Version\n"
        "case = {'input': 'A wonderful film.', 'label': 'POSITIVE', 'scores': {}}\n"
        "Golden.objects.update_or_create(version=Version.objects.get(number=1), defaults={"
        "'cases': [case], 'tolerance': 0.001, 'is_given': False})\n"
    )
    server.manage("shell", "-v", "0", "-c", code)
