"""Functions of two and three numbers in torch and JAX, and of one with constants, each beside mpmath's."""

from __future__ import annotations

from typing import Any

import mpmath as mp  # type: ignore[import-untyped]

from tests.power.function import Call, Function, plain
from tests.power.unary import softplus

EACH = {"reduction": "none"}  # a loss for each number


def _xlogy(x: Any, y: Any) -> Any:
    return mp.mpf(0) if x == 0 else x * mp.log(y)


def _logaddexp(x: Any, y: Any) -> Any:
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


def _logaddexp2(x: Any, y: Any) -> Any:
    return max(x, y) + mp.log1p(mp.power(2, -abs(x - y))) / mp.log(2)


def _lower_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def _log_beta(x: Any, y: Any) -> Any:
    return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)


def _boxcox(x: Any, power: Any) -> Any:
    return mp.log(x) if power == 0 else mp.expm1(power * mp.log(x)) / power


def _fmod(x: Any, y: Any) -> Any:
    return x - y * (mp.floor(x / y) if x / y > 0 else mp.ceil(x / y))


def _huber(x: Any, y: Any) -> Any:
    gap = abs(x - y)
    return gap**2 / 2 if gap <= 2 else 2 * (gap - 1)


def _smooth(x: Any, y: Any) -> Any:
    gap = abs(x - y)
    return gap**2 if gap < 0.5 else gap - 0.25


def _clamped_log(x: Any) -> Any:
    return max(mp.log(x), mp.mpf(-100)) if x else mp.mpf(-100)


def _cross_entropy(x: Any, y: Any) -> Any:
    return -(y * _clamped_log(x) + (1 - y) * _clamped_log(1 - x))


def _stirling(x: Any) -> Any:
    return x * mp.log(x) - x + mp.log(2 * mp.pi * x) / 2 if x > 1 else mp.mpf(0)


def _gaussian(x: Any, y: Any, var: Any) -> Any:
    var = max(var, mp.mpf(1e-6))
    return (mp.log(var) + (x - y) ** 2 / var) / 2


def _multigamma(x: Any) -> Any:
    return mp.re(mp.log(mp.pi) / 2 + mp.loggamma(x) + mp.loggamma(x - 0.5))


