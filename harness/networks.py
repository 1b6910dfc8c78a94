"""Networks of the book's kind: one call, one verdict on the gradient of every parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from harness.accepted import Upstream
from harness.asked import Asked
from harness.check import asserting
from harness.layers import hides, judged
from harness.proof.materiality import Resolution
from harness.result import Result
from harness.subject import given
from harness.subject.networks import Network
from harness.subject.state import leaving_no_trace
from oracles.exact.from_numpy.chance import seeded_chance
from oracles.exact_oracle import LIMITS
from oracles.frameworks.framework import differentiating


@given.known_keywords
@leaving_no_trace
@differentiating()
def check_network(
    net: Any,
    x: Any,
    t: Any,
    *,
    spec: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    bits_lost: float | None = None,
    seconds: float = LIMITS.seconds,
    boundary: bool | Sequence[str] = False,
    samples: int = 0,
    search: int = 0,
    probes: bool | Sequence[str] = True,
    resolution: Resolution | Literal["format", "exact"] = Resolution.FORMAT,
    upstream: Upstream | Literal["warn", "fail"] = Upstream.WARN,
    known: Any = None,
) -> Result:
    """The verdict on the gradient of a network: of its loss, in every parameter.

    Layers inside share the parameters' arrays, as the book's do, or hold views of them. The network itself is
    not changed: every question is asked of a copy, with the seed of `np.random` and `random`, and generators
    that it holds, reset before each run. What moves the loss and is not in `params` is named; it fails if the
    network leaves its gradient beside it.

    Args:
        net: An object with loss(x, t), gradient(x, t), which returns a dictionary, and params, a dictionary
            of floating arrays with the same keys: the networks of "Deep Learning from Scratch".
        x: Its input, of any shape and dtype; it is not differentiated.
        t: The target, of any shape and dtype, as loss takes it; it is not differentiated.
        spec: The loss that is meant, `spec(params, x, t)` of a dictionary, where the network's is not quite
            it (1e-7 in its logarithm).
        options: Keyword arguments of loss, such as {"train_flg": True}, as gradient computes it; gradient is
            given those that it takes, by name or as **options.
        seed: Seeds the draws of the layers.
        bits_lost: The budget of lost bits; `explain budget` says what it is if not given.
        seconds: The limit for the exact evaluations, counted in work, as in `check_gradient`.
        boundary: As in `check_gradient`.
        samples: As in `check_gradient`.
        search: As in `check_layer`.
        probes: As in `check_layer`.
        resolution: As in `check_gradient`.
        upstream: As in `check_gradient`.
        known: As in `check_gradient`.

    Returns:
        A `Result`, as `check_gradient`. There are no threads: the network's state belongs to one run at a
        time.

    Raises:
        ValueError: The object is no network, or holds what cannot be copied, or an argument is not what it
            must be.
        TypeError: There is no such keyword.
        Exception: Whatever the network raises.

    Warns:
        UpstreamWarning: As `check_gradient`.
    """
    asked = Asked.of(
        seed=seed, bits_lost=bits_lost, seconds=seconds, boundary=boundary, samples=samples, search=search,
        probes=probes, resolution=resolution, upstream=upstream, known=known,
    )  # fmt: skip
    keywords, array = given.mapping("options", options), np.asarray(x)
    with seeded_chance():
        own = Network(net, array, t, keywords, asked.seed)
        own.compares = hides(t) and not asked.search
        target = () if own.compares else (t,)
        meant = partial(_of_parameters, given.function("spec", spec), own.names, target) if spec else None
        args = (array, *own.parameters, *([t] if own.compares else []))
        told, argnums = {"spec": spec, "options": options}, range(1, 1 + len(own.parameters))
        return judged(own, net, args, argnums, meant, None, asked, "network", target, told)


def _of_parameters(
    spec: Callable[..., Any], names: Sequence[str], target: Sequence[Any], x: Any, *arrays: Any
) -> Any:
    count = len(names)
    return spec(dict(zip(names, arrays[:count], strict=True)), x, *arrays[count:], *target)


assert_network = asserting(check_network)
assert_network.__name__ = assert_network.__qualname__ = "assert_network"
assert_network.__doc__ = """Check the gradient of a network, and raise if it is not right.

    It takes what `check_network` takes, and returns its result.

    Raises:
        GradientError: A gradient is not right; an AssertionError whose text is the failure.
        ValueError: As `check_network`.
    """
