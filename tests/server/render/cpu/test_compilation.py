"""Compiled functions are kept on disk, and never longer than they are right."""

from __future__ import annotations

from typing import Any

import pytest

from sharp_xr.render.cpu import compilation
from sharp_xr.render.cpu.sorting import sort_keys


class Codegen:
    def magic_tuple(self) -> tuple[str, ...]:
        return ("this processor",)


def test_a_change_of_any_file_of_the_folder_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: Any = sort_keys
    before = kept._cache._index_key("signature", Codegen())
    assert kept._cache._index_key("signature", Codegen()) == before
    monkeypatch.setattr(compilation, "folder_digest", lambda: "other sources")
    assert kept._cache._index_key("signature", Codegen()) != before


def test_the_features_that_numba_is_told_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2,+avx512f,-avx512bw")
    assert compilation.has_wide_vectors()
    assert compilation.cpu_features() == {"avx2", "avx512f"}
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2,-avx512f")
    assert not compilation.has_wide_vectors()
