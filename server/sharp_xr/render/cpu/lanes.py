"""16 floats in a register of AVX-512, written as numbers are."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from sharp_xr.render.cpu.vectors import FLOATS, INT16, INTS, constant, llvm_function
from sharp_xr.render.cpu.vectors import root as square_root

CONTRACT = ("contract", "nsz")


class Vector:
    """16 floats in a register, with a number's operators."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _of(self, other: Vector | float) -> Any:
        return other.value if isinstance(other, Vector) else constant(float(other))

    def __add__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fadd(self.value, self._of(other), CONTRACT))

    def __sub__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fsub(self.value, self._of(other), CONTRACT))

    def __mul__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fmul(self.value, self._of(other), CONTRACT))

    def reciprocal(self) -> Vector:
        return Vector(self.builder, self.builder.fdiv(constant(1.0), self.value))

    def nearly_reciprocal(self) -> Vector:
        """To 14 bits."""
        return self._guess("rcp14")

    def nearly_root(self) -> Vector:
        """To 14 bits, of a positive number: the root's reciprocal times the number."""
        return self * self._guess("rsqrt14")

    def _guess(self, name: str) -> Vector:
        guess = llvm_function(
            self.builder, f"llvm.x86.avx512.{name}.ps.512", FLOATS, FLOATS, FLOATS, INT16
        )
        return Vector(self.builder, guess(self.value, constant(0.0), ir.Constant(INT16, 0xFFFF)))

    def at_least(self, other: Vector | float) -> Vector:
        """The other where this is a NaN."""
        limit = self._of(other)
        larger = self.builder.fcmp_ordered(">", self.value, limit)
        return Vector(self.builder, self.builder.select(larger, self.value, limit))

    def at_most(self, other: Vector | float) -> Vector:
        """The other where this is a NaN."""
        limit = self._of(other)
        smaller = self.builder.fcmp_ordered("<", self.value, limit)
        return Vector(self.builder, self.builder.select(smaller, self.value, limit))

    def is_(self, comparison: str, other: Vector | float) -> Any:
        """16 bits; none where one is a NaN."""
        return self.builder.fcmp_ordered(comparison, self.value, self._of(other))

    def away_from_zero(self, least: float) -> Vector:
        """``least`` where it is nearer to zero."""
        size = llvm_function(self.builder, "llvm.fabs.v16f32", FLOATS, FLOATS)(self.value)
        tiny = self.builder.fcmp_ordered("<", size, constant(least))
        return Vector(self.builder, self.builder.select(tiny, constant(least), self.value))

    def root(self) -> Vector:
        return Vector(self.builder, square_root(self.builder, self.value))

    def floor(self) -> Vector:
        call = llvm_function(self.builder, "llvm.floor.v16f32", FLOATS, FLOATS)
        return Vector(self.builder, call(self.value))

    def blocks(self) -> Any:
        """Pixels -> the 4 x 4 blocks they are in, as integers."""
        pixels = self.builder.fptosi(self.value, INTS)
        return self.builder.lshr(pixels, constant(2, INTS))
