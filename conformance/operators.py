"""`op_db`: every sample of an operator on PyTorch and on Kadam, with its gradients and its other forms."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

import kadam
from conformance.counterpart import Translation, as_torch, function
from conformance.difference import Comparison, Tolerance, moved_by_a_rounding, tolerance_of
from conformance.quotient import is_expected_to_fail, quotients
from conformance.verdict import Verdict, disagreement
from kadam.sparse import SparseTensor

KINDS = ("op", "grad", "method", "inplace", "out", "error")
_UNINITIALISED = ("empty", "new_empty")  # memory as it was found: only shapes and types can agree
# Factors that are determined up to signs or phases: PyTorch compares what does not depend on these.
_UP_TO_PHASE = ("linalg.eig", "linalg.eigh", "linalg.svd", "svd", "svd_lowrank", "pca_lowrank", "lobpcg")
_SEED = 20
_WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}


def _full(entry: OpInfo) -> str:
    return f"{entry.name}.{entry.variant_test_name}" if entry.variant_test_name else entry.name


ENTRIES: dict[str, OpInfo] = {_full(one): one for one in op_db}


def names(kind: str) -> list[str]:
    """The entries that are compared in a kind."""
    return [name for name, entry in ENTRIES.items() if _takes_part(entry, kind)]


def _takes_part(entry: OpInfo, kind: str) -> bool:
    if kind == "error":
        return entry.error_inputs_func is not None
    if torch.float32 not in entry.dtypes:
        return False
    if kind == "grad":
        return bool(entry.supports_autograd) and torch.float32 in entry.backward_dtypes
    forms = {"method": entry.method_variant, "inplace": entry.inplace_variant, "out": entry.supports_out}
    return bool(forms.get(kind, True))


def judge(name: str, kinds: Sequence[str]) -> list[Verdict]:
    """Compare an entry in these kinds."""
    entry = ENTRIES[name]
    asked = [kind for kind in kinds if _takes_part(entry, kind)]
    verdicts = {kind: Verdict(kind, name) for kind in asked}
    if "error" in verdicts:
        _judge_errors(entry, verdicts["error"])
    forms = {kind: form for kind, form in _forms(entry).items() if kind in verdicts}
    if "grad" in verdicts or "op" in verdicts:
        forms["op"] = _Form(entry.op, _call)
    if forms:
        tolerance = tolerance_of(entry.decorators)
        for index, sample in enumerate(_samples(entry)):
            for kind, form in forms.items():
                _judge_sample(entry, form, sample, f"sample {index}", tolerance, kind, verdicts)
    return list(verdicts.values())


def _samples(entry: OpInfo) -> Iterable[SampleInput]:
    torch.manual_seed(_SEED)
    derived = entry.supports_autograd and torch.float32 in entry.backward_dtypes
    return entry.sample_inputs("cpu", torch.float32, requires_grad=derived)  # type: ignore[no-any-return]


class _Form:
    """A way to call an operator: PyTorch's function, Kadam's, and how either is called on a sample."""

    def __init__(self, reference: Any, call: Callable[..., Any]) -> None:
        self.reference = reference
        self.call = call
        self._own: Any = None

    @property
    def own(self) -> Any:
        if self._own is None:
            self._own = function(self.reference)
        return self._own

    def on(self, m: Any, sample: SampleInput) -> Any:
        """The result of PyTorch's function."""
        return self.call(self.reference, m, sample.input, sample.args, sample.kwargs)


def _forms(entry: OpInfo) -> dict[str, _Form]:
    return {
        "method": _Form(entry.method_variant, _call),
        "inplace": _Form(entry.inplace_variant, _call_in_place),
        "out": _Form(entry.op, _call_with_out),
    }


def _call(form: Any, m: Any, input: Any, args: Any, kwargs: Any) -> Any:
    return form(input, *args, **kwargs)


def _call_in_place(form: Any, m: Any, input: Any, args: Any, kwargs: Any) -> Any:
    return form(input.clone(), *args, **kwargs)


