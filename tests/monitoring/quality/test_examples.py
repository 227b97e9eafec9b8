"""The examples in the docstrings are true."""

import doctest
from types import ModuleType

import pytest

from monitoring.quality import (
    backtest,
    calibration,
    classic,
    comparing,
    confidence_sequence,
    edetector,
    maturity,
    weighted,
)

MODULES = (
    backtest,
    calibration,
    classic,
    comparing,
    confidence_sequence,
    edetector,
    maturity,
    weighted,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_examples_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
