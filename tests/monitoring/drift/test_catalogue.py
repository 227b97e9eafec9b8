import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import monitoring.drift
from monitoring.drift import catalogue

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "detectors.md"
MODULES = [
    module.name for module in pkgutil.walk_packages(monitoring.drift.__path__, "monitoring.drift.")
]


def documented() -> dict[str, list[str]]:
    """The table rows of the page: the name in backticks → the other cells."""
    rows = (re.match(r"\| `(\w+)` \|(.*)\|$", line) for line in PAGE.read_text().splitlines())
    return {row[1]: [cell.strip() for cell in row[2].split("|")] for row in rows if row}


def test_the_page_names_every_detector_and_no_other() -> None:
    assert set(documented()) == set(catalogue.NAMES)


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_the_page_says_family_and_need_of_a_detector(name: str) -> None:
    detector, cells = catalogue.get(name), documented()[name]
    assert cells[0] == detector.family.value
    assert ("sample" in cells[2]) == detector.needs_sample


def test_names_are_found_and_unique() -> None:
    detectors = (*catalogue.DEFAULTS, *catalogue.ON_DEMAND)
    assert [catalogue.get(name) for name in catalogue.NAMES] == list(detectors)
    assert len(set(catalogue.NAMES)) == len(detectors)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no detector 'ks'.*kolmogorov_smirnov"):
        catalogue.get("ks")


def test_defaults_need_no_sample() -> None:
    assert not any(detector.needs_sample for detector in catalogue.DEFAULTS)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
