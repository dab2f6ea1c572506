"""Each of `keras_cases` on our side, against what Keras itself answered."""

from __future__ import annotations

import json

import pytest

from tests.keras_cases import CASES, RECORDED, plain, same
from tinygrad_edu import keras

ANSWERS = json.loads(RECORDED.read_text(encoding="utf-8"))["cases"]


def differences(mine, theirs, path="") -> list[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = {**mine, **theirs}
        return [x for n in names for x in differences(mine.get(n), theirs.get(n), f"{path}/{n}")]
    return [] if same(mine, theirs) else [f"{path}: {mine} for {theirs}"]


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_that_of_keras(name):
    assert differences(plain(CASES[name](keras)), ANSWERS[name]) == []
