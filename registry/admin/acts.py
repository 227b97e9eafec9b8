"""What every act in the admin shares: who acts, and one sentence for each row's outcome."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from registry.errors import RegistryError

CHANGE_VERSION = "registry.change_version"

_Row = TypeVar("_Row")


def each(
    view: ModelAdmin, request: HttpRequest, rows: Iterable[_Row], work: Callable[[_Row], str]
) -> None:
    """Do `work` for each row and show its sentence, or that of the error that it met."""
    for row in rows:
        try:
            view.message_user(request, f"{work(row)}.", messages.SUCCESS)
        except RegistryError as error:
            view.message_user(request, f"{error.message}.", messages.ERROR)


def get_actor(request: HttpRequest) -> str:
    """Who acts, as events keep it."""
    return f"{request.user.get_username()} (admin)"