def _call_with_out(form: Any, m: Any, input: Any, args: Any, kwargs: Any) -> Any:
    """The operator with `out=` tensors of the right shape, and with empty ones that are to be resized."""
    with m.no_grad():
        plain = form(input, *args, **kwargs)
        found = []
        for shaped in (True, False):
            out = _outs(m, plain, shaped)
            returned = form(input, *args, **kwargs, out=out)
            ignored = m is torch and returned is out and not _is_written(out, plain)
            found += [plain, plain] if ignored else [out, returned]
    return found


def _is_written(out: Any, plain: Any) -> bool:
    """Whether PyTorch's `out` holds the result: there are functions of one axis that leave it as it was."""
    pairs = zip(leaves(out, torch.Tensor), leaves(plain, torch.Tensor), strict=True)
    return all(one.shape == other.shape and torch.allclose(one, other, equal_nan=True) for one, other in pairs)


def _outs(m: Any, result: Any, shaped: bool) -> Any:
    if isinstance(result, m.Tensor):
        return m.full(tuple(result.shape) if shaped else (0,), 7, dtype=result.dtype)
    return tuple(_outs(m, one, shaped) for one in result)


def _judge_sample(
    entry: OpInfo,
    form: _Form,
    sample: SampleInput,
    case: str,
    tolerance: Tolerance,
    kind: str,
    verdicts: dict[str, Verdict],
) -> None:
    """Compare a sample's results, and in the kind `op` its gradients."""
    if kind == "inplace" and sample.broadcasts_input:
        return  # the result does not fit into the input
    graded = verdicts.get("grad") if kind == "op" else None
    verdict = verdicts.get(kind, Verdict(kind, entry.name))
    precise = _moved(sample, None, True)
    translate = Translation()
    prepared, untranslated = attempt(
        lambda: (form.own, [translate(part) for part in (sample.input, sample.args, sample.kwargs)]), kadam
    )
    expected, refused = attempt(lambda: form.on(torch, sample), torch)
    if refused is not None and kind != "op":
        return  # PyTorch has no such form for this sample
    found: Any = untranslated
    actual = None
    if untranslated is None:
        own_form, own = prepared
        actual, error = attempt(lambda: form.call(own_form, kadam, *own), kadam)
        if refused is not None:
            found = _refusal(error, refused)
        elif error is not None:
            found = error
        else:
            values = not entry.name.startswith(_UNINITIALISED)
            compare = Comparison(
                tolerance,
                values,
                lambda seed, wide: attempt(lambda: form.on(torch, _moved(sample, seed, wide)), torch)[0],
            )
            found = _difference(actual, expected, compare)
            if found is not None and entry.name in _UP_TO_PHASE:
                found = _difference_up_to_phase(sample, actual, expected, tolerance, kind)
            found = found or _difference_of_strides(sample, actual, expected)
            verdict.excused += found is None and compare.excused > 0
            verdict.laid += found is None and _lies_otherwise(actual, expected)
    verdict.note(case, found)
    if graded is None or refused is not None:
        return
    gradients = _gradients_of(sample, expected)
    if gradients is None:
        return
    if found is None:
        compare = Comparison(tolerance, True, lambda seed, wide: _gradients_again(form, sample, seed, wide))
        slopes = [lambda: _slopes(form, sample, precise)] if is_expected_to_fail(entry) else []
        found = _difference_of_gradients(sample, translate, actual, [lambda: gradients, *slopes], compare)
        graded.excused += found is None and compare.excused > 0
    graded.note(case, found)


def _refusal(error: Exception | None, refused: Exception) -> Any:
    """What is wrong where PyTorch refuses a sample."""
    wrong = "no error" if error is None else disagreement(error, type(refused))
    return f"{wrong}; PyTorch: {type(refused).__name__}: {refused}" if isinstance(wrong, str) else wrong


