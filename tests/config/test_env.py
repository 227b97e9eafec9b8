import pytest
from django.core.exceptions import ImproperlyConfigured

import config.settings
from config.env import SETTINGS, read


def test_every_setting_has_a_default_that_parses():
    values = read({})
    assert set(values) == {setting.name for setting in SETTINGS}


def test_every_setting_is_taken_up_by_the_django_settings():
    kept_apart = {"DATABASE_URL", "BELLWETHER_SECRET_KEY", "BELLWETHER_DEBUG"}
    kept_apart |= {"BELLWETHER_ALLOWED_HOSTS", "BELLWETHER_TRUSTED_ORIGINS"}
    kept_apart |= {"BELLWETHER_LOG_LEVEL", "BELLWETHER_LOG_FORMAT"}
    for setting in SETTINGS:
        assert setting.name in kept_apart or hasattr(config.settings, setting.name), setting.name


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("BELLWETHER_AUTH", "off", False),
        ("BELLWETHER_AUTH", "TRUE", True),
        ("BELLWETHER_PORT", "9000", 9000),
        ("BELLWETHER_ALLOWED_HOSTS", "a.example, b.example,", ["a.example", "b.example"]),
        ("BELLWETHER_TIMEOUT_S", "2.5", 2.5),
        ("BELLWETHER_DTYPE", "BFloat16", "bfloat16"),
        ("BELLWETHER_REDACT", "email, ip", ["email", "ip"]),
        ("BELLWETHER_REDACT_PATTERNS", "", {}),
    ],
)
def test_values_are_parsed(name, text, expected):
    assert read({name: text})[name] == expected


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("BELLWETHER_AUTH", "maybe", "on or off"),
        ("BELLWETHER_PORT", "http", "invalid literal"),
        ("BELLWETHER_MAX_INPUTS", "0", "at least 1"),
        ("BELLWETHER_TIMEOUT_S", "-1", "seconds"),
        ("BELLWETHER_TIMEOUT_S", "nan", "seconds"),
        ("BELLWETHER_DTYPE", "int8", "one of"),
        ("BELLWETHER_RESERVOIR_SIZE", "100000", "from 0 to 10000"),
        ("BELLWETHER_REDACT", "email,passport", "'passport' is no pattern; there are email"),
        ("BELLWETHER_REDACT_PATTERNS", "/nowhere/patterns", "cannot be read"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_is_expected(name, text, hint):
    with pytest.raises(ImproperlyConfigured) as caught:
        read({name: text})
    assert name in str(caught.value)
    assert hint in str(caught.value)


def test_patterns_to_redact_are_read_from_their_file_and_refused_by_line(tmp_path):
    path = tmp_path / "patterns"
    path.write_text("ticket=TCK-[0-9]+\n")
    name = "BELLWETHER_REDACT_PATTERNS"
    assert read({name: str(path)})[name] == {"ticket": "TCK-[0-9]+"}
    path.write_text("ticket=TCK-[0-9]+\nbad=(\n")
    with pytest.raises(ImproperlyConfigured, match="line 2: RE2 cannot use 'bad'"):
        read({name: str(path)})


def test_a_secret_may_come_from_a_file_and_is_never_shown(tmp_path):
    path = tmp_path / "url"
    path.write_text("postgres://somebody:hidden@db/bellwether\n")
    values = read({"DATABASE_URL_FILE": str(path)})
    assert values["DATABASE_URL"] == "postgres://somebody:hidden@db/bellwether"
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL_FILE"):
        read({"DATABASE_URL_FILE": str(tmp_path / "missing")})
