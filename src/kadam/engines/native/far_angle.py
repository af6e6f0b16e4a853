"""Angles far from 0, reduced by integer arithmetic with as many bits of 2 / pi as they need.

Source: M. Payne, R. Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18 (1983).
"""

from __future__ import annotations

# The first bits of 2 / pi, after 64 zeros.
_TWO_BY_PI = int(
    "A2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163ABDEBBC561B7246E3A424DD2E006492EEA09D1921C"
    "FE1DEB1CB129A73EE88235F52EBB4484E99C7026B45F7E413991D639835339F49C845F8BBDF9283B1FF897FFDE05980F"
    "EF2F118B5A0A6D1F6D367ECF27CB09B74F463F669E5FEA2D7527BAC7EBE5F17B3D0739F78A5292EA6BFB5FB11F8D5D08"
    "56033046FC7B6BAB",
    16,
)
_WORDS = 20


def _table() -> str:
    words = [(_TWO_BY_PI >> (64 * (_WORDS - 2 - i))) & (2**64 - 1) for i in range(_WORDS - 1)]
    return ", ".join(f"i64 {word}" for word in [0, *words])


# `far_angle(x, r, low, quarter)`, 2^20 <= |x| < inf: |x| = m 2^e with an integer m of 53 bits. Of 2 / pi only the 192
# bits from the one of weight 2^(1 - e) on matter: those before make multiples of 4 right angles, those after almost
# nothing. The product has 126 bits behind the point; they are rounded to right angles and a rest, and this is
# multiplied by pi / 2 in double precision twice over.
_FUNCTION = f"""@two_by_pi = private constant [{_WORDS} x i64] [{_table()}]
define internal void @far_angle(double %x, ptr %r_place, ptr %low_place, ptr %quarter_place) nounwind noinline {{
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %first = sub i64 %exponent, 1013
  %word = lshr i64 %first, 6
  %offset = and i64 %first, 63
  %p0 = getelementptr i64, ptr @two_by_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %t0 = load i64, ptr %p0
  %t1 = load i64, ptr %p1
  %t2 = load i64, ptr %p2
  %t3 = load i64, ptr %p3
  %w0 = call i64 @llvm.fshl.i64(i64 %t0, i64 %t1, i64 %offset)
  %w1 = call i64 @llvm.fshl.i64(i64 %t1, i64 %t2, i64 %offset)
  %w2 = call i64 @llvm.fshl.i64(i64 %t2, i64 %t3, i64 %offset)
  %wide_m = zext i64 %m to i128
  %wide0 = zext i64 %w0 to i128
  %wide1 = zext i64 %w1 to i128
  %wide2 = zext i64 %w2 to i128
  %high = mul i128 %wide_m, %wide0
  %high_part = shl i128 %high, 64
  %middle = mul i128 %wide_m, %wide1
  %end = mul i128 %wide_m, %wide2
  %end_part = lshr i128 %end, 64
  %sum = add i128 %high_part, %middle
  %product = add i128 %sum, %end_part
  %rounded = add i128 %product, {1 << 125}
  %quarter_wide = lshr i128 %rounded, 126
  %quarter = trunc i128 %quarter_wide to i64
  %up = shl i128 %product, 2
  %below = icmp slt i128 %up, 0
  %opposite = sub i128 0, %up
  %size = select i1 %below, i128 %opposite, i128 %up
  %zeros = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %normal = shl i128 %size, %zeros
  %top = lshr i128 %normal, 75
  %top_bits = trunc i128 %top to i64
  %next = lshr i128 %normal, 22
  %next_bits = trunc i128 %next to i64
  %next_53 = and i64 %next_bits, 9007199254740991
  %a = uitofp i64 %top_bits to double
  %b_large = uitofp i64 %next_53 to double
  %b = fmul double %b_large, 0x3CA0000000000000
  %zeros_64 = trunc i128 %zeros to i64
  %scale_exponent = sub i64 970, %zeros_64
  %scale_bits = shl i64 %scale_exponent, 52
  %scale = bitcast i64 %scale_bits to double
  %signed_scale_other = fneg double %scale
  %x_below = icmp slt i64 %bits, 0
  %turn = xor i1 %x_below, %below
  %signed_scale = select i1 %turn, double %signed_scale_other, double %scale
  %a_scaled = fmul double %a, %signed_scale
  %b_scaled = fmul double %b, %signed_scale
  %r = fmul double %a_scaled, 0x3FF921FB54442D18
  %r_minus = fneg double %r
  %lost = call double @llvm.fma.f64(double %a_scaled, double 0x3FF921FB54442D18, double %r_minus)
  %with_b = call double @llvm.fma.f64(double %b_scaled, double 0x3FF921FB54442D18, double %lost)
  %low = call double @llvm.fma.f64(double %a_scaled, double 0x3C91A62633145C07, double %with_b)
  %quarter_minus = sub i64 0, %quarter
  %quarter_signed = select i1 %x_below, i64 %quarter_minus, i64 %quarter
  store double %r, ptr %r_place
  store double %low, ptr %low_place
  store i64 %quarter_signed, ptr %quarter_place
  ret void
}}"""
FAR_ANGLE = (
    _FUNCTION,
    "declare i64 @llvm.fshl.i64(i64, i64, i64)",
    "declare i128 @llvm.ctlz.i128(i128, i1)",
    "declare double @llvm.fma.f64(double, double, double)",
)
