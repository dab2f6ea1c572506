"""A transformer of scalars: one layer, attention with several heads, written number by number.

It reads a row of tokens and predicts, at each place, the token that comes next. Everything is a
list of Values: a vector is a list, a matrix a list of rows.

    e = token + position                          embedding
    e += Wo · heads(norm(e))                      attention, each place looks back
    e += W2 · relu(W1 · norm(e))                  a feed-forward network
    loss = mean over places of −log softmax(Wu · norm(e))[next token]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tinygrad_edu as tg
from tinygrad_edu import Value

Vector = Sequence[Any]
Matrix = Sequence[Vector]


class Shape(NamedTuple):
    """How large the model is; as it stands, a step on 8 tokens records about 68,000 nodes."""

    vocabulary: int = 43
    places: int = 8
    width: int = 16
    heads: int = 4
    hidden: int = 64


class Model(NamedTuple):
    """The matrices of a transformer, rows of Values."""

    shape: Shape
    tokens: Matrix
    positions: Matrix
    queries: Matrix
    keys: Matrix
    values: Matrix
    mixing: Matrix
    widening: Matrix
    narrowing: Matrix
    unembedding: Matrix

    def parameters(self) -> list[Value]:
        return [w for matrix in self[1:] for row in matrix for w in row]


def made(shape: Shape) -> Model:
    """A model whose weights are small numbers, the same every time."""
    seed = iter(range(10**9))

    def matrix(rows: int, columns: int) -> Matrix:
        size = math.sqrt(3.0 / columns)
        return [
            [Value(size * math.sin(12.9898 * next(seed) + 1.0)) for _ in range(columns)]
            for _ in range(rows)
        ]

    d, h = shape.width, shape.hidden
    return Model(
        shape, matrix(shape.vocabulary, d), matrix(shape.places, d),
        matrix(d, d), matrix(d, d), matrix(d, d), matrix(d, d),
        matrix(h, d), matrix(d, h), matrix(shape.vocabulary, d),
    )  # fmt: skip


def total(terms: Sequence[Any]) -> Any:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def dot(a: Vector, b: Vector) -> Any:
    return total([x * y for x, y in zip(a, b)])


def apply(matrix: Matrix, x: Vector) -> Vector:
    return [dot(row, x) for row in matrix]


def add(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b)]


def norm(x: Vector) -> Vector:
    """x over its root mean square."""
    scale = 1.0 / tg.sqrt(dot(x, x) * (1.0 / len(x)) + 1e-5)
    return [x_i * scale for x_i in x]


def softmax(scores: Vector) -> Vector:
    powers = [tg.exp(score) for score in scores]
    whole = total(powers)
    return [power / whole for power in powers]


def attention(model: Model, xs: Matrix) -> Matrix:
    """The attention of each place to itself and those before it, by the likeness of key and
    query."""
    size = model.shape.width // model.shape.heads
    queries, keys, values = (
        [apply(matrix, x) for x in xs] for matrix in (model.queries, model.keys, model.values)
    )
    taken = []
    for place in range(len(xs)):
        heads: list[Any] = []
        for part in (slice(i, i + size) for i in range(0, model.shape.width, size)):
            query = queries[place][part]
            scores = [dot(query, key[part]) * size**-0.5 for key in keys[: place + 1]]
            shares = softmax(scores)
            columns = zip(*(value[part] for value in values[: place + 1]))
            heads += [dot(shares, column) for column in columns]
        taken.append(apply(model.mixing, heads))
    return taken


def loss(model: Model, tokens: Sequence[int]) -> Any:
    """The mean cross-entropy of predicting each next token; the last one is predicted only."""
    xs = [add(model.tokens[token], place) for token, place in zip(tokens, model.positions)]
    xs = [add(x, taken) for x, taken in zip(xs, attention(model, [norm(x) for x in xs]))]
    relu: Callable[[Any], Any] = tg.relu
    for i, x in enumerate(xs):
        hidden = [relu(z) for z in apply(model.widening, norm(x))]
        xs[i] = add(x, apply(model.narrowing, hidden))
    costs = []
    for x, following in zip(xs, tokens[1:]):
        logits = apply(model.unembedding, norm(x))
        costs.append(tg.log(total([tg.exp(z) for z in logits])) - logits[following])
    return total(costs) * (1.0 / len(costs))


def text(length: int, vocabulary: int) -> list[int]:
    """Tokens to learn, and one more that is predicted only."""
    return [(5 * i * i + 3 * i) % vocabulary for i in range(length + 1)]
