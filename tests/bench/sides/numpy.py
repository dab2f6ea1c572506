"""NumPy by hand: forward and backward spelled out, as one who knows both would write them."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from .. import problems as p
from . import Work


def _unpacked(flat, widths):
    """Per layer its weights (outputs × inputs) and biases, as views of the flat array."""
    layers, begin = [], 0
    for n, m in pairwise(widths):
        block = flat[begin : begin + (n + 1) * m].reshape(m, n + 1)
        layers.append((block[:, :n], block[:, n]))
        begin += (n + 1) * m
    return layers


def mlp(samples: int) -> Work:
    xs = p.rows(samples, 2)
    x, y = np.array(xs), np.array(p.labels(xs))
    theta = np.array(p.start(p.count(p.CLASSIFIER)))
    gradient = np.empty_like(theta)
    (w1, b1), (w2, b2), (w3, b3) = _unpacked(theta, p.CLASSIFIER)
    (dw1, db1), (dw2, db2), (dw3, db3) = _unpacked(gradient, p.CLASSIFIER)

    def step():
        h1 = np.maximum(x @ w1.T + b1, 0.0)
        h2 = np.maximum(h1 @ w2.T + b2, 0.0)
        margin = np.maximum(1.0 - y * (h2 @ w3[0] + b3[0]), 0.0)
        ds = np.where(margin > 0.0, y, 0.0) * (-1.0 / samples)
        dw3[0] = ds @ h2
        db3[0] = ds.sum()
        dh2 = np.outer(ds, w3[0]) * (h2 > 0.0)
        dw2[:] = dh2.T @ h1
        db2[:] = dh2.sum(0)
        dh1 = (dh2 @ w2) * (h1 > 0.0)
        dw1[:] = dh1.T @ x
        db1[:] = dh1.sum(0)
        return margin.mean()

    return Work(step, lambda: [step(), *gradient])


def _wide(name: str, samples: int) -> Work:
    widths = p.WIDE[name]
    xs = p.rows(samples, widths[0])
    x, y = np.array(xs), np.array(p.targets(xs))[:, None]
    theta = np.array(p.start(p.count(widths)))
    gradient = np.empty_like(theta)
    layers, slopes = _unpacked(theta, widths), _unpacked(gradient, widths)

    def step():
        outputs = [x]
        for w, b in layers[:-1]:
            outputs.append(np.maximum(outputs[-1] @ w.T + b, 0.0))
        w, b = layers[-1]
        error = outputs[-1] @ w.T + b - y
        d = error * (2.0 / samples)
        for (w, _), (dw, db), h in zip(layers[::-1], slopes[::-1], outputs[::-1]):
            dw[:] = d.T @ h
            db[:] = d.sum(0)
            if h is not x:
                d = (d @ w) * (h > 0.0)
        return (error * error).mean()

    return Work(step, lambda: [step(), *gradient])


wide_8, wide_64, wide_30, wide_784 = (partial(_wide, name) for name in p.WIDE)


def smooth(samples: int) -> Work:
    xs = p.rows(samples, 8)
    x, y = np.array(xs), np.array(p.targets(xs))
    theta = np.array(p.start(p.count(p.REGRESSOR)))
    gradient = np.empty_like(theta)
    (w1, b1), (w2, b2), (w3, b3) = _unpacked(theta, p.REGRESSOR)
    (dw1, db1), (dw2, db2), (dw3, db3) = _unpacked(gradient, p.REGRESSOR)

    def step():
        h1 = np.tanh(x @ w1.T + b1)
        grown = np.exp(h1 @ w2.T + b2)
        h2 = np.log(grown + 1.0)
        error = h2 @ w3[0] + b3[0] - y
        ds = error * (2.0 / samples)
        dw3[0] = ds @ h2
        db3[0] = ds.sum()
        dz2 = np.outer(ds, w3[0]) * (grown / (grown + 1.0))
        dw2[:] = dz2.T @ h1
        db2[:] = dz2.sum(0)
        dz1 = (dz2 @ w2) * (1.0 - h1 * h1)
        dw1[:] = dz1.T @ x
        db1[:] = dz1.sum(0)
        return (error * error).mean()

    return Work(step, lambda: [step(), *gradient])
