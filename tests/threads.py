"""Many threads at once, for tests of what they share."""

from __future__ import annotations

import threading
from collections.abc import Callable


def eight(work: Callable[[int], object]) -> None:
    """Run ``work(0)`` to ``work(7)``, each in a thread of its own, until all are done."""
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
