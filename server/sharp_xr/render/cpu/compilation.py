"""How this folder's functions are compiled: without the GIL, and kept on disk.

numba's cache looks at the file of the compiled function only. What is inlined from a neighbouring
file would stay as it was when that file changes (after a ``git pull``, say), so here the cache's
key holds a digest of the whole folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numba.extending
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])

FAST_MATH = {"contract", "nsz", "arcp", "afn"}
"""Not "reassoc": it deletes the rounding by a magic number in blending.py. Not "nnan" or "ninf":
overflowing Gaussians are sorted out by comparisons that NaN and infinity must reach."""


def kernel(function: F) -> F:
    """Compile on the first call; dividing by zero gives an infinity, as in numpy.

    It makes no arrays: so numba need not count who holds one. It would do so with a locked
    instruction at each slice, for which the processor finishes all that it had begun.
    """
    return _compiled(function, _nrt=False)


def inlined_kernel(function: F) -> F:
    """One that always becomes part of its caller. A call from an inner loop costs more than it
    looks: each array travels as seven words."""
    return _compiled(function, _nrt=False, forceinline=True)


def allocating_kernel(function: F) -> F:
    """One that makes arrays of its own, which is nothing for an inner loop."""
    return _compiled(function)


def _compiled(function: F, **options: bool) -> F:
    njit: Any = numba.njit  # its types do not know _nrt
    compiled = njit(nogil=True, fastmath=FAST_MATH, error_model="numpy", **options)(function)
    compiled._cache = _FolderCache(function)  # type: ignore[no-untyped-call]
    return cast(F, compiled)


def instruction(generate: Callable[..., Any]) -> Callable[..., Any]:
    """What kernels may call and we write in LLVM's own language: a numba intrinsic, whose first
    argument (the typing context) its callers do not pass."""
    return numba.extending.intrinsic(generate)


class _FolderCache(FunctionCache):
    def _index_key(self, signature: Any, codegen: Any) -> Any:
        key = super()._index_key(signature, codegen)  # type: ignore[no-untyped-call]
        return (*key, folder_digest())


@functools.cache
def folder_digest() -> str:
    """Of all source files of this folder."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def cpu_features() -> set[str]:
    """Of the processor that numba compiles for: this one, or what NUMBA_CPU_FEATURES says."""
    chosen = os.environ.get("NUMBA_CPU_FEATURES")
    if chosen is not None:
        return {name[1:] for name in chosen.split(",") if name.startswith("+")}
    return {name for name, has in llvmlite.binding.get_host_cpu_features().items() if has}


def has_wide_vectors() -> bool:
    """Whether 16 floats fit a register; where they do not, simd.py is slower than blending.py."""
    return "avx512f" in cpu_features()
