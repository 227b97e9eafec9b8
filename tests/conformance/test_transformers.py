"""transformers with nothing but an address and a key set."""

import json
import sys

import pytest

from tests.conformance import environments
from tests.conformance.conftest import HERE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not environments.is_wanted(), reason="BELLWETHER_CLIENTS=1 runs stock clients"
    ),
]


def test_transformers_reads_back_what_it_pushed(machine, folders):
    """`push_to_hub` and `from_pretrained`: equal files, bit-equal logits, and `prod` is served."""
    given = json.dumps({**folders, "model": "team/transformers"})
    output = machine.run(sys.executable, str(HERE / "transformers_script.py"), given)
    assert "prod_is_what_serves" in output
