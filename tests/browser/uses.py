"""The post's six lines, a picture, an explanation and a page: a test runs it in Python and in
Pyodide, and compares what it prints."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_edu as tg
from tinygrad_edu import keras


def uses() -> dict[str, Any]:
    keras.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    flats = (1, 2, 3, 4, 5, 6, 7)
    prices = (10000, 20000, 30000, 40000, 50000, 60000, 70000)
    path = keras.callbacks.WeightHistory()
    history = model.fit(flats, prices, epochs=500, verbose=0, callbacks=[path])
    loss = model.loss_graph(flats, prices)
    page = tg.explore(model, Path(tempfile.mkdtemp(), "page.html"), data=(flats, prices),
                      training=path).html  # fmt: skip
    return {
        "weights": [weight.tolist() if hasattr(weight, "tolist") else weight
                    for weight in model.get_weights()],
        "losses": history.history["loss"],
        "predicted": model.predict([10]),
        "picture": words(tg.draw(loss, title="the post's model").svg()),
        "network": words(tg.draw(model, view="network").svg()),
        "explained": str(tg.explain(loss, model.parameters()[0])),
        "page": sorted(words(page)),
        "script": re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[-1],
        "hessian": tg.hessian(lambda v: tg.sin(v[0] * v[1]))([0.5, 2.0]),
    }  # fmt: skip


def words(markup: str) -> list[str]:
    """All text in a picture, in the order in which it stands there."""
    return re.findall(r"<(?:text|title)\b[^>]*>([^<]*)", markup)


if __name__ == "__main__":
    print(json.dumps(uses()))
