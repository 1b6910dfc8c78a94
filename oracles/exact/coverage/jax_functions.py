"""Which of JAX's functions are asked, with which arguments, and with which values of their options.

The names are those of `jax.numpy`, `jax.nn`, `jax.lax` and `jax.scipy` that have a float64 gradient. A line
of the table gives a module, the names in it that take the same arguments, and those arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

words = str.split  # names with blanks between them

V, W = np.array([0.62, -1.37, 2.15, -0.48]), np.array([1.43, 0.57, -0.81, 1.92])
P, Q = abs(V), abs(W)  # positive
U = np.array([0.62, 0.37, 0.15, 0.48])  # between 0 and 1
B = P + 1  # above 1
X, Y = V[:3], W[1:]  # three numbers
K, ORDER = np.array([2, 1, 4, 3]), np.array([3, 0, 2, 1])  # integers
M = np.array([[0.31, -1.24, 0.57, 2.03], [-0.66, 0.92, 1.38, -0.14], [1.71, -0.45, 0.26, -1.08]])
N = M.T + 0.1
S = np.array([[1.12, -0.53, 0.28], [0.74, 2.31, -0.95], [-0.37, 0.46, 1.83]])
D = np.array([[2.41, 0.63, -0.32], [0.63, 1.78, 0.54], [-0.32, 0.54, 3.05]])  # positive definite
HEADS = np.linspace(-1.3, 1.7, 24).reshape(1, 3, 2, 4) ** 3  # batch, time, heads, features

# What each option is asked with, by its name or by that of the function and its own.
OPTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(words("axis dimension reduction_dimension axisa axisb axisc"), (0, 1, -1, None)),
    **dict.fromkeys(
        words("keepdims reverse returned return_sign increasing descending bias sparse"), (True, False)
    ),
    **dict.fromkeys(
        words("hermitian symmetrize_input full_matrices compute_uv lower upper endpoint"), (True, False)
    ),
    **dict.fromkeys(words("permute_l pivoting unit_diagonal upper_triangular rowvar retstep"), (True, False)),
    **dict.fromkeys(
        words("density trim_leading_zeros numpy_resid exact repetition is_causal"), (True, False)
    ),
    **dict.fromkeys(words("approximate is_stable promote_integers eigvals_only compute_expm"), (True, False)),
    **dict.fromkeys(words("allow_negative_indices return_residual"), (True, False)),
    **dict.fromkeys(words("k offset"), (1, -1, 2)),
    **dict.fromkeys(words("ddof correction n m ndmin"), (0, 1, 2)),
    **dict.fromkeys(words("axis1 axis2 start edge_order trans stop_dimension num_keys"), (0, 1, 2)),
    **dict.fromkeys(words("loc scale alpha negative_slope initial nan posinf neginf"), (0.7, 1.6)),
    **dict.fromkeys(words("left right period dx base discont epsilon fill_value"), (0.7, 2.5)),
    **dict.fromkeys(words("to_begin to_end prepend append default"), (0.7,)),
    **dict.fromkeys(words("weights aweights b mean variance x"), (P,)),
    **dict.fromkeys(words("UPLO indexing type"), ("U", "L", "ij", "xy")),
    "where": (V > 0, M > 0),
    "ord": (1, 2, 3, -1, 0, np.inf, -np.inf, "fro", "nuc"),
    "p": (1, 2, np.inf, -np.inf, "fro", "nuc"),
    "mode": ("full", "same", "valid", "reduced", "complete", "r", "economic", "raw"),
    "method": ("linear", "lower", "higher", "midpoint", "nearest", "lu", "qr"),
    "fweights": (K,),
    "y": (M, V),
    "axes": ((0, 1), (1, 0), 1, 2),
    "bins": (4,),
    "range": ((-2.0, 2.5),),
    "shape": ((2, 2),),
    "N": (2, 3),
    "r": (W,),
    "total_repeat_length": (6,),
    "size": (4,),
    "series_order": (2, 4),
    "algorithm": ("fast", "two_pass"),
    "jax.nn.squareplus.b": (1.7,),
    "jax.nn.dot_product_attention.scale": (0.7,),
    "jax.nn.dot_product_attention.bias": (HEADS[:, :2, :, :3],),
    "jax.nn.dot_product_attention.mask": (HEADS[:, :2, :1, :3] > 0,),
    "jax.nn.dot_product_attention.query_seq_lengths": (np.array([2], np.int32),),
    "jax.nn.dot_product_attention.key_value_seq_lengths": (np.array([2], np.int32),),
    "jax.nn.dot_product_attention.local_window_size": ((1, 0), (1, 1)),
    "jax.numpy.pad.mode": tuple(
        words("constant edge empty linear_ramp maximum mean median minimum symmetric wrap")
    ),
    "jax.numpy.take.mode": ("clip", "wrap", "fill"),
    "jax.scipy.linalg.solve.assume_a": ("pos", "sym"),
    "jax.scipy.linalg.eigh.b": (D,),
    "jax.lax.psum.axis_name": (0, 1, (0, 1)),
}

TABLE: list[tuple[Any, ...]] = [
    # -- jax.lax --------------------------------------------------------------------------------------
    ("jax.lax", "abs asinh atan bessel_i0e bessel_i1e cbrt cos cosh erf erfc exp exp2 expm1 logistic", (V,)),
    ("jax.lax", "neg optimization_barrier reciprocal sin sinh square stage tan tanh cumlogsumexp", (V,)),
    ("jax.lax", "cummax cummin cumprod cumsum sort unstack DotDimensionNumbers", (V,)),
    ("jax.lax", "digamma lgamma log log1p rsqrt sqrt", (P,)),
    ("jax.lax", "acos asin atanh erf_inv", (U,)),
    ("jax.lax", "acosh", (B,)),
    ("jax.lax", "add atan2 div max min mul rem sub dot sort_key_val", (V, W)),
    ("jax.lax", "pow igamma igammac", (P, Q)),
    ("jax.lax", "integer_pow", (V, 3)),
    ("jax.lax", "approx_max_k approx_min_k top_k", (V, 2)),
    ("jax.lax", "batch_matmul", (M[None], N[None])),
    ("jax.lax", "broadcast_like", (V, M)),
    ("jax.lax", "broadcast_to_rank", (V, 3)),
    ("jax.lax", "collapse", (M, 0)),
    ("jax.lax", "concatenate", ([V, X], 0)),
    ("jax.lax", "dynamic_index_in_dim index_in_dim", (M, 1)),
    ("jax.lax", "full_like", (M, 0.7)),
    ("jax.lax", "stack", ([V, W],)),
    ("jax.lax", "psum", (M,), {"axis_name": ()}),
    # -- jax.nn ---------------------------------------------------------------------------------------
    ("jax.nn", "celu elu gelu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu", (V,)),
    ("jax.nn", "log_sigmoid log_softmax logmeanexp logsumexp mish relu relu6 selu sigmoid silu", (V,)),
    ("jax.nn", "soft_sign softmax softplus sparse_plus sparse_sigmoid squareplus standardize swish", (V,)),
    ("jax.nn", "tanh", (V,)),
    ("jax.nn", "log1mexp", (P,)),
    ("jax.nn", "dot_product_attention", (HEADS, HEADS[:, ::-1], HEADS + 0.4)),
    # -- jax.numpy: one array -------------------------------------------------------------------------
    ("jax.numpy", "abs absolute arcsinh arctan array asarray asinh atan atleast_1d atleast_2d", (V,)),
    ("jax.numpy", "atleast_3d cbrt conj conjugate copy cos cosh deg2rad degrees diagflat diff ediff1d", (V,)),
    ("jax.numpy", "exp exp2 expm1 fabs frexp gradient i0 ix_ modf nan_to_num negative poly polyder", (V,)),
    ("jax.numpy", "polyint positive rad2deg radians real reciprocal sin sinc sinh sort square tan", (V,)),
    ("jax.numpy", "tanh unwrap vander histogram_bin_edges", (V,)),
    ("jax.numpy", "log log10 log1p log2 sqrt", (P,)),
    ("jax.numpy", "acos arccos arcsin arctanh asin atanh", (U,)),
    ("jax.numpy", "acosh arccosh", (B,)),
    ("jax.numpy", "amax amin average corrcoef cov cumprod cumsum diag diagonal flip fliplr flipud max", (M,)),
    ("jax.numpy", "matrix_transpose mean median min nancumprod nancumsum nanmax nanmean nanmedian", (M,)),
    ("jax.numpy", "nanmin nanprod nanstd nansum nanvar prod ptp ravel rot90 squeeze std sum trace", (M,)),
    ("jax.numpy", "transpose trapezoid tril triu unstack var", (M,)),
    ("jax.numpy", "cumulative_prod cumulative_sum", (V,), {"include_initial": True}),
    # -- jax.numpy: arrays and parameters -------------------------------------------------------------
    ("jax.numpy", "nanquantile quantile", (M, 0.3)),
    ("jax.numpy", "nanpercentile percentile", (M, 30.0)),
    ("jax.numpy", "array_split hsplit split", (V, 2)),
    ("jax.numpy", "vsplit", (N, 2)),
    ("jax.numpy", "clip", (V, -0.9, 1.1)),
    ("jax.numpy", "delete", (V, 1)),
    ("jax.numpy", "expand_dims", (V, 0)),
    ("jax.numpy", "full_like", (V, 0.7)),
    ("jax.numpy", "partition repeat tile", (V, 2)),
    ("jax.numpy", "resize", (V, (2, 3))),
    ("jax.numpy", "roll", (V, 1)),
    ("jax.numpy", "rollaxis", (M, 1)),
    ("jax.numpy", "pad", (V, 2), {"mode": "reflect"}),
    ("jax.numpy", "take", (V, ORDER)),
    ("jax.numpy", "ldexp", (V, K)),
    ("jax.numpy", "piecewise", (V, [V < 0, V >= 0], [lambda x: x * x, lambda x: 3 * x])),
    ("jax.numpy", "select", ([V < 0, V > 1], [V, W])),
    ("jax.numpy", "where", (V > 0, V, W)),
    ("jax.numpy", "unravel_index", (B + 3, (4, 4))),
    ("jax.numpy", "block column_stack concat concatenate dstack hstack stack vstack", ([V, W],)),
    # -- jax.numpy: two arrays ------------------------------------------------------------------------
    ("jax.numpy", "add append arctan2 atan2 convolve copysign correlate divide divmod dot fmax fmin", (V, W)),
    ("jax.numpy", "fmod broadcast_arrays hypot inner kron logaddexp logaddexp2 maximum meshgrid", (V, W)),
    ("jax.numpy", "minimum mod multiply outer polyadd polydiv polymul polysub polyval remainder", (V, W)),
    ("jax.numpy", "subtract true_divide vdot vecdot", (V, W)),
    ("jax.numpy", "float_power pow power", (P, W)),
    ("jax.numpy", "linspace logspace", (V, W, 5)),
    ("jax.numpy", "geomspace", (P, Q, 5)),
    ("jax.numpy", "cross", (X, Y)),
    ("jax.numpy", "interp", (V, np.array([-2.0, -0.7, 0.9, 2.6]), W)),
    ("jax.numpy", "matmul", (M, N)),
    ("jax.numpy", "matvec", (M, V)),
    ("jax.numpy", "vecmat", (V, N)),
    ("jax.numpy", "tensordot", (M, N, 1)),
    ("jax.numpy", "histogram", (V, np.array([-2.0, -0.7, 0.9, 2.6])), {"weights": W}),
    ("jax.numpy", "histogram2d", (V, W, 3), {"weights": Q}),
    ("jax.numpy", "histogramdd", (N, 3), {"weights": Q}),
    # -- jax.numpy.linalg -----------------------------------------------------------------------------
    ("jax.numpy.linalg", "cholesky eigh eigvalsh", (D,)),
    ("jax.numpy.linalg", "cond det inv slogdet", (S,)),
    ("jax.numpy.linalg", "diagonal matrix_norm matrix_transpose norm pinv svdvals trace vector_norm", (M,)),
    ("jax.numpy.linalg", "qr", (N,)),
    ("jax.numpy.linalg", "svd", (M,), {"full_matrices": False}),
    ("jax.numpy.linalg", "cross", (X, Y)),
    ("jax.numpy.linalg", "outer vecdot", (V, W)),
    ("jax.numpy.linalg", "matmul", (M, N)),
    ("jax.numpy.linalg", "tensordot", (M, M)),
    ("jax.numpy.linalg", "matrix_power", (S, 3)),
    ("jax.numpy.linalg", "multi_dot", ([M, N, S],)),
    ("jax.numpy.linalg", "solve", (S, X)),
    ("jax.numpy.linalg", "lstsq", (N, V)),
    ("jax.numpy.linalg", "tensorinv", (np.kron(S, D[:2, :2]).reshape(2, 3, 6),), {"ind": 2}),
    # -- jax.scipy.linalg -----------------------------------------------------------------------------
    ("jax.scipy.linalg", "cho_factor cholesky eigh", (D,)),
    ("jax.scipy.linalg", "det expm inv lu lu_factor svd qr", (S,)),
    ("jax.scipy.linalg", "block_diag", (M, N)),
    ("jax.scipy.linalg", "circulant companion fiedler fiedler_companion hankel toeplitz", (V,)),
    ("jax.scipy.linalg", "convolution_matrix", (V, 3)),
    ("jax.scipy.linalg", "expm_frechet", (S, D)),
    ("jax.scipy.linalg", "solve", (D, X)),  # for `assume_a`
    ("jax.scipy.linalg", "solve_triangular", (S, X)),
    # -- jax.scipy.special ----------------------------------------------------------------------------
    ("jax.scipy.special", "dawsn erf erfc erfcx expit fresnel i0 i0e i1 i1e log_ndtr log_softmax", (V,)),
    ("jax.scipy.special", "logsumexp ndtr sici softmax", (V,)),
    ("jax.scipy.special", "digamma entr exp1 expi factorial gamma gammaln loggamma spence", (P,)),
    ("jax.scipy.special", "erfinv logit ndtri", (U,)),
    ("jax.scipy.special", "beta betaln gammainc gammaincc kl_div poch rel_entr xlog1py xlogy", (P, Q)),
    ("jax.scipy.special", "boxcox boxcox1p", (P, W)),
    ("jax.scipy.special", "comb", (B + 1, U)),
    ("jax.scipy.special", "expn polygamma", (K, P)),
    ("jax.scipy.special", "hyp1f1", (P, Q, V)),
    ("jax.scipy.special", "multigammaln", (B, 2)),
    ("jax.scipy.special", "owens_t", (V, W)),
    ("jax.scipy.special", "zeta", (B, Q)),
    # -- jax.scipy.stats ------------------------------------------------------------------------------
    ("jax.scipy.stats.beta", "logpdf pdf", (U, P, Q)),
    ("jax.scipy.stats.cauchy", "cdf logcdf logpdf logsf pdf sf", (V, W, 1.3)),
    ("jax.scipy.stats.cauchy", "isf ppf", (U, W, 1.3)),
    ("jax.scipy.stats.chi2", "cdf logcdf logpdf logsf pdf sf", (P, Q)),
    ("jax.scipy.stats.expon", "cdf logcdf logpdf logsf pdf sf", (P, -0.3, 1.3)),
    ("jax.scipy.stats.expon", "ppf", (U, -0.3, 1.3)),
    ("jax.scipy.stats.gamma", "cdf logcdf logpdf logsf pdf sf", (P, Q)),
    ("jax.scipy.stats.gennorm", "cdf logpdf pdf", (V, Q)),
    ("jax.scipy.stats.laplace", "cdf logpdf pdf", (V, W, 1.3)),
    ("jax.scipy.stats.logistic", "cdf logpdf pdf sf", (V, W, 1.3)),
    ("jax.scipy.stats.logistic", "isf ppf", (U, W, 1.3)),
    ("jax.scipy.stats.nbinom", "logpmf pmf", (K, P, U)),
    ("jax.scipy.stats.norm", "cdf logcdf logpdf logsf pdf sf", (V, W, 1.3)),
    ("jax.scipy.stats.norm", "isf ppf", (U, W, 1.3)),
    ("jax.scipy.stats.pareto", "cdf logcdf logpdf logsf pdf sf", (B, Q)),
    ("jax.scipy.stats.pareto", "ppf", (U, Q)),
    ("jax.scipy.stats.poisson", "cdf logpmf pmf", (K, P)),
    ("jax.scipy.stats.poisson", "entropy", (P,)),
    ("jax.scipy.stats.t", "logpdf pdf", (V, Q)),
    ("jax.scipy.stats.truncnorm", "cdf logcdf logpdf logsf pdf sf", (V, -1.7, 2.4)),
    ("jax.scipy.stats.uniform", "cdf logpdf pdf", (V, -2.1, 4.9)),
    ("jax.scipy.stats.uniform", "ppf", (U, -2.1, 4.9)),
    ("jax.scipy.stats.vonmises", "logpdf pdf", (V, Q)),
]