FUNCTIONS: dict[str, Function] = {
    "multiply": plain(lambda x, y: x * y, "torch.mul", "jnp.multiply", 2),
    "divide": plain(lambda x, y: x / y, "torch.div", "jnp.divide", 2),
    "pow": plain(mp.power, "torch.pow", "jnp.power", 2),
    "float_power": plain(mp.power, "torch.float_power", "jnp.float_power", 2),
    "atan2": plain(mp.atan2, "torch.atan2", "jnp.arctan2", 2),
    "hypot": plain(mp.hypot, "torch.hypot", "jnp.hypot", 2),
    "xlogy": plain(_xlogy, "torch.xlogy", "jsp.xlogy", 2),
    "xlog1py": plain(lambda x, y: _xlogy(x, 1 + y), "torch.special.xlog1py", "jsp.xlog1py", 2),
    "logaddexp": plain(_logaddexp, "torch.logaddexp", "jnp.logaddexp", 2),
    "logaddexp2": plain(_logaddexp2, "torch.logaddexp2", "jnp.logaddexp2", 2),
    "ldexp": plain(lambda x, y: x * mp.power(2, y), "torch.ldexp", "", 2),
    "fmod": plain(_fmod, "torch.fmod", "jnp.fmod", 2),
    "remainder": plain(lambda x, y: x - y * mp.floor(x / y), "torch.remainder", "jnp.remainder", 2),
    "copysign": plain(lambda x, y: abs(x) if y >= 0 else -abs(x), "torch.copysign", "jnp.copysign", 2, (0,)),
    "maximum": plain(max, "torch.maximum", "jnp.maximum", 2),
    "minimum": plain(min, "torch.minimum", "jnp.minimum", 2),
    "lerp": plain(lambda x, y, z: x + z * (y - x), "torch.lerp", "", 3),
    "addcmul": plain(lambda x, y, z: x + y * z, "torch.addcmul", "", 3),
    "addcdiv": plain(lambda x, y, z: x + y / z, "torch.addcdiv", "", 3),
    "gammainc": Function(lambda x: _lower_gamma(mp.mpf(2.5), x), None, Call("jsp.gammainc", before=(2.5,))),
    "gammaincc": Function(
        lambda x: 1 - _lower_gamma(mp.mpf(2.5), x), None, Call("jsp.gammaincc", before=(2.5,))
    ),
    "betaln": plain(_log_beta, "", "jsp.betaln", 2),
    "betainc": Function(
        lambda x: mp.betainc(2.5, 1.5, 0, x, True), None, Call("jsp.betainc", before=(2.5, 1.5))
    ),
    "zeta": Function(lambda x: mp.zeta(2.5, x), Call("torch.special.zeta", before=(2.5,))),
    "rel_entr": plain(lambda x, y: _xlogy(x, x) - _xlogy(x, y), "", "jsp.rel_entr", 2),
    "kl_div": plain(lambda x, y: _xlogy(x, x) - _xlogy(x, y) - x + y, "", "jsp.kl_div", 2),
    "boxcox": plain(_boxcox, "", "jsp.boxcox", 2),
    "boxcox1p": plain(lambda x, y: _boxcox(1 + x, y), "", "jsp.boxcox1p", 2),
    "polygamma": Function(lambda x: mp.psi(1, x), Call("torch.polygamma", before=(1,))),
    "multigammaln": Function(
        _multigamma, Call("torch.special.multigammaln", {"p": 2}), Call("jsp.multigammaln", {"d": 2})
    ),
    "softplus": Function(
        lambda x: x if 2 * x > 20 else softplus(2 * x) / 2, Call("F.softplus", {"beta": 2, "threshold": 20})
    ),
    "elu": Function(
        lambda x: x if x > 0 else 2 * mp.expm1(x),
        Call("F.elu", {"alpha": 2.0}),
        Call("jax.nn.elu", {"alpha": 2.0}),
    ),
    "celu": Function(
        lambda x: x if x > 0 else 2 * mp.expm1(x / 2),
        Call("F.celu", {"alpha": 2.0}),
        Call("jax.nn.celu", {"alpha": 2.0}),
    ),
    "squareplus": Function(
        lambda x: (x + mp.sqrt(x * x + 1)) / 2, None, Call("jax.nn.squareplus", {"b": 1.0})
    ),
    "mse": Function(lambda x, y: (x - y) ** 2, Call("F.mse_loss", EACH), None, 2),
    "huber": Function(_huber, Call("F.huber_loss", {"delta": 2.0, **EACH}), None, 2),
    "smooth_l1": Function(_smooth, Call("F.smooth_l1_loss", {"beta": 0.5, **EACH}), None, 2),
    "soft_margin": Function(lambda x, y: softplus(-x * y), Call("F.soft_margin_loss", EACH), None, 2),
    "binary_cross_entropy": Function(_cross_entropy, Call("F.binary_cross_entropy", EACH), None, 2),
    "with_logits": Function(
        lambda x, y: softplus(x) - x * y, Call("F.binary_cross_entropy_with_logits", EACH), None, 2
    ),
    "kl_div_loss": Function(lambda x, y: _xlogy(y, y) - y * x, Call("F.kl_div", EACH), None, 2),
    "kl_div_log": Function(
        lambda x, y: mp.exp(y) * (y - x), Call("F.kl_div", {"log_target": True, **EACH}), None, 2
    ),
    "poisson_log": Function(lambda x, y: mp.exp(x) - y * x, Call("F.poisson_nll_loss", EACH), None, 2),
    "poisson": Function(
        lambda x, y: x - y * mp.log(x + mp.mpf(1e-8)),
        Call("F.poisson_nll_loss", {"log_input": False, **EACH}),
        None,
        2,
    ),
    "poisson_full": Function(
        lambda x, y: mp.exp(x) - y * x + _stirling(y),
        Call("F.poisson_nll_loss", {"full": True, **EACH}),
        None,
        2,
    ),
    "gaussian": Function(_gaussian, Call("F.gaussian_nll_loss", EACH), None, 3),
}