def _gradients_again(form: _Form, sample: SampleInput, seed: int | None, wide: bool) -> Any:
    moved = _moved(sample, seed, wide)
    return _gradients_of(moved, attempt(lambda: form.on(torch, moved), torch)[0])


def _moved(sample: SampleInput, seed: int | None, wide: bool) -> SampleInput:
    """The same sample; with a seed its numbers moved by a rounding, if it is to be wide in double precision."""

    def changed(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dtype in _WIDER:
            given = value.detach()
            given = given if given.layout is not torch.strided else moved_by_a_rounding(given, seed)
            made = given.to(_WIDER[value.dtype] if wide else value.dtype, copy=True)
            return made.requires_grad_(value.requires_grad)
        return _WIDER.get(value, value) if wide and isinstance(value, torch.dtype) else value

    return sample.transform(changed)  # type: ignore[no-any-return]


def attempt(call: Callable[[], Any], m: Any) -> tuple[Any, Exception | None]:
    """A call's result, or its error; random numbers start from the same seed."""
    m.manual_seed(_SEED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(), None
    except Exception as error:
        return None, error


def _difference(actual: Any, expected: Any, compare: Comparison) -> Any:
    """The difference, or the error with which Kadam's values could not be computed."""
    try:
        return compare.difference(as_torch(actual), expected)
    except Exception as error:
        return error


def _difference_up_to_phase(
    sample: SampleInput, actual: Any, expected: Any, tolerance: Tolerance, kind: str = "op"
) -> Any:
    """The difference in types and shapes, or in what PyTorch's tests look at."""
    found = _difference(actual, expected, Comparison(tolerance, values=False))
    if found is not None:
        return found
    if kind == "out":
        pairs = zip(actual, expected, strict=True)
        each = (_difference_up_to_phase(sample, own, other, tolerance) for own, other in pairs)
        return next((one for one in each if one is not None), None)
    processed, error = attempt(lambda: function(sample.output_process_fn_grad)(actual), kadam)
    return error or _difference(processed, sample.output_process_fn_grad(expected), Comparison(tolerance))


def _difference_of_strides(sample: SampleInput, actual: Any, expected: Any) -> str | None:
    """How a view of an input steps through memory otherwise than PyTorch's; None if none does."""
    given = [one for one in leaves([sample.input, sample.args, sample.kwargs], torch.Tensor) if _is_strided(one)]
    memory = {one.untyped_storage().data_ptr() for one in given}
    results = leaves(expected, torch.Tensor)
    if not all(map(_is_strided, results)):
        return None
    for own, other in zip(leaves(actual, kadam.Tensor), results, strict=True):
        if other.untyped_storage().data_ptr() in memory and _steps_otherwise(own, other):
            return f"a view with strides {own.stride()} instead of {other.stride()}"
    return None


def _lies_otherwise(actual: Any, expected: Any) -> bool:
    """Whether a result steps through its memory otherwise than PyTorch's."""
    results = leaves(expected, torch.Tensor)
    if not all(map(_is_strided, results)):
        return False
    return any(map(_steps_otherwise, leaves(actual, kadam.Tensor), results))


def _steps_otherwise(own: Any, other: torch.Tensor) -> bool:
    steps = zip(own.stride(), other.stride(), other.shape, strict=True)
    return bool(other.numel()) and any(mine != theirs and size > 1 for mine, theirs, size in steps)


def _is_strided(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided


def leaves(value: Any, kind: Any) -> list[Any]:
    """The tensors in a structure, in order."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for one in value for leaf in leaves(one, kind)] if isinstance(value, (list, tuple)) else []


def _inputs(sample: SampleInput) -> list[torch.Tensor]:
    found: dict[int, torch.Tensor] = {}
    for one in leaves([sample.input, sample.args, sample.kwargs], torch.Tensor):
        if one.requires_grad:
            found.setdefault(id(one), one)
    return list(found.values())


def _gradients_of(sample: SampleInput, expected: Any) -> list[torch.Tensor | None] | None:
    """PyTorch's gradients; None if there are none."""
    try:
        return _gradients(torch, sample.output_process_fn_grad(expected), _inputs(sample))
    except RuntimeError:
        return None


def _gradients(m: Any, results: Any, inputs: Sequence[Any]) -> list[Any] | None:
    kinds = (m.Tensor, SparseTensor)
    roots = [_dense(one) for one in leaves(results, kinds) if one.requires_grad]
    if not roots or not inputs:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(m.autograd.grad(roots, inputs, [cotangent(m, one) for one in roots], allow_unused=True))


def _dense(tensor: Any) -> Any:
    return tensor.to_dense() if isinstance(tensor, SparseTensor) else tensor


def _at_values(gradients: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """Gradients of matrices; of a sparse one those of its values, which are all that Kadam has of it."""

    def of(gradient: Any, one: Any) -> Any:
        if not isinstance(one, SparseTensor):
            return gradient
        return gradient[as_torch(tuple(one.places))] if gradient.layout is torch.strided else gradient.values()

    return [of(gradient, one) for gradient, one in zip(gradients, inputs, strict=True)]


def _slopes(form: _Form, sample: SampleInput, precise: SampleInput) -> list[torch.Tensor]:
    """PyTorch's gradients by difference quotients."""
    slopes = quotients(lambda: _weighed(precise, form.on(torch, precise)), _inputs(precise))
    return [one.to(given.dtype) for one, given in zip(slopes, _inputs(sample), strict=True)]


@torch.no_grad()
def _weighed(sample: SampleInput, results: Any) -> torch.Tensor:
    """The number whose gradients `_gradients` computes."""
    roots = leaves(sample.output_process_fn_grad(results), torch.Tensor)
    return torch.stack([(cotangent(torch, one) * one).sum() for one in roots]).sum()


def cotangent(m: Any, tensor: Any) -> Any:
    """Numbers of single precision that depend on the shape alone, none of them 0 and no two neighbours alike."""
    weights = [math.cos(0.7 * index + 0.3) + 1.5 for index in range(tensor.numel())]
    return m.tensor(weights, dtype=m.float32).to(tensor.dtype).reshape(tuple(tensor.shape))


def _difference_of_gradients(
    sample: SampleInput, translate: Translation, actual: Any, right: Sequence[Callable[[], Any]], compare: Comparison
) -> Any:
    """The difference from what is right, of which there may be several."""
    try:
        processed = function(sample.output_process_fn_grad)(actual)
        inputs = [translate(one) for one in _inputs(sample)]
        found = _gradients(kadam, processed, [getattr(one, "parts", one) for one in inputs])
        if found is None:
            return "no result requires grad"
        differences = [compare.difference(as_torch(found), _at_values(right[0](), inputs))]
        for expected in right[1:] if differences[0] is not None else ():
            differences.append(compare.difference(as_torch(found), _at_values(expected(), inputs)))
        return None if None in differences else differences[0]
    except Exception as error:
        return error


def _judge_errors(entry: OpInfo, verdict: Verdict) -> None:
    torch.manual_seed(_SEED)
    form = _Form(entry.op, _call)
    for index, error_input in enumerate(entry.error_inputs("cpu")):
        sample = error_input.sample_input
        case = f"error input {index} ({error_input.error_regex})"

        def run(sample: SampleInput = sample) -> Any:
            translate = Translation()
            own = [translate(part) for part in (sample.input, sample.args, sample.kwargs)]
            return as_torch(_call(form.own, kadam, *own))

        _, error = attempt(run, kadam)
        _, refused = attempt(lambda sample=sample: form.on(torch, sample), torch)  # type: ignore[misc]
        if error is None and refused is None:  # PyTorch's operators do not refuse all that its decompositions do
            verdict.note(case, None)
        else:  # where PyTorch's tests say no more than `Exception`, its own error does
            told = error_input.error_type
            verdict.note_error(case, error, type(refused) if told is Exception and refused is not None else told)
