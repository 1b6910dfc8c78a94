"""torch's modules as they are trained: dropout, spec= of a module, scripts, tensors without numbers."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import rnn

from harness import Undecided, check_gradient, exact_gradient
from harness.subject.target import _elsewhere

D = torch.float64
X = torch.tensor([[0.5, -1.25, 2.0], [0.75, 1.5, -0.25]], dtype=D)


# -- dropout ----------------------------------------------------------------------------------------------


class Redrawn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        mask = torch.empty_like(x).bernoulli_(0.5)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class Mistaken(Redrawn):
    @staticmethod
    def backward(ctx, g):
        return g * torch.empty_like(g).bernoulli_(0.5)


def block():
    return nn.TransformerEncoderLayer(2, 1, 2, dropout=0.5, batch_first=True).double()


DROPOUTS = {
    "module": (nn.Dropout(), X),
    "function": (lambda x: F.dropout(torch.sin(x)), X),
    "in place": (lambda x: F.dropout(x * 1, inplace=True), X),
    "in a network": (nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Dropout(0.3)).double(), X),
    "alpha": (nn.AlphaDropout(), X),
    "of channels": (nn.Dropout1d(), X[None]),
    "transformer": (block(), torch.ones(1, 2, 2, dtype=D) + torch.eye(2, dtype=D)),
    "between layers": (nn.GRU(3, 2, num_layers=2, dropout=0.5).double(), X[None]),
    "a custom function's": (Redrawn.apply, X),
}


@pytest.mark.parametrize(("f", "x"), DROPOUTS.values(), ids=DROPOUTS)
def test_dropout_has_one_mask_in_every_run(f, x):
    state = torch.get_rng_state()
    found = check_gradient(f, (x,))
    assert (found.verdict, found.passed) == ("accurate", True)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_bias_of_the_keys_of_attention_has_a_derivative_of_zero_whatever_the_mask(seed):
    """Midpoints alone are 1e-30 there, and what is 0 everywhere may be computed as that."""
    torch.manual_seed(seed)
    found = check_gradient(block(), (DROPOUTS["transformer"][1],), probes=False)
    assert found.verdict == "accurate", str(found)


def test_digits_that_are_lost_where_nobody_asked_are_no_fault():
    """Norms of two features cancel beside this point, at which dead units have a derivative of 0."""
    torch.manual_seed(33)
    found = check_gradient(block(), (DROPOUTS["transformer"][1],), probes=["beside"])
    assert (found.verdict, found.passed) == ("accurate", True), str(found)
    assert "beside this point" in str(found)


@pytest.mark.parametrize("more", [{"order": 2}, {"samples": 1}])
def test_so_has_it_in_other_derivatives_and_at_other_points(more):
    assert check_gradient(lambda x: F.dropout(torch.sin(x)), (X,), **more).passed


def test_the_mask_is_the_one_of_the_caller_s_generator():
    torch.manual_seed(3)
    kept = F.dropout(torch.ones_like(X)) / 2
    torch.manual_seed(3)
    found = exact_gradient(F.dropout, (X,), cotangent=np.ones((2, 3)))
    np.testing.assert_array_equal(found.mid, 2 * kept.numpy())
    assert 0 < kept.sum() < 6


def test_a_backward_with_a_mask_of_its_own_is_wrong():
    assert check_gradient(Mistaken.apply, (X,)).verdict == "wrong"
    assert check_gradient(F.dropout, (X,), vjp=lambda g, x: 2 * g).verdict == "wrong"


@pytest.mark.filterwarnings("ignore::harness.UpstreamWarning")
def test_a_function_that_is_looked_at_alone_ends_no_replay():
    """Blame runs sigmoid alone, which draws nothing; the runs after it still begin with the same mask."""
    found = check_gradient(lambda x: torch.sigmoid(F.dropout(x, 0.2)), (40 + X,), boundary=["ones"])
    own = {part.input: part for part in found.parts if not part.of_value}
    assert own["given"].blame.owner == "torch"
    assert own["ones"].verdict == "accurate"


# -- spec= of a module ------------------------------------------------------------------------------------


def test_a_native_module_is_its_own_specification():
    lstm = nn.LSTM(3, 2)
    found = check_gradient(lstm, (X[None].float(),), spec=lstm)
    assert (found.verdict, found.passed) == ("accurate", True)
    assert len([part for part in found.parts if part.name.startswith("parameters[")]) == 4


def test_another_module_with_the_same_parameters_says_what_is_meant():
    class Off(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 1.01

    module = nn.Linear(3, 2).double()
    assert check_gradient(module, (X,), spec=nn.Linear(3, 2).double()).passed  # at the same numbers
    assert check_gradient(module, (X,), spec=lambda p, x: F.linear(x, p["weight"], p["bias"])).passed
    assert not check_gradient(module, (X,), spec=Off(3, 2).double()).passed
    with pytest.raises(ValueError, match=r"Linear are weight, bias, and those of the other module 0\.weight"):
        check_gradient(module, (X,), spec=nn.Sequential(nn.Linear(3, 2)))


def test_without_its_parameters_a_module_is_a_function_like_any():
    module = nn.Linear(3, 2).double()
    assert check_gradient(module, (X,), argnums=0, spec=module).passed
    assert check_gradient(lambda x: module(x), (X,), spec=module).passed


# -- what cannot be checked says what to do ---------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("of", [lambda m: m, lambda m: nn.Sequential(nn.Linear(3, 3).double(), m)])
def test_a_script_says_what_to_do(of):
    module = of(torch.jit.script(nn.Linear(3, 2).double()))
    text = str(check_gradient(module, (X,)))
    assert "pass the module that it was made of, or argnums= for the arguments alone" in text
    assert check_gradient(module, (X,), argnums=0).passed


def on_meta(*shape):
    return torch.empty(shape, device="meta")


@pytest.mark.parametrize(
    ("f", "args", "more", "where"),
    [
        (torch.sin, (on_meta(2),), {}, "an argument is"),
        (nn.Linear(2, 2, device="meta"), (X[:, :2],), {}, "an argument is"),
        (lambda x, scale: x * scale, (X,), {"kwargs": {"scale": on_meta(3)}}, "an argument is"),
        (lambda x: x.to("meta"), (X,), {}, "the function returns"),
    ],
)
def test_a_tensor_without_numbers_is_refused(f, args, more, where):
    said = f"{where} a tensor on the device meta, which has a shape and no numbers"
    with pytest.raises(ValueError, match=said):
        check_gradient(f, args, **more)


def test_a_packed_sequence_and_a_constant_on_meta_do_not_hide():
    assert check_gradient(lambda x: rnn.pad_sequence([x, x]), (X,)).passed
    said = str(check_gradient(lambda x: (x, x.to("meta") * 2)[0], (X,)))
    assert "accurate" in said


def test_arrays_on_several_devices_are_named():
    """No such device is here: what is said is tested, not what runs."""
    two = [SimpleNamespace(device=name) for name in ("cuda:0", "cpu")]
    assert (
        _elsewhere(two) == "the arrays are on cpu and cuda:0, and are checked on the default device together"
    )
    assert _elsewhere(two[:1]) == ""
    assert _elsewhere([SimpleNamespace(device=name) for name in ("cuda", "cuda:0")]) == ""
    assert "cuda:0 and cuda:1" in _elsewhere([SimpleNamespace(device=f"cuda:{k}") for k in (0, 1)])
    assert _elsewhere([np.ones(2), X]) == ""


class Again(torch.autograd.Function):
    """A checkpoint by hand: the backward runs the forward again, and differentiates that."""

    @staticmethod
    def forward(ctx, run, x, *parameters):
        ctx.run, ctx.x, ctx.parameters = run, x, parameters
        with torch.no_grad():
            return run(x)

    @staticmethod
    def backward(ctx, g):
        x = ctx.x.detach().requires_grad_()
        with torch.enable_grad():
            y = ctx.run(x.view_as(x))
        return None, *torch.autograd.grad(y, (x, *ctx.parameters), g, allow_unused=True)


class Checkpointed(torch.nn.Module):
    def __init__(self, how):
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        self.how = how

    def forward(self, x):
        return self.how(self.layer, x)


def test_a_checkpoint_runs_with_the_parameters_that_are_asked_about():
    from torch.utils.checkpoint import checkpoint

    torch.manual_seed(0)
    module = Checkpointed(lambda layer, x: checkpoint(layer, x, use_reentrant=False))
    assert check_gradient(module, (torch.randn(4, 3),)).verdict.value == "accurate"


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (2, "wrong")])
def test_so_does_a_checkpoint_that_somebody_wrote(factor, verdict):
    class Scaled(Again):
        @staticmethod
        def backward(ctx, g):
            found = Again.backward(ctx, g)
            return tuple(None if x is None else factor * x for x in found)

    torch.manual_seed(0)
    module = Checkpointed(lambda layer, x: Scaled.apply(layer, x, *layer.parameters()))
    given = check_gradient(module, (torch.randn(4, 3),), probes=False)
    assert given.verdict.value == verdict


class Kept(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.all = [self.weight]

    def forward(self, x):
        return x * self.all[0]


def test_a_parameter_that_is_read_by_another_reference_is_not_passed_over():
    result = check_gradient(Kept(), (torch.tensor([1.0, 2.0, 3.0]),))
    assert result.verdict.value == "unsupported"
    assert "Kept reads its parameter weight by another reference than its attribute" in str(result)


class Multiplied(torch.nn.Module):
    """A custom function multiplies by a weight that it reaches by some way of its own."""

    def __init__(self, reach):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(1, 2, 3, dtype=torch.float64))
        self.reached = reach(self.weight)

    def forward(self, x):
        weight = self.reached

        class Times(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * (weight() if callable(weight) else weight[0])

            @staticmethod
            def backward(ctx, g):
                return g * (weight() if callable(weight) else weight[0])

        return Times.apply(x)


@pytest.mark.parametrize(
    "reach",
    [lambda w: [w], lambda w: lambda: w, weakref.ref, lambda w: [w.data], lambda w: {0: w.detach()}],
    ids=["list", "closure", "weak reference", "data", "dictionary"],
)
def test_a_parameter_that_a_custom_function_reads_otherwise_is_no_constant(reach):
    """It was: the gradient None was `accurate`, for the truth was 0."""
    found = check_gradient(Multiplied(reach), (torch.ones(3, dtype=torch.float64),))
    assert found.verdict == "unsupported"
    assert "Multiplied reads its parameter weight by another reference than its attribute" in str(found)
    alone = check_gradient(Multiplied(reach), (torch.ones(3, dtype=torch.float64),), argnums=0)
    assert alone.verdict == "accurate"


def test_batch_norm_is_compared_along_an_expanded_cotangent_too():
    """Buffers that a run leaves behind are put back before the next, which is no other path."""
    torch.manual_seed(0)
    result = check_gradient(nn.BatchNorm2d(3), (torch.randn(2, 3, 4, 4),))
    assert result.verdict.value == "accurate"
    assert result.notes == ()


class Adapted(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Parameter(torch.ones(2, 3))
        self.up = nn.Parameter(torch.zeros(4, 2))
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x @ (self.up @ self.down).T


def test_a_gradient_that_is_zero_here_is_told_from_none():
    notes = check_gradient(Adapted(), (torch.ones(5, 3),)).notes
    (zero,) = (note for note in notes if "is 0 in every element" in note)
    assert zero.startswith("the derivative of parameters['down'], x is 0 in every element")
    assert zero.endswith("it was compared beside this point too")
    assert "no gradient, since nothing here depends on it: parameters['unused']" in notes


class Accumulating(torch.nn.Module):
    """Adds to a parameter's gradient itself, as fused kernels do, and returns it as well."""

    def __init__(self, stores):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.stores = stores

    def forward(self, x):
        module = self

        class Product(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, w):
                ctx.save_for_backward(x, w)
                return x * w

            @staticmethod
            def backward(ctx, g):
                x, w = ctx.saved_tensors
                own = (g * x).sum(0)
                if module.stores:
                    module.w.grad = own.clone()
                return g * w, own

        return Product.apply(x, self.w)


