"""Code that a type checker must accept. mypy reads this file in `make types`; nothing runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import assert_type

    import tinygrad_edu as tg
    from tinygrad_edu import Value

    v = Value(1.0, name="v", role="input")
    assert_type(v.data, float)
    assert_type(v.grad, float)
    assert_type(v + v, Value)
    assert_type(v * 2, Value)
    assert_type(2.0 - v, Value)
    assert_type(v**2, Value)
    assert_type(-abs(v), Value)
    assert_type(v.tanh().clip(0.0, 1.0), Value)
    assert_type(tg.tanh(0.5), float)
    assert_type(tg.tanh(v), Value)
    assert_type(tg.maximum(v, 1.0), Value)
    assert_type(tg.sum([1.0, 2.0]), float)
    assert_type(tg.sum([v, v * 2.0]), Value)
    assert_type(tg.gradients(v, [v]), list[Value])
    assert_type(tg.snapshot(v).root.adjoint, float)
    assert_type(tg.nn.MLP(2, [3, 1]).parameters(), list[Value])
    assert_type(tg.draw(v).svg(), str)

    assert_type(tg.keras.losses.Huber(delta=2.0), tg.keras.losses.Huber)
    tg.keras.losses.Hubber()  # type: ignore[attr-defined]
    tg.keras.losses.Huber(detla=2.0)  # type: ignore[call-arg]
    tg.keras.metrics.AUC(num_thresholds="many")  # type: ignore[arg-type]
    tg.keras.initializers.GlorotUniform(sed=1)  # type: ignore[call-arg]
