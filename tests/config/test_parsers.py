import io

import pytest
from rest_framework.exceptions import ParseError

from config.parsers import BoundedJSONParser


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[1", b"\xff"])
def test_what_cannot_be_read_as_json_is_the_callers_error(body):
    with pytest.raises(ParseError):
        BoundedJSONParser().parse(io.BytesIO(body))


def test_ordinary_json_is_read():
    assert BoundedJSONParser().parse(io.BytesIO(b'{"a": [1]}')) == {"a": [1]}
