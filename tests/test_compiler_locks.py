"""Processes that are forked, or end, while their threads compile."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def assert_runs(text):
    pytest.importorskip("llvmlite")
    command = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr[-2000:]) == (0, "")


IN_A_CHILD = """
import os, signal, threading, time, warnings
import tinygrad_edu as tg

def in_a_child(compute):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, from Python 3.12 on
        child = os.fork()
    if not child:
        signal.alarm(10)  # a child that waits for what never comes is killed
        compute()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""

TRACING = """
@tg.jit
def tripled(x):
    tracing.set()
    go_on.wait()
    return 3.0 * x

tracing, go_on = threading.Event(), threading.Event()
thread = threading.Thread(target=tripled, args=[1.0])
thread.start()
tracing.wait()

def compute():
    go_on.set()
    assert tripled(2.0) == 6.0

in_a_child(compute)
go_on.set()
thread.join()
assert tripled(2.0) == 6.0
"""

IMPORTING = """
from tinygrad_edu.compiler.code import Code
from tinygrad_edu.compiler.scheduler import Runner

def compute():
    Runner(Code(2, 0, (), ("mul",), ((0, 1),), each=(2,)), "native")

thread = threading.Thread(target=compute, daemon=True)
thread.start()  # it imports NumPy and LLVM, for the first time
while thread.is_alive():
    time.sleep(0.02)
    in_a_child(compute)
"""

DROPPING = """
from tinygrad_edu.compiler import native
from tinygrad_edu.compiler.code import Code

def compute():
    native.load(Code(2, 0, (), ("mul", "exp"), ((0, 1), (2,)), each=(3,)))

def compute_again_and_again():
    while not done.is_set():
        compute()  # and drop it

compute()  # a fork during the first import of LLVM would leave Python's own lock of it closed
done = threading.Event()
threads = [threading.Thread(target=compute_again_and_again, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(3):
    time.sleep(0.05)
    in_a_child(compute)
done.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    "text", [TRACING, IMPORTING, DROPPING], ids=["tracing", "importing", "dropping"]
)
def test_a_child_computes_though_its_parent_was(text):
    assert_runs(IN_A_CHILD + text)


ENDING = """
import atexit, threading, time
from tinygrad_edu.compiler import native
from tinygrad_edu.compiler.code import Code

def compute():
    while True:
        native.load(Code(2, 0, (), ("mul", "exp"), ((0, 1), (2,)), each=(3,)))
        compiled.set()

def last():  # what is registered first
    time.sleep(0.1)
    compiled.clear()
    assert not compiled.wait(0.3)

compiled = threading.Event()
atexit.register(last)
threading.Thread(target=compute, daemon=True).start()
compiled.wait()
"""


def test_no_thread_compiles_while_python_ends():
    """It would abort, one time in five."""
    assert_runs(ENDING)
