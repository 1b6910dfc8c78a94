"""What runs in training is what is judged: hooks, state, and code that sees that it is watched."""

import random
from collections import Counter, deque
from functools import partial
from itertools import product
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_full_backward_hook
from torch.utils._python_dispatch import _get_current_dispatch_mode as is_watched

from harness import assert_gradient, check_gradient, exact_gradient, exact_value
from harness.result import GradientError
from oracles.frameworks.torch_path import difference, profiler_legacy

D = torch.float64
X = torch.tensor([0.3, -0.7, 1.1], dtype=D)
ROWS = torch.tensor([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]], dtype=D)
W = torch.tensor([0.3, 0.2, -0.1], dtype=D)


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2, dtype=D)


def double(gradient):
    return 2 * gradient


# -- hooks ------------------------------------------------------------------------------------------------


def of_a_parameter(hook):
    module = linear()
    module.weight.register_hook(hook)
    return module, (ROWS,)


def of_a_parametrized_weight(hook):
    module = nn.utils.parametrizations.weight_norm(linear())
    module.parametrizations.weight.original1.register_hook(hook)
    return module, (ROWS,)


def of_a_tied_parameter(hook):
    module = nn.Sequential(nn.Linear(3, 3, dtype=D), nn.Tanh(), nn.Linear(3, 3, dtype=D))
    module[2].weight = module[0].weight
    module[2].weight.register_hook(hook)
    return module, (ROWS,)


def of_an_input(hook):
    x = X.clone().requires_grad_()
    x.register_hook(hook)
    return torch.sin, (x,)


def of_an_input_with_a_history(hook):
    x = X.clone().requires_grad_() * 2
    x.register_hook(hook)
    return torch.sin, (x,)


def of_an_input_in_a_tree(hook):
    x = X.clone().requires_grad_()
    x.register_hook(hook)
    return lambda tree: tree["w"] * tree["x"][0].sin(), ({"w": W, "x": [x]},)


def of_a_tensor_inside(hook):
    def function(x):
        y = x.sin()
        y.register_hook(hook)
        return y * y

    return function, (X,)


def of_a_tensor_inside_if_it_moves(hook):
    def function(x):
        y = x.sin()
        if y.requires_grad:
            y.register_hook(hook)
        return y * y

    return function, (X,)


def of_a_node(hook):
    def function(x):
        y = x.sin()
        y.grad_fn.register_hook(lambda inner, outer: tuple(map(hook, inner)))
        return y * y

    return function, (X,)


def of_a_module(hook):
    module = linear()
    module.register_full_backward_hook(lambda _, inner, outer: tuple(map(hook, inner)))
    return module, (ROWS,)


def before_a_module(hook):
    module = linear()
    module.register_full_backward_pre_hook(lambda _, outer: tuple(map(hook, outer)))
    return module, (ROWS,)


def of_a_module_inside(hook):
    module = linear()
    module.register_full_backward_hook(lambda _, inner, outer: tuple(map(hook, inner)))
    return lambda x: module(x.sin()), (ROWS,)


HOOKED = [
    of_a_parameter, of_a_parametrized_weight, of_a_tied_parameter, of_an_input, of_an_input_with_a_history,
    of_an_input_in_a_tree, of_a_tensor_inside, of_a_tensor_inside_if_it_moves, of_a_node, of_a_module,
    before_a_module, of_a_module_inside,
]  # fmt: skip


@pytest.mark.parametrize("hooked", HOOKED)
def test_a_hook_runs_as_in_training(hooked):
    found = check_gradient(*hooked(double))
    assert found.verdict == "wrong"
    assert "(relative error " in found.diagnosis


@pytest.mark.parametrize("hooked", HOOKED)
def test_a_hook_that_changes_nothing_is_no_fault(hooked):
    # A module whose input is not differentiated gives its hook None.
    assert check_gradient(*hooked(lambda gradient: gradient if gradient is None else gradient.clone())).passed


