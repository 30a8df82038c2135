"""How this folder's loops are compiled, and run on as many threads as torch may use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import numba
import torch

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled on its first call, kept on disk, without the GIL; x/0 is infinite as in numpy.

    What is on disk is renewed when the function's own file changes, and only then: constants and
    functions of other files must come in as arguments.
    """
    compiled: Any = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return cast(F, compiled)


def over_rows(rows: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, end)`` on bands that cover all rows, a thread each, and wait for them.

    Bands write rows of their own only, so the result does not depend on the number of threads.
    """
    threads = max(1, min(torch.get_num_threads(), rows))
    if threads == 1:
        work(0, rows)
        return
    cuts = [rows * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, cuts[:-1], cuts[1:]))