@pytest.mark.parametrize("stores", [True, False])
def test_a_backward_that_stores_a_gradient_itself_is_refused(stores):
    found = check_gradient(Accumulating(stores), (torch.ones(4, 3),))
    assert found.passed != stores
    assert ("writes into w.grad" in str(found)) == stores
    if stores:
        assert "pass lambda x: net(x) in place of net" in str(found)
        net = Accumulating(stores)
        assert check_gradient(lambda x: net(x), (torch.ones(4, 3),)).passed


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, factor):
        ctx.save_for_backward(x, w)
        ctx.factor = factor
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, ctx.factor * (g * x).sum(0), None


class Scaled(nn.Module):
    """x w, whose gradient in w is `factor` times too large."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.w = factor, nn.Parameter(torch.tensor([0.5, -1.5, 0.25], dtype=D))

    def forward(self, x):
        return Product.apply(x, self.w, self.factor)


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, []), (1.5, ["parameters['0.w']"])])
def test_a_part_with_two_names_has_one_gradient(factor, wrong):
    """torch's own functional_call leaves such a part with other parameters."""
    part = Scaled(factor)
    own = part.w
    found = check_gradient(nn.Sequential(part, nn.Tanh(), part), (X,))
    assert {row.name for row in found.parts if not row.of_value} == {"parameters['0.w']", "input"}
    assert [row.name for row in found.parts if row.verdict == "wrong"] == wrong, str(found)
    assert part.w is own