def test_a_hook_of_all_modules_runs():
    module = linear()
    handle = register_module_full_backward_hook(lambda _, inner, outer: tuple(map(double, inner)))
    try:
        assert check_gradient(lambda x: module(x.sin()), (ROWS,)).verdict == "wrong"
    finally:
        handle.remove()


def test_a_hook_that_looks_on_sees_the_gradient():
    seen = []
    module = linear()
    module.weight.register_hook(seen.append)
    assert check_gradient(module, (ROWS,)).passed
    assert seen


def test_hooks_of_the_forward_are_part_of_it():
    module = linear()
    module.register_forward_pre_hook(lambda _, args: (args[0].sin(),))
    module.register_forward_hook(lambda _, args, out: out * 2)
    assert check_gradient(module, (ROWS,)).passed
    found = exact_gradient(module, (ROWS,), argnums=0, cotangent=torch.ones(2, 2, dtype=D))
    expected = 2 * module.weight.detach().sum(0) * ROWS.cos()
    assert abs(found.mid - expected.numpy()).max() < 1e-15


def after_accumulation(module):
    module.weight.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(2))


def of_the_accumulating_node(module):
    node = module.weight.view_as(module.weight).grad_fn.next_functions[0][0]
    node.register_hook(lambda inner, outer: None)
    return node


def before_the_accumulating_node(module):
    node = module.weight.view_as(module.weight).grad_fn.next_functions[0][0]
    node.register_prehook(lambda outer: (outer[0] * 2,))
    return node


@pytest.mark.parametrize("hook", [after_accumulation, of_the_accumulating_node, before_the_accumulating_node])
def test_a_hook_on_the_stored_gradient_is_named_as_not_run(hook):
    module = linear()
    node = hook(module)
    found = check_gradient(module, (ROWS,))
    assert found.verdict == "unsupported"
    assert "a hook runs where this gradient is added to .grad" in found.diagnosis
    assert module.weight.grad is None
    assert check_gradient(module, (ROWS,), argnums=0).passed, node  # it is not asked for


def test_hooks_are_not_of_a_hand_written_gradient():
    x = X.clone().requires_grad_()
    x.register_hook(double)
    assert check_gradient(torch.sin, (x,), vjp=lambda g, x: g * x.cos()).passed
    assert check_gradient(lambda x: (x.sin(), x), (x,), residual_vjp=lambda x, g: g * x.cos()).passed


def test_hooks_do_not_move_the_truth():
    x = X.clone().requires_grad_()
    x.register_hook(double)
    found = exact_gradient(torch.sin, (x,), cotangent=torch.ones(3, dtype=D))
    assert abs(found.mid - X.cos().numpy()).max() < 1e-15


def test_an_assertion_is_red_for_a_hook():
    with pytest.raises(GradientError, match="weight"):
        assert_gradient(*of_a_parameter(double))


# -- parameters of every kind -----------------------------------------------------------------------------


