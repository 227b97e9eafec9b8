"""What `serve` tells its user."""

import json
import socket

import pytest
from django.core.management.base import CommandError

from access.services import FirstRun
from config.server import _listen, banner
from config.startup import public_url

FIRST_RUN = FirstRun(
    url="http://127.0.0.1:8000", admin_user="admin", admin_password="pw", api_key="prefix.secret"
)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("models.example", "http://models.example:8000"),
    ],
)
def test_the_address_shown_can_be_pasted(settings, host, shown):
    settings.BELLWETHER_HOST, settings.BELLWETHER_PORT = host, 8000
    assert public_url() == shown


def test_the_first_banner_shows_account_key_and_a_curl_with_the_key():
    text = banner("http://127.0.0.1:8000", FIRST_RUN)
    assert "admin / pw" in text
    assert "Authorization: Bearer prefix.secret" in text
    body = text.split("-d '")[1].split("'")[0]
    assert set(json.loads(body)) == {"inputs"}


def test_later_banners_read_the_key_from_its_file():
    text = banner("http://127.0.0.1:8000", None)
    assert "prefix.secret" not in text
    assert "first-run.json" in text


def test_a_port_that_is_taken_is_said_with_the_remedy(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.BELLWETHER_HOST, settings.BELLWETHER_PORT = taken.getsockname()
        with pytest.raises(CommandError, match="BELLWETHER_PORT"):
            _listen()
