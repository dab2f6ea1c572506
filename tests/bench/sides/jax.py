"""JAX: the loss over the whole batch, ``jit(value_and_grad(...))``, in float64."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from .. import problems as p
from . import Work

jax.config.update("jax_enable_x64", True)


def _score(theta, x, widths, activations):
    begin = 0
    for n, m, activation in zip(widths, widths[1:], [*activations, lambda z: z]):
        block = theta[begin : begin + (n + 1) * m].reshape(m, n + 1)
        x = activation(x @ block[:, :n].T + block[:, n])
        begin += (n + 1) * m
    return x[:, 0]


def _work(loss, widths, x, y) -> Work:
    theta = jnp.array(p.start(p.count(widths)))
    x, y = jnp.array(x), jnp.array(y)
    both = jax.jit(jax.value_and_grad(loss))

    def step():
        return jax.block_until_ready(both(theta, x, y))

    def answer():
        value, gradient = step()
        return [float(value), *gradient.tolist()]

    return Work(step, answer)


def mlp(samples: int) -> Work:
    def loss(theta, x, y):
        score = _score(theta, x, p.CLASSIFIER, [jax.nn.relu, jax.nn.relu])
        return jax.nn.relu(1.0 - y * score).mean()

    xs = p.rows(samples, 2)
    return _work(loss, p.CLASSIFIER, xs, p.labels(xs))


def _wide(name: str, samples: int) -> Work:
    widths = p.WIDE[name]

    def loss(theta, x, y):
        activations = [jax.nn.relu] * (len(widths) - 2)
        return ((_score(theta, x, widths, activations) - y) ** 2).mean()

    xs = p.rows(samples, widths[0])
    return _work(loss, widths, xs, p.targets(xs))


wide_8, wide_64, wide_30, wide_784 = (partial(_wide, name) for name in p.WIDE)


def smooth(samples: int) -> Work:
    def loss(theta, x, y):
        activations = [jnp.tanh, lambda z: jnp.log(jnp.exp(z) + 1.0)]
        return ((_score(theta, x, p.REGRESSOR, activations) - y) ** 2).mean()

    xs = p.rows(samples, 8)
    return _work(loss, p.REGRESSOR, xs, p.targets(xs))