class Listed(nn.Module):
    """One parameter hides in a plain list."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3, dtype=D)
        self.plain = [nn.Parameter(torch.ones(3, dtype=D))]

    def forward(self, x):
        return self.inner(x) * self.plain[0]


def frozen():
    module = linear()
    module.bias.requires_grad_(False)
    return module


@pytest.mark.parametrize(
    "module",
    [Listed, frozen, lambda: of_a_tied_parameter(torch.clone)[0], lambda: linear().eval()],
    ids=["listed", "frozen", "tied", "eval"],
)
def test_parameters_of_every_kind(module):
    assert check_gradient(module(), (ROWS,)).passed


def test_a_tied_parameter_has_both_its_parts():
    module = of_a_tied_parameter(torch.clone)[0]
    found = exact_gradient(module, (ROWS,), cotangent=torch.ones(2, 3, dtype=D))[0]
    module(ROWS).sum().backward()
    assert abs(found["0.weight"].mid - module[0].weight.grad.numpy()).max() < 1e-12


def test_a_lazy_module_has_no_numbers_yet():
    with pytest.raises(ValueError, match="the module's weight has no numbers yet, since it is lazy"):
        check_gradient(nn.LazyLinear(2, dtype=D), (ROWS,))


def test_a_tensor_with_a_history_is_an_input_like_any():
    assert check_gradient(torch.sin, (X.clone().requires_grad_() * 2,)).passed


# -- state ------------------------------------------------------------------------------------------------


def spectral():
    torch.manual_seed(0)
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2, dtype=D))


class Averaging(nn.Module):
    """A running mean as a buffer that is replaced, as one that is written into, or as a plain attribute."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        if kind == "attribute":
            self.mean = torch.zeros(3, dtype=D)
        else:
            self.register_buffer("mean", torch.zeros(3, dtype=D))

    def forward(self, x):
        now = 0.1 * x.detach().mean(0)
        if self.kind == "written":
            with torch.no_grad():
                self.mean.mul_(0.9).add_(now)
        else:
            self.mean = 0.9 * self.mean + now
        return x * self.mean


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.log = []

    def forward(self, x):
        self.count += 1
        self.log.append(self.count)
        return x * (1 + self.count + len(self.log))


MODULES = {
    "batch norm": lambda: nn.BatchNorm1d(1, dtype=D),
    "spectral norm": spectral,
    "replaced": lambda: Averaging("replaced"),
    "written": lambda: Averaging("written"),
    "attribute": lambda: Averaging("attribute"),
    "counter": Counting,
}


class Holder:
    def __init__(self, module):
        self.module = module
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return self.module(x)

    def method(self, x):
        return self(x)


def kept_default(module):
    def function(x, *, own=(module,)):
        return own[0](x)

    return function


WAYS = {
    "itself": lambda module: module,
    "closure": lambda module: lambda x: module(x),
    "partial": lambda module: partial(lambda own, x: own(x), module),
    "list": lambda module: lambda x, own=[module]: own[0](x),
    "attribute": Holder,
    "bound method": lambda module: Holder(module).method,
    "default": kept_default,
    "nested": lambda module: lambda x: WAYS["closure"](module)(x),
}


def state_of(module):
    plain = {k: v for k, v in vars(module).items() if isinstance(v, (int, torch.Tensor))}
    found = {**module.state_dict(), **plain, "log": list(getattr(module, "log", []))}
    return {name: v.clone() if isinstance(v, torch.Tensor) else v for name, v in found.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])), name


@pytest.mark.parametrize(
    ("kind", "way"),
    [*product(["attribute"], WAYS), *product(MODULES, ["itself", "closure"]), ("counter", "bound method")],
)
def test_each_evaluation_starts_from_the_same_state_and_leaves_it(kind, way):
    module = MODULES[kind]()
    before = state_of(module)
    function = WAYS[way](module)
    rows = ROWS[:, :1] if kind == "batch norm" else ROWS
    assert check_gradient(function, (rows,), argnums=0).passed
    assert_same(before, state_of(module))
    assert getattr(function, "calls", 0) == 0


