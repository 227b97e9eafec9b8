from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


def read(name: str, text: str) -> object:
    return env.read({name: text})[name]


@pytest.mark.parametrize(
    "url", ["", "smtp://localhost:25", "smtp+tls://me%40a.b:pw@mail.example:587", "consolemail://"]
)
def test_mail_servers_are_urls(url: str) -> None:
    assert read("BELLWETHER_EMAIL_URL", url) == url


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example:25", "smtp://mail.example"])
def test_what_is_no_mail_server_stops_the_start_without_showing_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as failure:
        read("BELLWETHER_EMAIL_URL", url)
    assert url not in str(failure.value)


def test_a_mail_servers_password_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("smtp://me:pw@mail.example:25\n")
    found = env.read({"BELLWETHER_EMAIL_URL_FILE": str(tmp_path / "url")})
    assert found["BELLWETHER_EMAIL_URL"] == "smtp://me:pw@mail.example:25"


def test_the_public_address_is_one() -> None:
    assert read("BELLWETHER_PUBLIC_URL", "https://models.acme.example/") == (
        "https://models.acme.example"
    )
    for text in ("models.acme.example", "https://a.example/?x=1", "javascript:alert(1)"):
        with pytest.raises(ImproperlyConfigured):
            read("BELLWETHER_PUBLIC_URL", text)
