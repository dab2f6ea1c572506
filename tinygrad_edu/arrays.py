"""Values in NumPy: each ufunc that has a row applies that row, element by element.

NumPy computes with an array of objects by their operators and methods: ``np.exp`` calls
``x.exp()``. For some ufuncs it calls no method, or one that plain floats beside the Values don't
have. A Value among the arguments, and every array that a derivative passes to a function, take over
here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

UFUNCS: Final[dict[str, Callable[..., Any]]] = {}
"""By the name of a ufunc, the same function of numbers and Values; `aliases` fills it."""


def apply_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
    """NumPy's hook ``__array_ufunc__``: calls a ufunc with a Value or an array of Values."""
    import numpy

    inputs = tuple(map(_plain, inputs))
    if "out" in settings:
        settings["out"] = tuple(map(_plain, settings["out"]))
    function = UFUNCS.get(ufunc.__name__)
    called = function and numpy.frompyfunc(function, ufunc.nin, 1, identity=ufunc.identity)
    with numpy.errstate(all="ignore"):  # arithmetic of Values doesn't warn
        result = getattr(called or ufunc, method)(*inputs, **settings)
    if called and ufunc.types[-1].endswith("->?"):  # isfinite and the like
        return numpy.asarray(result, bool)[()]
    return tuple(map(of_values, result)) if type(result) is tuple else of_values(result)


def _plain(x: Any) -> Any:
    """An argument for which NumPy doesn't call the hook: its own array, a Value as one in it."""
    import numpy

    if isinstance(x, numpy.ndarray):
        return x.view(numpy.ndarray) if type(x) is _kind() else x
    if not hasattr(type(x), "interpret"):
        return x
    made = numpy.empty((), object)
    made[()] = x
    return made


def of_values(array: Any) -> Any:
    """An array of objects as one on which all these ufuncs work; anything else as it is."""
    import numpy

    if type(array) is numpy.ndarray and array.dtype == object:
        return array.view(_kind())
    return array


@cache
def _kind() -> type[Any]:
    """The class of these arrays, made late because NumPy is imported late."""
    import numpy

    return type("ValueArray", (numpy.ndarray,), {"__array_ufunc__": apply_ufunc})
