"""Shared by all tests: Hypothesis profiles, --thorough and --shuffle, and a watch on leaks."""

from __future__ import annotations

import gc
import os
import random
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tinygrad_edu.blocks import MODE

# No clock decides: a busy machine is slow at drawing examples, too.
settings.register_profile(
    "dev", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=2000)


# About the package as a whole, or about other libraries: CI has the time for them.
ONLY_IN_CI = (
    "test_encodings", "test_estimators", "test_exporting", "test_extending", "test_extremes",
    "test_interchange", "test_matrix", "test_mutants", "test_notebooks", "test_peers",
    "test_pyodide", "test_site", "test_terminal", "test_trust",
)  # fmt: skip
collect_ignore_glob = ["data/*"]  # scripts that made the data, by other libraries


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run the slow tests too")
    parser.addoption("--examples", type=int, metavar="N", help="random examples of each test")
    parser.addoption("--shuffle", metavar="SEED", help="run the tests in an order of their own")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup: children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    profile = "ci" if os.environ.get("CI") else "dev"
    settings.load_profile("thorough" if config.getoption("--thorough") else profile)
    if examples := config.getoption("--examples"):
        settings.register_profile("counted", settings.get_profile("dev"), max_examples=examples)
        settings.load_profile("counted")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = set()  # the tests that take longer than a developer wants to wait
    if not config.getoption("--thorough"):
        left.update(item for item in items if "thorough" in item.keywords)
        if not os.environ.get("REQUIRE_BROWSER"):  # as CI does
            asked = " ".join(map(str, config.args))  # a file that was named is run
            slow = [name for name in ("test_exploring_page", *ONLY_IN_CI) if name not in asked]
            left.update(item for item in items if any(name in item.nodeid for name in slow))
            left.difference_update(item for item in items if "smoke" in item.keywords)
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]
    if seed := config.getoption("--shuffle"):
        random.Random(seed).shuffle(items)


def pytest_collection_finish() -> None:
    """The collector need not look through thousands of tests and SciPy again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """A test that leaves a mode or the global random state changed has failed."""
    mode, state = MODE.get(), random.getstate()
    yield
    now = MODE.get()
    assert (now.outer if now.ended else now) is (mode.outer if mode.ended else mode), (
        "a test left a scope, no_grad or detect_anomaly open"
    )
    assert random.getstate() == state, "a test touched the global random state"
