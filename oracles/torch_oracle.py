"""PyTorch as an oracle: the catalogue in PyTorch, eager or compiled, differentiated by `torch.autograd`."""

from __future__ import annotations

import importlib
import subprocess
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from oracles.oracle import Array, Gradient, Oracle, Subject

if TYPE_CHECKING:
    from harness.case import Case
    from oracles.exact.program.recording import Recording

RECOMPILATIONS = 4096  # far beyond torch's 8, after which it would run eagerly without a word


@final
class TorchOracle(Oracle):
    """Asks PyTorch on one device ("cpu" unless told otherwise), eagerly or through `torch.compile`.

    Compiled, the forward and the backward that AOTAutograd makes of it are Inductor's kernels. They are
    specialised to each shape, as the eager ones are.
    """

    package = "torch"
    machine = "torch"

    def __init__(self, device: str = "cpu", compiled: bool = False) -> None:
        self.name = "torch-compile" if compiled else "torch"
        self.device = device
        self.compiled = compiled
        self._eager = TorchOracle(device) if compiled else self
        if compiled:
            self.slow = "torch.compile builds a kernel for each case and shape, in seconds: run with --full"

    def unavailable(self) -> str:
        """Compiled, it needs a C++ compiler too."""
        return super().unavailable() or (_no_compiler() if self.compiled else "")

    def unsupported(self, case: Case) -> str:
        """A case that is not written in `torch_functions`."""
        from oracles.torch_functions import FUNCTIONS

        return "" if case.name in FUNCTIONS else f"{case.name} is not written in oracles/torch_functions.py"

    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as it is or compiled; it works in the dtype of its arguments."""
        import torch

        from oracles.torch_functions import FUNCTIONS

        function = FUNCTIONS[case.name]
        if self.compiled:
            function = _compiled(function)
        pull = pullback(function, case.argnums)

        def value(*args: Any) -> Any:
            with torch.no_grad():
                return function(*args)

        def load(array: Array) -> Any:
            return as_tensor(array, self.device)

        return Subject(load, value, pull, _as_array, _as_gradient)

    @property
    def eager(self) -> TorchOracle:
        """The oracle that does not compile."""
        return self._eager

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The operators that autograd runs, forward and backward. Compiled, they are fused: the same formula.

        The outputs are the gradients that are not None.
        """
        from oracles.exact.from_aten import record
        from oracles.torch_functions import FUNCTIONS

        function, loaded = FUNCTIONS[case.name], tuple(map(as_tensor, args))
        if cotangent is None:
            return record(function, loaded, edges=False)
        return record(pullback(function, case.argnums), (as_tensor(cotangent), *loaded), edges=False)


def pullback(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`pull(cotangent, *args)`: the gradients of a function of tensors for the arguments in `argnums`.

    The cotangent is a tuple where the function returns several tensors. A gradient is None where autograd
    has none. `nested` ones are differentiated again.
    """

    def pull(cotangent: Any, *args: Any) -> tuple[Any, ...]:
        import torch

        # Whatever grad mode the caller is in: a gradient is what is asked for.
        with torch.enable_grad():
            leaves = [a.detach() if isinstance(a, torch.Tensor) and not nested else a for a in args]
            moving = [leaves[i] if leaves[i].requires_grad else leaves[i].requires_grad_() for i in argnums]
            result = function(*leaves)
            several = isinstance(result, (tuple, list))
            pairs = zip(result, cotangent, strict=True) if several else [(result, cotangent)]
            reached = [(out, ct) for out, ct in pairs if out.requires_grad]
            if not reached:
                return (None,) * len(moving)
            outputs, cotangents = zip(*reached, strict=True)
            found: tuple[Any, ...] = torch.autograd.grad(
                outputs, moving, cotangents, allow_unused=True, create_graph=nested
            )
            return found

    return pull


def load_forward_mode() -> None:
    """Load what torch loads with its first dual number, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def pushforward(function: Callable[..., Any], argnums: Sequence[int]) -> Callable[..., tuple[Any, ...]]:
    """`push(tangents, *args)`: the derivatives of a function's results along tangents, by dual numbers."""

    def push(tangents: Sequence[Any], *args: Any) -> tuple[Any, ...]:
        import torch
        from torch.autograd import forward_ad

        load_forward_mode()
        with forward_ad.dual_level(), torch.enable_grad():
            full = list(args)
            for position, tangent in zip(argnums, tangents, strict=True):
                full[position] = forward_ad.make_dual(  # type: ignore[no-untyped-call]
                    args[position].detach(), tangent
                )
            duals = [
                forward_ad.unpack_dual(out)  # type: ignore[no-untyped-call]
                for out in function(*full)
            ]
            return tuple(
                torch.zeros_like(d.primal) if d.tangent is None else d.tangent.detach() for d in duals
            )

    return push


def as_tensor(array: Any, device: str = "cpu") -> Any:
    """A NumPy array (bfloat16 is that of `ml_dtypes`) as a tensor with its strides; a tensor as it is."""
    import torch

    if isinstance(array, torch.Tensor):
        return array.to(device)
    whole = np.asarray(array)
    if any(s < 0 for s in whole.strides):  # PyTorch has no negative strides
        whole = np.ascontiguousarray(whole)
    half = whole.dtype.name == "bfloat16"
    with warnings.catch_warnings():
        # A broadcast view is read-only, and its strides are what is to be tried; nothing writes.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        tensor = torch.from_numpy(whole.view(np.int16) if half else whole)
    return (tensor.view(torch.bfloat16) if half else tensor).to(device)


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


def _as_array(tensor: Any) -> Array:
    import torch

    tensor = tensor.detach().cpu()
    if tensor.dtype != torch.bfloat16:
        return np.asarray(tensor.numpy())
    import ml_dtypes

    return np.asarray(tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16))


def _as_gradient(result: Any) -> Gradient:
    return Gradient(tuple(None if g is None else _as_array(g) for g in result))
