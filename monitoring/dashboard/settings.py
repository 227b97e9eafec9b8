"""What the page of the settings in force shows. The settings come as rows of words, by group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInForce:
    """One setting; a secret's `value` is a word, never the secret. `source` is where it is from."""

    group: str
    name: str
    value: str
    source: str
    default: str
    help: str

    @property
    def is_default(self) -> bool:
        return self.source == DEFAULT


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    settings: tuple[SettingInForce, ...]


def find_settings(
    rows: Iterable[Mapping[str, str]], text: str = "", *, only_changed: bool = False
) -> tuple[Group, ...]:
    """The groups with those settings whose name, value or help has every word of `text`.

    `rows` lie together by group. A group without such a setting is left out.
    """
    words = text.lower().split()
    found = (
        setting
        for setting in (SettingInForce(**row) for row in rows)
        if not (only_changed and setting.is_default) and _has(setting, words)
    )
    return tuple(
        Group(title, tuple(settings))
        for title, settings in groupby(found, key=lambda setting: setting.group)
    )


def _has(setting: SettingInForce, words: list[str]) -> bool:
    text = f"{setting.name} {setting.value} {setting.help} {setting.group}".lower()
    return all(word in text for word in words)
