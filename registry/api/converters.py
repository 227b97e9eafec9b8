"""Path parts that are checked while the path is matched: what cannot exist is a plain 404."""

from collections.abc import Callable

from django.urls import register_converter

from registry.errors import InvalidName
from registry.names import check_name_part, check_namespace


class NamespaceConverter:
    """The first half of a model name."""

    regex = "[A-Za-z0-9._-]{1,96}"

    def to_python(self, value: str) -> str:
        return _checked(check_namespace, value)

    def to_url(self, value: str) -> str:
        return value


class ModelNameConverter:
    """The second half of a model name."""

    regex = "[A-Za-z0-9._-]{1,96}"

    def to_python(self, value: str) -> str:
        return _checked(check_name_part, value)

    def to_url(self, value: str) -> str:
        return value


class VersionConverter:
    """A version's number, small enough for every database."""

    regex = "[1-9][0-9]{0,8}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


def _checked(check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except InvalidName as error:
        raise ValueError(error.message) from error


register_converter(NamespaceConverter, "namespace")
register_converter(ModelNameConverter, "modelname")
register_converter(VersionConverter, "version")
