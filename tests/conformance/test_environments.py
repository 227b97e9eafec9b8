import re

import pytest

from tests.conformance import environments
from tests.conformance.conftest import HERE

PACKAGES = {
    "hub": ("huggingface-hub", {"hf-xet"}),
    "openai": ("openai", {"pydantic"}),
    "tritonclient": ("tritonclient", {"aiohttp", "gevent", "geventhttpclient", "numpy"}),
}
ALL = [(client, v) for client, versions in environments.CLIENTS.items() for v in versions]


@pytest.mark.parametrize(("client", "version"), ALL)
def test_a_client_is_pinned_whole_and_by_hash(client, version):
    package, needed = PACKAGES[client]
    text = environments.pins_of(version, client).read_text()
    packages = re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)
    assert f"{package}=={version} " in text
    assert needed <= set(packages)
    assert len(packages) >= 12
    for block in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block


def test_every_pin_has_its_case():
    """A version that is pinned and never run would only look tested."""
    text = (HERE / "test_clients.py").read_text()
    assert all(f'"{version}"' in text for version in environments.VERSIONS)
    assert {path.name for path in environments.PINS.iterdir()} == {
        environments.pins_of(version, client).name for client, version in ALL
    }


def test_the_script_has_the_steps_of_the_contract():
    assert (HERE / "client_script.py").read_text().count("\n@step\n") >= 27