class OverTwo(torch.autograd.Function):
    """x / 2, where the backward is given another factor."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x / 2

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


class Marked(nn.Module):
    """Its parameter bears an attribute, as Megatron's and muP's do; without that it is another function."""

    def __init__(self, factor):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.5, 0.25], dtype=D))
        self.w.factor = factor

    def forward(self, x):
        factor = getattr(self.w, "factor", 0.5) if isinstance(self.w, nn.Parameter) else 0.5
        return OverTwo.apply(x * self.w, factor)


class Known(Marked):
    """It knows its parameter by identity."""

    def __init__(self):
        super().__init__(0.5)
        self.factors = {self.w: 1.0}

    def forward(self, x):
        return OverTwo.apply(x * self.w, 0.5) * self.factors.get(self.w, 2.0)


def test_a_module_that_knows_its_parameters_is_compared_with_itself():
    x = torch.tensor([1.0, 2.0, -1.0], dtype=D)
    for options in ({}, {"spec": Known()}):
        found = check_gradient(Known(), (x,), **options)
        assert (found.verdict, found.passed) == ("undecided", False)
        assert "called on the tensors that were given" in str(found)
    with pytest.raises(Undecided, match="the recorded run gave another value"):
        exact_gradient(Known(), (x,))


def of_marked(w, x):
    return OverTwo.apply(x * w, getattr(w, "factor", 0.5))


@pytest.mark.parametrize(("factor", "verdict"), [(0.5, "accurate"), (1.0, "wrong")])
def test_what_stands_for_a_tensor_bears_its_attributes(factor, verdict):
    module, x = Marked(factor), torch.tensor([1.0, 2.0, -1.0], dtype=D)
    assert check_gradient(module, (x,)).verdict == verdict
    marked = torch.ones(3, dtype=D)
    marked.factor = factor
    for w in (module.w, marked):
        assert check_gradient(of_marked, (w, x)).verdict == verdict
    assert vars(module.w) == vars(marked) == {"factor": factor}
