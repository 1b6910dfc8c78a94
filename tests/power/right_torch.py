"""Right gradients in torch: every activation and loss of torch.nn.functional, rules of its library, and
forwards that approximate, each beside what it takes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from tests.power.right import Right
from tests.verdicts import healthy_torch, mutants_torch

SLOPES = (0.01, 0.2, 1.0)
ALPHAS = (0.3, 1.0, 2.5)
REDUCED = {"reduction": ("mean", "sum", "none")}
P = {"p": (1.0, 2.0, 3.0)}
ROWS = {"dim": (-1, 0)}


def _groups(x: Any, **options: Any) -> Any:
    return F.group_norm(x, 2 if x.shape[1] % 2 == 0 else 1, **options)


def _batch(x: Any, w: Any, b: Any, training: bool) -> Any:
    size = x.shape[1]
    mean, var = (torch.full((size,), v, dtype=x.dtype) for v in (0.25, 1.5))
    return F.batch_norm(x, mean.clone(), var.clone(), w, b, training)


def _triplet(x: Any, y: Any, z: Any, distance: bool, **options: Any) -> Any:
    if distance:
        return F.triplet_margin_with_distance_loss(x, y, z, **options)
    return F.triplet_margin_loss(x, y, z, **options)


def _labels(x: Any, classes: Any) -> Any:
    """For each row a list of classes that ends with -1, as multilabel_margin_loss has them."""
    found = torch.full(x.shape, -1)
    found[:, 0] = classes
    return found


ACTIVATIONS = {
    "F.threshold": Right(F.threshold, "x", {"threshold": (0.1, -1.0), "value": (2.0, 0.0)}),
    "F.relu": Right(F.relu, "x"),
    "F.relu6": Right(F.relu6, "x"),
    "F.hardtanh": Right(F.hardtanh, "x", {"min_val": (-1.0, -0.3), "max_val": (1.0, 2.5)}),
    "F.hardswish": Right(F.hardswish, "x"),
    "F.hardsigmoid": Right(F.hardsigmoid, "x"),
    "F.elu": Right(F.elu, "x", {"alpha": ALPHAS}),
    "F.selu": Right(F.selu, "x"),
    "F.celu": Right(F.celu, "x", {"alpha": ALPHAS}),
    "F.leaky_relu": Right(F.leaky_relu, "x", {"negative_slope": SLOPES}),
    "F.prelu": Right(F.prelu, "x n"),
    "F.rrelu": Right(F.rrelu, "x", {"lower": (0.1,), "upper": (0.3, 0.5), "training": (False,)}),
    "F.glu": Right(lambda x: F.glu(torch.cat([x, x.flip(-1)], -1)), "x", least=1),
    "F.gelu": Right(F.gelu, "x", {"approximate": ("none", "tanh")}),
    "F.logsigmoid": Right(F.logsigmoid, "x"),
    "F.hardshrink": Right(F.hardshrink, "x", {"lambd": (0.5, 1.0)}),
    "F.softshrink": Right(F.softshrink, "x", {"lambd": (0.5, 1.0)}),
    "F.tanhshrink": Right(F.tanhshrink, "x"),
    "F.softsign": Right(F.softsign, "x"),
    "F.softplus": Right(F.softplus, "x", {"beta": (1.0, 0.5, 4.0), "threshold": (20.0, 8.0)}),
    "F.softmin": Right(F.softmin, "x", ROWS, least=1),
    "F.softmax": Right(F.softmax, "x", ROWS, least=1),
    "F.log_softmax": Right(F.log_softmax, "x", ROWS, least=1),
    "F.tanh": Right(torch.tanh, "x"),
    "F.sigmoid": Right(torch.sigmoid, "x"),
    "F.silu": Right(F.silu, "x"),
    "F.mish": Right(F.mish, "x"),
    "F.normalize": Right(F.normalize, "x", {**P, **ROWS}, least=1),
    "F.layer_norm": Right(lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b), "x v v", least=1),
    "F.rms_norm": Right(lambda x, w: F.rms_norm(x, x.shape[-1:], w), "x v", least=1),
    "F.group_norm": Right(_groups, "x", {"eps": (1e-5, 1e-2)}, axes=2),
    "F.instance_norm": Right(F.instance_norm, "x", axes=3),
    "F.batch_norm": Right(_batch, "x v v", {"training": (True, False)}, axes=2),
    "F.local_response_norm": Right(F.local_response_norm, "x", {"size": (2, 3)}, axes=3),
    "F.scaled_dot_product_attention": Right(
        F.scaled_dot_product_attention, "x x x", {"is_causal": (False, True)}, axes=3
    ),
    "F.cosine_similarity": Right(F.cosine_similarity, "x x", ROWS, least=1),
    "F.pairwise_distance": Right(F.pairwise_distance, "x x", P, least=1),
}
LOSSES = {
    "F.l1_loss": Right(F.l1_loss, "x x", REDUCED),
    "F.mse_loss": Right(F.mse_loss, "x x", REDUCED),
    "F.smooth_l1_loss": Right(F.smooth_l1_loss, "x x", {**REDUCED, "beta": (1.0, 0.25)}),
    "F.huber_loss": Right(F.huber_loss, "x x", {**REDUCED, "delta": (1.0, 0.25)}),
    "F.soft_margin_loss": Right(F.soft_margin_loss, "x S", REDUCED),
    "F.hinge_embedding_loss": Right(F.hinge_embedding_loss, "x S", {**REDUCED, "margin": (1.0, 0.3)}),
    "F.margin_ranking_loss": Right(F.margin_ranking_loss, "x x S", {**REDUCED, "margin": (0.0, 0.3)}),
    "F.binary_cross_entropy": Right(F.binary_cross_entropy, "u B", REDUCED),
    "F.binary_cross_entropy, weighted": Right(
        lambda x, t, w, **o: F.binary_cross_entropy(x, t, w, **o), "u U P", REDUCED
    ),
    "F.binary_cross_entropy_with_logits": Right(F.binary_cross_entropy_with_logits, "x U", REDUCED),
    "F.binary_cross_entropy_with_logits, weighted": Right(
        lambda x, t, p, **o: F.binary_cross_entropy_with_logits(x, t, pos_weight=p, **o), "x B P", REDUCED
    ),
    "F.kl_div": Right(F.kl_div, "x U", {**REDUCED, "log_target": (False, True)}),
    "F.poisson_nll_loss": Right(
        F.poisson_nll_loss, "x P", {**REDUCED, "log_input": (True,), "full": (False, True)}
    ),
    "F.poisson_nll_loss, rates": Right(
        F.poisson_nll_loss, "p P", {**REDUCED, "log_input": (False,), "full": (False, True)}
    ),
    "F.gaussian_nll_loss": Right(F.gaussian_nll_loss, "x X p", {**REDUCED, "full": (False, True)}),
    "F.cross_entropy": Right(F.cross_entropy, "x C", {**REDUCED, "label_smoothing": (0.0, 0.1)}, axes=2),
    "F.cross_entropy, weighted": Right(
        lambda x, c, w, **o: F.cross_entropy(x, c, w, **o), "x C W", {**REDUCED}, axes=2
    ),
    "F.cross_entropy, ignoring": Right(
        F.cross_entropy, "x C", {"reduction": ("sum", "none"), "ignore_index": (0, 1)}, axes=2
    ),
    "F.nll_loss": Right(F.nll_loss, "x C", REDUCED, axes=2),
    "F.nll_loss, weighted": Right(lambda x, c, w, **o: F.nll_loss(x, c, w, **o), "x C W", REDUCED, axes=2),
    "F.multi_margin_loss": Right(F.multi_margin_loss, "x C", {**REDUCED, "p": (1, 2)}, axes=2),
    "F.multilabel_margin_loss": Right(
        lambda x, c, **o: F.multilabel_margin_loss(x, _labels(x, c), **o), "x C", REDUCED, axes=2
    ),
    "F.multilabel_soft_margin_loss": Right(F.multilabel_soft_margin_loss, "x B", REDUCED, axes=2),
    "F.cosine_embedding_loss": Right(
        lambda x, y, s, **o: F.cosine_embedding_loss(x, y, s[:, 0], **o), "x x S",
        {**REDUCED, "margin": (0.0, 0.2)}, axes=2,
    ),
    "F.triplet_margin_loss": Right(
        _triplet, "x x x", {**REDUCED, "margin": (1.0, 0.3), "swap": (False, True), "distance": (False,)},
        axes=2,
    ),
    "F.triplet_margin_with_distance_loss": Right(
        _triplet, "x x x", {**REDUCED, "margin": (1.0, 0.3), "swap": (False, True), "distance": (True,)},
        axes=2,
    ),
}  # fmt: skip
LIBRARY = {
    "torch.utils.checkpoint": Right(
        lambda x: checkpoint(lambda y: F.silu(y) * y, x, use_reentrant=False), "x"
    ),
    "torch._weight_norm": Right(lambda v, g: torch._weight_norm(v, g[:, :1], 0), "x p", axes=2),
    "torch.logaddexp": Right(torch.logaddexp, "x x"),
    "torch.logaddexp2": Right(torch.logaddexp2, "x x"),
    "torch.hypot": Right(torch.hypot, "x x"),
    "torch.atan2": Right(torch.atan2, "x x"),
    "torch.pow": Right(torch.pow, "p x"),
    "torch.xlogy": Right(torch.xlogy, "x p"),
    "torch.lgamma": Right(torch.lgamma, "p"),
    "torch.digamma": Right(torch.digamma, "p"),
    "torch.sinc": Right(torch.sinc, "x"),
    "torch.special.erfcx": Right(torch.special.erfcx, "x"),
    "torch.special.log_ndtr": Right(torch.special.log_ndtr, "x"),
    "torch.special.ndtri": Right(torch.special.ndtri, "u"),
    "torch.special.entr": Right(torch.special.entr, "u"),
    "torch.special.i0e": Right(torch.special.i0e, "x"),
    "torch.special.i1": Right(torch.special.i1, "x"),
    "torch.logsumexp": Right(torch.logsumexp, "x", ROWS, least=1),
    "torch.logcumsumexp": Right(torch.logcumsumexp, "x", ROWS, least=1),
    "torch.cumprod": Right(torch.cumprod, "x", ROWS, least=1),
    "torch.prod": Right(lambda x: torch.prod(x, -1), "x", least=1),
    "torch.std": Right(torch.std, "x", ROWS, axes=2),
    "torch.var": Right(torch.var, "x", {**ROWS, "correction": (0, 1)}, axes=2),
    "torch.linalg.vector_norm": Right(
        lambda x, p: torch.linalg.vector_norm(x, p, dim=-1), "x", {"p": (1, 2, 3, 0.5, float("inf"))}, least=1
    ),
    "torch.cdist": Right(torch.cdist, "x x", P, axes=2),
    "torch.amax": Right(torch.amax, "x", ROWS, least=1),
    "torch.median": Right(lambda x: x.median(-1).values, "x", least=1),
}
OWN = {
    **{
        f"{name} by hand, torch": Right(rule.apply, "x", least=least)
        for name, rule, least in (
            ("silu", mutants_torch.Silu, 0), ("softmax", mutants_torch.Softmax, 1),
            ("silu in place", healthy_torch.SiluInPlace, 0), ("detaching", healthy_torch.Detaching, 0),
        )
    },
    "held gate, torch": Right(healthy_torch.gated, "x"),
    "held size, torch": Right(healthy_torch.scaled, "x", least=1),
    "straight-through, torch": Right(
        healthy_torch.StraightThrough.apply, "x", surrogate=healthy_torch.identity
    ),
    "straight-through idiom, torch": Right(healthy_torch.straight_through_idiom, "x"),
    "fake quantisation, torch": Right(healthy_torch.Quantised.apply, "x", surrogate=healthy_torch.clipped),
    "sparsemax by halvings, torch": Right(
        healthy_torch.sparsemax(40), "x", least=1, spec=healthy_torch.sparsemax_spec
    ),
    "Newton's root, torch": Right(healthy_torch.Newton.apply, "q", spec=lambda x: x.rsqrt()),
}  # fmt: skip
FUNCTIONS: dict[str, Right] = {**ACTIVATIONS, **LOSSES, **LIBRARY, **OWN}
