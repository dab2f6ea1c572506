"""Record once, replay fast: a graph of Values as a flat program, run by whichever executor fits.

    Values ──lowering──▶ Code ──an executor──▶ numbers
      ▲
      └── a recorded graph (`compile`), or a function called once (`tracing`: `jit`, `vmap`)

- `code`: a program as plain data, which knows no executor.
- `lowering`: from Values to a program, with its derivative.
- `tracing` (`jit`), `batching` (`vmap`), `calls`: functions in, functions out.
- `program`: the object that users run for batches of samples.
- `scheduler` chooses the executor of a program: `python`, `machine` or `native`.
- `transforms`: programs made of programs.
- `lifting` finds the tensors in a program of scalars; `tensors` shows them, `tensor_machine` runs
  them.
- `exporting` (`tg.export`): programs in other languages.
- `training_loop`: many training steps in one call.

Nothing is differentiated here: the derivative of a program is the one reverse sweep,
`calculus.reverse`, with slots of the program for numbers, and the partials of the table.
"""

from __future__ import annotations

from .batching import vmap
from .code import Code
from .lowering import Flat, flatten
from .program import Program, compile
from .tracing import jit

__all__ = ["Code", "Flat", "Program", "compile", "flatten", "jit", "vmap"]
