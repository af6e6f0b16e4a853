"""The named tuples that some operations return, printed as PyTorch prints them."""

from __future__ import annotations

from typing import Any, Self


class _Result(tuple[Any, ...]):
    """Several results with names, as `torch.return_types`."""

    __slots__ = ()
    fields: tuple[str, ...] = ()

    def __new__(cls, *parts: Any) -> Self:
        return super().__new__(cls, parts)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self.fields.index(name)]
        except ValueError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}. Fix: its fields are "
                f"{', '.join(self.fields)}."
            ) from None

    def __repr__(self) -> str:
        inner = ",\n".join(f"{name}={part!r}" for name, part in zip(self.fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{inner})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self)


def _named(name: str, *fields: str) -> type[_Result]:
    return type(name, (_Result,), {"fields": fields, "__slots__": (), "__module__": __name__})


max = _named("max", "values", "indices")
min = _named("min", "values", "indices")
sort = _named("sort", "values", "indices")
topk = _named("topk", "values", "indices")
kthvalue = _named("kthvalue", "values", "indices")
median = _named("median", "values", "indices")
nanmedian = _named("nanmedian", "values", "indices")
mode = _named("mode", "values", "indices")
cummax = _named("cummax", "values", "indices")
cummin = _named("cummin", "values", "indices")
aminmax = _named("aminmax", "min", "max")
linalg_eigh = _named("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_eig = _named("linalg_eig", "eigenvalues", "eigenvectors")
linalg_svd = _named("linalg_svd", "U", "S", "Vh")
linalg_qr = _named("linalg_qr", "Q", "R")
linalg_slogdet = _named("linalg_slogdet", "sign", "logabsdet")
linalg_lstsq = _named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
svd = _named("svd", "U", "S", "V")
qr = _named("qr", "Q", "R")
slogdet = _named("slogdet", "sign", "logabsdet")
linalg_cholesky_ex = _named("linalg_cholesky_ex", "L", "info")
linalg_inv_ex = _named("linalg_inv_ex", "inverse", "info")
linalg_solve_ex = _named("linalg_solve_ex", "result", "info")
linalg_lu = _named("linalg_lu", "P", "L", "U")
linalg_lu_factor = _named("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _named("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_ldl_factor = _named("linalg_ldl_factor", "LD", "pivots")
linalg_ldl_factor_ex = _named("linalg_ldl_factor_ex", "LD", "pivots", "info")
lu_unpack = _named("lu_unpack", "P", "L", "U")
triangular_solve = _named("triangular_solve", "solution", "cloned_coefficient")
geqrf = _named("geqrf", "a", "tau")
frexp = _named("frexp", "mantissa", "exponent")
histogram = _named("histogram", "hist", "bin_edges")
histogramdd = _named("histogramdd", "hist", "bin_edges")
