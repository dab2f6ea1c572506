"""The assertions of other libraries hold here too, or differ for a reason that is listed.

See tests/trust/asserted.py for the tables and the reasons.
"""

from __future__ import annotations

import math
from collections import Counter

import pytest

from tests.trust.asserted import (
    DIFFERENCES,
    Case,
    agree,
    answered,
    array_api,
    asserted,
    difference,
    ours,
)

TABLES = {"array API": array_api, "tests": asserted, "edges": answered}


@pytest.mark.parametrize("table", TABLES)
def test_other_libraries_agree_or_there_is_a_reason(table: str):
    faults = [
        f"{case}, here {result}"
        for case in TABLES[table]()
        if not agree(case.theirs, result := ours(case)) and difference(case, result) is None
    ]
    assert not faults, f"{len(faults)}:\n" + "\n".join(faults[:20])


def test_zeros_have_the_signs_that_the_array_api_gives_them():
    faults = [
        str(case)
        for case in array_api()
        if case.theirs == 0.0 and ours(case) == 0.0
        and math.copysign(1.0, case.theirs) != math.copysign(1.0, ours(case))
    ]  # fmt: skip
    assert not faults


def test_every_reason_is_needed_and_excuses_no_agreement():
    used: Counter[str] = Counter()
    for case in [c for table in TABLES.values() for c in table()]:
        result = ours(case)
        if not agree(case.theirs, result):
            reason = difference(case, result)
            used[reason.reason if reason else ""] += 1
    assert set(used) == {d.reason for d in DIFFERENCES}


def test_a_difference_without_a_reason_is_noticed():
    wrong = Case("nobody", "", "exp", (1.0,), (0,), 2.0)
    assert not agree(wrong.theirs, ours(wrong))
    assert difference(wrong, ours(wrong)) is None
