"""The results in words and numbers: on the terminal, as JSON, and a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import chart
from workers import PEERS

QUIET = 0.05  # of all cores in use before a workload starts; above that its times say little
AIMS = {  # PyTorch's time over Kadam's
    "lesson": 25, "sigmoid": 25, "mlp_small": 15, "mlp_digits": 8, "mlp_wide": 1.7, "cnn": 2.3, "gpt": 2.3,
}  # fmt: skip
AIM_OF_OTHERS = 2.0


def duration(seconds: float) -> str:
    """Three digits and the unit that suits them."""
    for unit, factor in (("s ", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_three(seconds * factor)} {unit}"
    return f"{_three(seconds * 1e6)} us"


def _three(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def spread(ratio: dict[str, float]) -> str:
    """The median and, in brackets, the lowest and the highest of the rounds."""
    return f"{ratio['median']:.3g} ({ratio['low']:.3g} to {ratio['high']:.3g})"


def print_workload(name: str, results: dict[str, Any]) -> None:
    """A line for each peer."""
    workload = results["workloads"][name]
    print(f"\n{name}: {workload['title']}")
    if (workload["others_busy"] or 0) > QUIET:
        print(f"  (other processes used {workload['others_busy']:.0%} of the cores as this began)")
    for peer, found in workload["peers"].items():
        print(f"  {PEERS[peer]:14}{peer_line(peer, found, workload, results['limits']['peak_gflops'])}")


def peer_line(peer: str, found: dict[str, Any], workload: dict[str, Any], peak: float) -> str:
    """What one peer has done on one workload."""
    if "error" in found:
        return f"left out: {found['error']}"
    parts = []
    if "step_s" in found:
        parts.append(f"{duration(found['step_s']):>9} a step")
        if workload["flops"]:
            gflops = workload["flops"] / found["step_s"] / 1e9
            parts.append(f"{gflops:7.2f} GFLOP/s, {gflops / peak:5.1%} of peak")
    if ratio := workload["ratios"].get(peer):
        parts.append(f"{'ratio ' + spread(ratio):27}")
    elif "step_s" in found:
        parts.append(" " * 27)
    first = found["first_steps_s"]
    parts.append(f"first 5: {first['cold']:5.2f} s cold, {first.get('warm', float('nan')):5.2f} s warm")
    parts.append(f"{found['peak_bytes'] / 1e6:6,.0f} MB")
    if not found["losses_agree"]:
        parts.append(f"OTHER LOSSES, {found['losses_apart']:.1e} apart")
    if found.get("kernels_in_rounds") or found.get("programs_in_rounds"):
        parts.append(f"COMPILED AGAIN: {found['kernels_in_rounds']} kernels, {found['programs_in_rounds']} programs")
    return "  ".join(parts)


def print_summary(results: dict[str, Any]) -> None:
    """The machine, the packages, the busy machine, and the ratios beside their aims."""
    limits, facts = results["limits"], results["machine"]
    print(f"\n{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads, Python {facts['python']}")
    print("  best f32 product, GFLOP/s  " + "   ".join(f"{k}: {v:.0f}" for k, v in limits["gemm_gflops"].items()))
    print("  copy, GB/s                 " + "   ".join(f"{k}: {v:.1f}" for k, v in limits["copy_gbs"].items()))
    for peer, found in results["packages"].items():
        name = "JAX" if peer == "jit" else PEERS[peer]
        size = f"{found['install_bytes'] / 1e6:,.0f} MB installed"
        print(f"  {name:8} {found['version']:12} {size:20} import {found['import_s']:.2f} s")
    for peer, why in results["absent"].items():
        print(f"  {PEERS[peer]} left out, {why}")
    if busy := results.get("busy"):
        print(f"\nBeside a process that uses one core: {busy['title']}")
        for peer, found in busy["peers"].items():
            print(f"  {PEERS[peer]:14}{busy_line(found)}")
    if any("torch" in workload["ratios"] for workload in results["workloads"].values()):
        print(f"\n{'PyTorch / Kadam':16} {'ratio':26}aim")
    for name, workload in results["workloads"].items():
        if ratio := workload["ratios"].get("torch"):
            print(f"{name:16} {spread(ratio):26}{AIMS.get(name, AIM_OF_OTHERS):g}")
    shares = [workload["others_busy"] or 0 for workload in results["workloads"].values()]
    if max(shares) > QUIET:
        print(f"\nNOT A QUIET MACHINE: others used up to {max(shares):.0%} of the cores. These times say little.")


def busy_line(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"left out: {found['error']}"
    return (
        f"{duration(found['quiet_s']):>9} a step quiet, {duration(found['busy_s']):>9} busy, "
        f"{found['times_slower']:.1f} times slower"
    )


def problems(results: dict[str, Any]) -> list[str]:
    """What is wrong, whatever the speed: Kadam fails, computes something else or compiles in the steady state."""
    found = []
    for name, workload in results["workloads"].items():
        kadam = workload["peers"].get("kadam", {})
        if "error" in kadam:
            found.append(f"{name}: Kadam fails: {kadam['error']}")
        elif kadam and not kadam["losses_agree"]:
            found.append(f"{name}: Kadam's losses are {kadam['losses_apart']:.1e} away from PyTorch's")
        if kadam.get("kernels_in_rounds") or kadam.get("programs_in_rounds"):
            found.append(f"{name}: Kadam compiled in the steady state")
    return found


def verdict(results: dict[str, Any]) -> int:
    """The exit code, after the problems are told; ratios are no part of it."""
    for problem in (found := problems(results)):
        print(problem)
    return int(bool(found))


def write(results: dict[str, Any], out: Path) -> None:
    """The numbers as JSON and the ratios as a picture."""
    out.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{out}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    chart.draw(Path(f"{out}.svg"), results)
    print(f"\n{out}.json and .svg")