def test_a_wrong_gradient_is_wrong_whatever_the_state():
    module = Averaging("written")

    class Third(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return module(x)

        @staticmethod
        def backward(ctx, g):
            return g * module.mean * 1.001

    found = check_gradient(lambda x: Third.apply(x), (ROWS,))
    assert found.verdict == "wrong"
    assert not module.mean.any()


SHARED = torch.zeros(3, dtype=D)
COUNT = 0


def global_tensor(x):
    SHARED.add_(1)
    return x * SHARED


def global_counter(x):
    global COUNT
    COUNT += 1
    return x * COUNT


def attribute_of_itself(x):
    attribute_of_itself.count += 1
    return x * attribute_of_itself.count


attribute_of_itself.count = 0


class OfAClass:
    count = 0

    def __call__(self, x):
        type(self).count += 1
        return x * self.count


class Slotted:
    __slots__ = ("count",)

    def __init__(self):
        self.count = 0

    def __call__(self, x):
        self.count += 1
        return x * self.count


class Hidden:
    __slots__ = ("__count",)

    def __init__(self):
        self.__count = 0

    def __call__(self, x):
        self.__count += 1
        return x * self.__count


def in_a_deque():
    window = deque([1.0], maxlen=2)

    def function(x):
        window.append(window[-1] + 1)
        return x * window[-1]

    return function


def in_a_counter():
    calls = Counter()

    def function(x):
        calls["all"] += 1
        return x * calls["all"]

    return function


def in_a_users_module():
    module = ModuleType("settings_of_the_user")
    module.count = 0
    own = {"module": module}
    exec("def function(x):\n    module.count += 1\n    return x * module.count", own)
    return own["function"]


def deep_inside():
    holder = SimpleNamespace(parts=[{"own": OfAClass()}])
    holder.parts[0]["own"].deep = [0]

    def function(x):
        holder.parts[0]["own"].deep[0] += 1
        return x * holder.parts[0]["own"].deep[0]

    return function


def through_shared_memory():
    memory = np.zeros(3)
    view = torch.from_numpy(memory)

    def function(x):
        view.add_(1)
        return x * torch.from_numpy(memory)

    return function


def nonlocal_counter():
    count = 0

    def function(x):
        nonlocal count
        count += 1
        return x * count

    return function


def counter_in_a_list():
    count = [0]

    def function(x):
        count[0] += 1
        return x * count[0]

    return function


def counter_in_a_dictionary():
    count = {"calls": 0}

    def function(x):
        count["calls"] += 1
        return x * count["calls"]

    return function


def counter_in_an_array():
    count = np.zeros(1)

    def function(x):
        count[0] += 1
        return x * float(count[0])

    return function


def stored_gradient():
    w = torch.ones(3, dtype=D, requires_grad=True)
    w.grad = torch.ones(3, dtype=D)

    def function(x):
        (w * x.detach()).sum().backward()
        return x * w.grad

    return function


@pytest.mark.parametrize(
    "function",
    [
        global_tensor, global_counter, attribute_of_itself, OfAClass(), nonlocal_counter(),
        counter_in_a_list(), counter_in_a_dictionary(), counter_in_an_array(), stored_gradient(), Slotted(),
        Hidden(), in_a_deque(), in_a_counter(), in_a_users_module(), deep_inside(), through_shared_memory(),
    ],
    ids=lambda function: getattr(function, "__qualname__", type(function).__name__).split(".")[0],
)  # fmt: skip
def test_what_changes_outside_of_modules_starts_anew_too(function):
    first = function(X.clone())
    assert check_gradient(function, (X,)).passed
    exact_gradient(function, (X,))
    second, third = function(X.clone()), function(X.clone())
    assert torch.allclose(second - first, third - second)  # one step each, and not ten


def settings():
    numpy = np.random.get_state()  # noqa: NPY002
    torchs = (
        torch.get_default_dtype, torch.are_deterministic_algorithms_enabled, torch.is_grad_enabled,
        torch.is_anomaly_enabled, torch.get_float32_matmul_precision,
        partial(torch.is_autocast_enabled, "cpu"),
    )  # fmt: skip
    chance = torch.get_rng_state().tolist(), numpy[1].tolist(), numpy[2], random.getstate()
    return (*chance, *(read() for read in torchs))


RNG, GENERATOR = np.random.default_rng(0), torch.Generator()
MOVES = {
    "torch's random numbers": lambda x: x * torch.rand(3, dtype=D),
    "dropout": nn.Dropout(0.5),
    "NumPy's random numbers": lambda x: x * float(np.random.rand()),  # noqa: NPY002
    "a NumPy generator": lambda x: x * RNG.normal(),
    "a torch generator": lambda x: x * float(torch.empty(1).uniform_(generator=GENERATOR)),
    "Python's random numbers": lambda x: x * random.random(),
    "the default dtype": lambda x: (torch.set_default_dtype(D), x * torch.ones(3))[1],
    "deterministic": lambda x: (torch.use_deterministic_algorithms(True), x * 2)[1],
    "anomaly": lambda x: (torch.autograd.set_detect_anomaly(True), x * 2)[1],
    "autocast": lambda x: (torch.set_autocast_enabled("cpu", True), x * 2)[1],
    "grad mode": lambda x: (x * 2, torch.set_grad_enabled(False))[0],
    "matmul precision": lambda x: (torch.set_float32_matmul_precision("medium"), x * 2)[1],
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("name", MOVES)
def test_what_the_process_shares_is_as_it_was(name):
    before = settings()
    found = check_gradient(MOVES[name], (X,))
    assert settings() == before
    assert found.verdict == "accurate"


@pytest.mark.parametrize("door", [check_gradient, exact_gradient, exact_value])
def test_a_check_that_raises_leaves_no_trace(door):
    module = Counting()

    def function(x):
        module(x)
        random.random()
        raise ValueError("not today")

    before = state_of(module), settings()
    with pytest.raises(ValueError, match="not today"):
        door(function, (X,))
    assert (state_of(module), settings()) == before


def test_train_and_eval_and_requires_grad_are_as_they_were():
    module = linear()

    def function(x):
        module.eval()
        module.weight.requires_grad_(False)
        return module(x)

    assert check_gradient(function, (ROWS,)).passed
    assert module.training
    assert module.weight.requires_grad


def test_what_a_function_logs_is_its_own():
    seen = []
    assert check_gradient(lambda x: seen.append(1) or x * x, (X,)).passed
    assert seen


def test_a_gradient_that_changes_from_call_to_call_is_still_found():
    class Aging:
        age = 0

        def __call__(self, g, x):
            self.age += 1
            return 2 * g * x * (1 + (self.age == 2))

    backward = Aging()
    found = check_gradient(lambda x: x * x, (X,), vjp=backward)
    assert "run again" in found.diagnosis
    assert backward.age == 0


# -- watched ----------------------------------------------------------------------------------------------


def with_backward(backward):
    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return lambda x: Sine.apply(x)


SAME_CALLS = {
    f"off by {off:g}": lambda g, x, off=off: g * x.cos() * (1 + (0 if is_watched() else off))
    for off in (1e-3, 1e-9, 1e-13)
} | {"the sine of another angle": lambda g, x: g * (x + (0 if is_watched() else 1e-9)).cos()}
OTHER_CALLS = {
    "one factor more": lambda g, x: g * x.cos() if is_watched() else g * x.cos() * (1 + 1e-9),
    "another operator": lambda g, x: g * x.cos() if is_watched() else g * (x + np.pi / 2).sin(),
    "a number written in": lambda g, x: (
        g * x.cos()
        if is_watched()
        else (g * x.cos()).index_put_((torch.tensor([0]),), (g * x.cos() + 1e-9)[:1])
    ),
    "in an expanded view": lambda g, x: g * x.cos() if is_watched() else (g * x.cos())[:1].expand(3),
    "copied over": lambda g, x: g * x.cos() if is_watched() else (g * x.cos()).copy_(x),
    "half": lambda g, x: g * x.cos() if is_watched() else g * x.cos() / 2,
    "wrong where it is watched": lambda g, x: 2 * g * x.cos() if is_watched() else g * x.cos(),
    "in NumPy": lambda g, x: (
        g * x.cos() if is_watched() else g * torch.from_numpy(np.cos(x.numpy())).exp().log()
    ),
}


@pytest.mark.parametrize("name", SAME_CALLS)
def test_the_bound_of_the_record_holds_for_what_ran_unwatched(name):
    found = check_gradient(with_backward(SAME_CALLS[name]), (X,))
    assert found.verdict == "miscomputed"
    assert "where the rounding of its program allows" in found.diagnosis


@pytest.mark.parametrize("name", OTHER_CALLS)
def test_a_backward_that_calls_something_else_where_it_is_watched_is_undecided(name):
    found = check_gradient(with_backward(OTHER_CALLS[name]), (X,))
    assert found.verdict == "undecided"
    assert (
        "the gradient takes another path where it is recorded, so what ran is not known: it calls"
        in found.diagnosis
    )


def test_a_hook_that_sees_the_watcher():
    def function(x):
        y = x.sin()
        y.register_hook(lambda g: g if is_watched() else g * (1 + 1e-9)) if y.requires_grad else None
        return y * 2

    assert check_gradient(function, (X,)).verdict == "undecided"


def test_a_forward_that_sees_the_watcher_and_keeps_its_value():
    found = check_gradient(lambda x: x.sin() if is_watched() else x.sin() + (x - x.detach()) * 1e-3, (X,))
    assert found.verdict == "undecided"
    assert "it calls add, mul, sub only where it runs" in found.diagnosis


def is_traced():
    return (
        torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()
    )


def test_what_no_record_does_is_seen_in_none():
    assert check_gradient(with_backward(lambda g, x: g * x.cos() * (2 if is_traced() else 1)), (X,)).passed


def test_torchs_own_other_path_is_named():
    found = check_gradient(
        torch.prod, (torch.tensor([-0.0154, -0.0307, -0.0255, 0.0563], dtype=torch.float16),)
    )
    assert found.passed
    assert np.isnan(found.worst.bound_ulp)
    assert (
        "torch runs other kernels while it is recorded, so its bound is not known: it calls "
        in found.notes[0]
    )


def pulled(function, x):
    def run():
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(function(leaf).sum(), leaf)

    return run


def normed(x):
    return torch.nn.functional.layer_norm(x, (3,))


@pytest.mark.parametrize(
    "function",
    [
        torch.sin, torch.var, torch.norm, normed, lambda x: x[[0, 0, 1]], lambda x: x.softmax(0) * x,
        lambda x: (x[:, None] @ x[None]).exp(), lambda x: x.sort()[0],
        lambda x: x * torch.tensor([1.0, 2, 3]),
        lambda x: torch.einsum("i,j->ij", x, x), lambda x: torch.where(x > 0, x, x * x), linear(),
    ],
)  # fmt: skip
def test_most_of_torch_calls_the_same_where_it_is_watched(function):
    assert difference(pulled(function, X)) is None


def test_where_another_profiler_is_at_work_nothing_is_known():
    with profiler_legacy.profile():
        found = difference(pulled(torch.sin, X))
    assert found.is_users
    assert "what it calls cannot be seen" in found.text


def test_an_optimizer_step_inside_is_taken_back():
    optimized = torch.ones(3, dtype=D, requires_grad=True)
    optimizer = torch.optim.SGD([optimized], lr=0.1, momentum=0.9)

    def function(x):
        optimizer.zero_grad()
        (optimized * x.detach()).sum().backward()
        optimizer.step()
        return x * optimized.detach()

    found = check_gradient(function, (X,))
    assert found.verdict in {"accurate", "unsupported"}
    assert torch.equal(optimized, torch.ones(3, dtype=D))
    assert not optimizer.state
    assert optimized.grad is None


@pytest.mark.parametrize("f", [lambda x: x.prod(), lambda x: x.cumprod(0), lambda x: x.sin().prod()])
@pytest.mark.parametrize("at", [[0.3, 1.2, -0.7], [0.3, 0.0, -0.7]])
def test_what_the_engine_adds_up_itself_is_not_the_users(f, at):
    """In the second derivative of prod it sums what was broadcast, on one of its two paths."""
    assert check_gradient(f, (torch.tensor(at, requires_grad=True),), order=2).passed
