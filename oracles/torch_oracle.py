"""PyTorch as an oracle: the catalogue in PyTorch, eager or compiled, differentiated by `torch.autograd`."""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, final

import numpy as np

from oracles.frameworks.framework import Subject, framework
from oracles.oracle import Case, WrittenOracle

RECOMPILATIONS = 4096  # far beyond torch's 8, after which it would run eagerly without a word


@final
class TorchOracle(WrittenOracle):
    """Asks PyTorch on one device ("cpu" unless told otherwise), eagerly or through `torch.compile`.

    Compiled, the forward and the backward that AOTAutograd makes of it are Inductor's kernels. They are
    specialised to each shape, as the eager ones are.
    """

    package = "torch"
    machine = "torch"

    def __init__(self, device: str = "cpu", compiled: bool = False) -> None:
        self.name = "torch-compile" if compiled else "torch"
        how = "compiled by torch.compile" if compiled else "eagerly"
        self.summary = f"The case in PyTorch, differentiated by PyTorch, {how}."
        self.device = device
        self.compiled = compiled
        self.own = TorchOracle(device) if compiled else self
        if compiled:
            self.slow = "torch.compile builds a kernel for each case and shape, in seconds: run with --full"

    def unavailable(self) -> str:
        """Compiled, it needs a C++ compiler too."""
        return super().unavailable() or (_no_compiler() if self.compiled else "")

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as it is or compiled; it works in the dtype of its arguments. Its value has no history."""
        import torch

        own, function = framework("torch"), self.functions[case.name]
        if self.compiled:
            function = _compiled(function)
        return own.subject(torch.no_grad()(function), own.pullback(function, case.argnums), self.device)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.compile`d whole, so that nothing of it can silently run eagerly."""
    import torch

    fast = torch.compile(function, fullgraph=True, dynamic=False)

    def call(*args: Any) -> Any:
        limits = {"recompile_limit": RECOMPILATIONS, "accumulated_recompile_limit": RECOMPILATIONS}
        with torch._dynamo.config.patch(limits):
            return fast(*args)

    return call


@cache
def _no_compiler() -> str:
    """Why `torch.compile` cannot build a kernel here and what to do, "" if it can.

    It asks for what a kernel needs: a compiler, the headers of C++ and those of Python.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler

    hint = "install g++ and Python's headers, or name a C++ compiler in the variable CXX"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.cpp")
        source.write_text("#include <Python.h>\n#include <vector>\nstd::vector<int> probe;\n")
        headers = f"-I{sysconfig.get_path('include')}"
        try:
            command = [get_cpp_compiler(), headers, "-shared", "-fPIC", str(source), "-o", f"{source}.so"]
            subprocess.run(command, capture_output=True, text=True, check=True)
        except subprocess.CalledProcessError as failed:
            return f"torch.compile cannot build a kernel: {failed.stderr.strip()[:200]}; {hint}"
        except Exception as reason:  # InvalidCxxCompiler, an OSError: whatever finding it raises
            return f"torch.compile finds no C++ compiler: {reason}; {hint}"
    return ""
