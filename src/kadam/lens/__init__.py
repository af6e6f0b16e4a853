"""The lens: any training step shown, explained with its own numbers, and diagnosed.

`watch` and `capture` hand out steps; explain, draw and diagnose read these and nothing else.
"""

from kadam.lens.diagnose import Diagnosis, Doctor, Finding, diagnose, diagnosing
from kadam.lens.step import Event, Fault, ModuleCall, OptimizerFacts, Parameter, Step, StepRecord, Summary
from kadam.lens.watch import Watched, capture, watch

__all__ = [
    "Diagnosis",
    "Doctor",
    "Event",
    "Fault",
    "Finding",
    "ModuleCall",
    "OptimizerFacts",
    "Parameter",
    "Step",
    "StepRecord",
    "Summary",
    "Watched",
    "capture",
    "diagnose",
    "diagnosing",
    "watch",
]
