"""Functions of Python's and SciPy's libraries: values are theirs, derivatives those of differences."""

import cmath
import math
import statistics

import numpy as np
import pytest
import scipy
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.spatial.distance
import scipy.special
import scipy.stats
from scipy.ndimage import correlate1d
from scipy.special import logsumexp

from harness import check_gradient, register_rule
from oracles.exact.coverage import operations
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.libraries import LIBRARIES
from oracles.exact.from_numpy.libraries import linalg as of_linalg
from oracles.exact.program import registered
from oracles.exact.program.balls import precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.blas_samples import BLAS
from tests.oracles.exact.numpy_samples import POSITIVE, SPD, UNIT, A, Sample, V, W, X, Y
from tests.oracles.exact.numpy_tools import BITS, leaves, middle, slopes

sc, la, fft, sg, sp = scipy.special, scipy.linalg, scipy.fft, scipy.signal, scipy.spatial
it, nd, st = scipy.integrate, scipy.ndimage, scipy.stats
SINGLE = ("scipy.linalg.blas", "scipy.linalg.lapack")  # float32 has samples of its own
METRICS = ("euclidean", "sqeuclidean", "cityblock", "chebyshev")
SHARES = ("cosine", "correlation", "canberra", "braycurtis")  # of what there is in all
SECTIONS = np.array([[0.5, 0.25, 0.75, 1.0, -0.5, 0.25], [1.0, -1.5, 0.0, 1.0, 0.75, 0.125]])
P, U, M, B = abs(V), UNIT[0], X[:, :3] + 3 * np.eye(3), X[:, :2]


def parts(found):
    return (found.real, found.imag) if np.iscomplexobj(found) else (found,)


def scalars(name, numbers):
    function = getattr(math, name)
    return Sample(lambda v: np.array([function(x) for x in v]), (numbers,))


def cosines(name, **kwargs):
    function = getattr(fft, name)
    return Sample(lambda x: tuple(function(x, type=k, **kwargs) for k in (1, 2, 3, 4)), (X,))


def each_mode(function, *more):
    """Of kernels with an even and an odd length, and of one that is the larger along both axes."""
    return lambda x, k: tuple(
        part
        for mode in ("full", "same", "valid")
        for y in (function(x, k, mode, *more), function(k[:, :1], x, mode, *more))
        for part in parts(y)
    )


def filtered(mode):
    """With kernels of odd and even length; SciPy takes symmetric ones another way."""
    even, odd = np.array([[0.5, -1.25], [2.0, 0.75]]), np.array([1.0, -2.5, 1.0])
    more = {"mode": mode, "cval": 0.7}
    return Sample(
        lambda x, k: (
            nd.correlate(x, k, origin=(0, 1), **more),
            nd.convolve(x, k, origin=(0, -1), **more),
            nd.convolve(x, even, origin=-1, **more),
            nd.correlate(X, k, **more),
            nd.correlate1d(x, odd, 0, **more),
            nd.correlate1d(x, [1.0, 2.0, -1.0, 0.5], origin=1, **more),
            nd.convolve1d(x, even[0], **more),
            nd.convolve1d(x[0], [*k[0], 2.0, 1.0], origin=1, **more),
            nd.uniform_filter(x, (2, 5), origin=(-1, 1), **more),
            nd.uniform_filter1d(x, 3, 0, **more),
            nd.gaussian_filter(x, (0.5, 0.8), (0, 1), truncate=3.0, **more),
            nd.gaussian_filter1d(x, 0.7, order=2, radius=4, **more),
            nd.gaussian_filter1d(X, abs(k[0, 0]) + 0.3, radius=3, **more),
            nd.sobel(x, 0, **more),
            nd.prewitt(x, **more),
            nd.laplace(x, **more),
        ),
        (X, Y[:2, :3]),
    )


def cosine(u, v):
    """Another one than SciPy's."""
    return math.sqrt((u - 2 * v) @ (u - v) + 9)


def asserted(v):
    for check in (np.testing.assert_allclose, np.testing.assert_almost_equal):
        check(v, v + 1e-9)
    np.testing.assert_array_almost_equal([v[0], 1.0], [v[0] + 1e-8, 1.0], decimal=6)
    np.testing.assert_array_less(v, 9.0)
    for check in (np.testing.assert_equal, np.testing.assert_array_equal):
        check(np.sign(v), np.sign(2 * v))
    try:
        np.testing.assert_array_less(v, 0.0, "not all are negative")
    except AssertionError:
        return v * v
    return v


UNARY = "exp exp2 expm1 cbrt sin cos tan atan sinh cosh tanh asinh degrees radians fabs erf erfc gamma lgamma"
COMPLEX = "exp sqrt log log10 sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh"
SAMPLES = {
    **{f"math.{name}": scalars(name, V) for name in UNARY.split()},
    **{f"math.{name}": scalars(name, P) for name in ["sqrt", "log", "log2", "log10", "log1p"]},
    **{f"math.{name}": scalars(name, U) for name in ["asin", "acos", "atanh"]},
    "math.acosh": scalars("acosh", P + 1),
    "math of two": Sample(
        lambda v, w: np.array(
            [
                math.atan2(v[0], w[0]),
                math.hypot(v[1], w[1]),
                math.pow(abs(v[2]), w[2]),
                math.copysign(v[3], w[3]),
                math.fmod(v[0], w[1]),
                math.log(abs(v[0]), 3.0),
                math.dist(v[:2], w[:2]),
                math.prod(v),
                math.fsum(w),
                math.hypot(*v[:3]),
                math.modf(v[0])[0],
                v[0] * math.floor(w[0]) + v[1] * math.ceil(w[1]),
                v[2] * math.trunc(w[2]) * math.isfinite(v[0]) + math.isnan(v[0]) + math.isinf(w[0]),
                w[1] * math.isclose(v[0], v[0] + 1e-12) + math.isclose(v[0], w[0]),
                math.ldexp(v[0], 3) * math.frexp(w[1])[0] + math.frexp(v[2])[1] * math.frexp(0 * v[1])[0],
                math.remainder(v[0], w[1]),
            ]
        ),
        (V, W),
    ),
    "cmath": Sample(
        lambda v, w: np.array(
            [
                part
                for name in COMPLEX.split()
                for z in (getattr(cmath, name)(v[0] + 1j * w[0]), getattr(cmath, name)(abs(v[0]) / 9))
                for part in (z.real, z.imag)
            ]
        ),
        (V, W),
    ),
    "cmath of sizes and angles": Sample(
        lambda v, w: np.array(
            [
                cmath.phase(v[0] + 1j * w[0]),
                *cmath.polar(v[1] - 1j * w[1]),
                cmath.rect(v[2], w[2]).real * cmath.rect(v[2], 0.5).imag,
                cmath.log(v[3] + 1j * w[3], 2.5).imag,
            ]
        ),
        (V, W),
    ),
    "statistics": Sample(
        lambda v, w: (statistics.mean(v), statistics.mean([*w, 1.0]), statistics.fmean(v[:4], w)), (V, W)
    ),
    "sums of what comes one by one": Sample(
        lambda v: np.array([math.fsum(x * x for x in v), statistics.fmean(2 * x for x in v)]), (V,)
    ),
    "statistics of a row": Sample(lambda v: np.array([statistics.fmean(v.tolist()), v[0]]), (V,)),
    "numpy.testing": Sample(asserted, (V,)),
    "integrate": Sample(
        lambda x, v, w: (
            it.trapezoid(v),
            it.trapezoid(x, axis=0),
            it.trapezoid(V, np.cumsum(abs(v))),
            it.trapezoid(x, Y + x, axis=0),
            it.cumulative_trapezoid(x, dx=0.5, axis=0),
            it.cumulative_trapezoid(v, np.cumsum(abs(v)), initial=0),
            it.simpson(v),
            it.simpson(w, dx=0.5),
            it.simpson(w[:2]),
            it.simpson(v[:2], x=w[:2]),
            it.simpson(v, x=np.cumsum(P)),
            it.simpson(W, x=np.cumsum(abs(w))),
            it.simpson(x, dx=0.5, axis=0),
            it.simpson(x, x=[0.0, 1.0, 1.5, 2.5]),
            it.simpson(x, x=np.cumsum(POSITIVE, 1)),
        ),
        (X, V, W),
    ),
    "linalg of few numbers": Sample(
        lambda x, v, w: (
            la.toeplitz(v),
            la.toeplitz(V, w),
            la.toeplitz([v[0], 2.0]),
            la.circulant(v),
            la.hankel(v),
            la.hankel(v, W),
            la.block_diag(x, v, 2.0, w[:2, None]),
            la.solve_banded((1, 1), np.stack([v, v + 9, v]), V),
            la.solve_banded((2, 1), np.stack([V, V + 9, v, v]), np.stack([v, V], 1)),
            la.solveh_banded(np.stack([v, v + 9]), V),
            la.solveh_banded([P + 9, V / 4, V / 8], v, lower=True),
        ),
        (X, V, W),
    ),
    **{f"ndimage {mode}": filtered(mode) for mode in ("reflect", "constant", "nearest", "mirror", "wrap")},
    "polygamma": Sample(
        lambda x: (sc.polygamma(2, x), sc.polygamma([0, 1, 3, 0, 2], x), sc.polygamma(0, x)), (P,)
    ),
    "spherical": Sample(
        lambda v: tuple(
            getattr(sc, f"spherical_{k}n")(n, v, d)
            for k, n in zip("jyikk", (2, 2, 2, 2, 3), strict=True)
            for d in (False, True)
        ),
        (V,),
    ),
    "logsumexp": Sample(
        lambda x: (sc.logsumexp(x), sc.logsumexp(x, axis=1, b=POSITIVE, keepdims=True), logsumexp(x[0])), (X,)
    ),
    "softmax": Sample(lambda x: (sc.softmax(x), sc.softmax(x, axis=0), sc.log_softmax(x, axis=1)), (X,)),
    "multigammaln": Sample(lambda x: sc.multigammaln(x + 3, 3), (P,)),
    "comb": Sample(
        lambda x: (sc.comb(x + 4, x), sc.comb(x, 2.0, repetition=True), sc.perm(x + 4, x), sc.factorial(x)),
        (P,),
    ),
    "linalg.solve": Sample(
        lambda a, b: (
            la.solve(a, b),
            la.solve(a, b[:, 0], transposed=True),
            la.solve(a, b, assume_a="sym"),
            la.solve(a, b, assume_a="pos", lower=True),
            la.solve(a, b, assume_a="upper triangular"),
            la.solve(a, b, assume_a="lower triangular", check_finite=False),
        ),
        (SPD, B),
    ),
    "linalg.solve_triangular": Sample(
        lambda a, b: tuple(
            la.solve_triangular(a, b, trans=t, lower=low, unit_diagonal=u)
            for t in (0, "T", 2)
            for low in (False, True)
            for u in (False, True)
        ),
        (A, B),
    ),
    "linalg": Sample(
        lambda a: (
            la.inv(a),
            la.det(a),
            la.pinv(a),
            la.norm(a),
            la.norm(a, 1),
            la.norm(a[0]) * a[1],
            la.norm(a, 3, axis=0),
            la.expm(a / 8),
            la.svdvals(a),
        ),
        (A,),
    ),
    "linalg.lstsq": Sample(lambda a, b: (*la.lstsq(a, b[:, 0])[:2], la.lstsq(a, b)[0]), (X[:, :2], B)),
    "linalg.cholesky": Sample(
        lambda a, b: (
            la.cholesky(a),
            la.cholesky(a, lower=True),
            la.cho_factor(a)[0],
            la.cho_factor(a, lower=True)[0],
            la.cho_solve(la.cho_factor(a), b),
            la.cho_solve(la.cho_factor(a, True), b),
        ),
        (SPD, B),
    ),
    "linalg.lu": Sample(
        lambda a, b: (
            *la.lu(a)[1:],
            *la.lu(a, permute_l=True),
            la.lu_factor(a)[0],
            la.lu_solve(la.lu_factor(a), b),
            la.lu_solve(la.lu_factor(a), b, trans=1),
            a[la.lu(a, p_indices=True)[0]],
            la.lu(a)[0] @ a,
        ),
        (A[::-1].copy(), B),
    ),
    "linalg.qr": Sample(lambda a: (*la.qr(a), *la.qr(a[:, :2], mode="economic"), *la.qr(a, mode="r")), (A,)),
    "linalg.eig": Sample(lambda a: (abs(la.eig(a)[1]), la.eigvals(a).real), (A,)),
    "linalg.eigh": Sample(
        lambda a: (*la.eigh(a), la.eigh(a, eigvals_only=True), la.eigvalsh(a, lower=False)), (SPD,)
    ),
    "linalg.eigh of two": Sample(
        lambda a, b: tuple(
            part
            for kind in (1, 2, 3)
            for part in (
                *la.eigh(a, b @ b.T + np.eye(3), type=kind),
                la.eigvalsh(a, b @ b.T + np.eye(3), type=kind, lower=False),
            )
        ),
        (SPD, M),
    ),
    "linalg.svd": Sample(lambda a: (*la.svd(a), la.svd(a, compute_uv=False)), (A,)),
    "fft": Sample(
        lambda x: tuple(
            part
            for y in (
                fft.fft(x),
                fft.ifft(x, 5, 0, "ortho"),
                fft.rfft(x),
                fft.ihfft(x),
                fft.fft2(x),
                fft.ifft2(x),
                fft.rfft2(x),
                fft.fftn(x, norm="forward"),
                fft.ifftn(x),
                fft.rfftn(x),
                fft.fftshift(fft.fft(x)),
                fft.ifftshift(x),
                fft.irfft(fft.rfft(x)),
                fft.hfft(x),
                fft.irfft2(fft.rfft2(x)),
                fft.irfftn(fft.rfftn(x)),
            )
            for part in parts(y)
        ),
        (X,),
    ),
    **{
        f"{name} {norm}": cosines(name, norm=norm)
        for name in ("dct", "idct", "dst", "idst")
        for norm in ("backward", "ortho", "forward")
    },
    **{name: Sample(each_mode(getattr(sg, name)), (X, Y[:2, :3])) for name in ("convolve2d", "correlate2d")},
    **{
        f"{name} {method}": Sample(each_mode(getattr(sg, name), method), (X, Y[:2, :3]))
        for name in ("convolve", "correlate")
        for method in ("direct", "fft", "auto")
    },
    "fftconvolve": Sample(each_mode(sg.fftconvolve), (X, Y[:2, :3])),
    "solve_sylvester": Sample(la.solve_sylvester, (A, A.T + np.eye(3), M)),
    "solve_continuous_lyapunov": Sample(
        lambda a, q: (la.solve_continuous_lyapunov(a, q), la.solve_lyapunov(a, q)), (A, M)
    ),
    "solve_discrete_lyapunov": Sample(
        lambda a, q: (la.solve_discrete_lyapunov(a, q), la.solve_discrete_lyapunov(a, q, method="direct")),
        (A / 8, M),
    ),
    "lfilter": Sample(
        lambda b, a, x, z: (
            sg.lfilter(b, a, x),
            sg.lfilter(b, a, x.T, axis=0),
            sg.lfilter(b[:2], a, x),
            sg.lfilter(b, 2.0, x),
            sg.lfilter([1.0], a, x),
            *sg.lfilter(b, a, x, zi=z),
            *sg.lfilter(b, a, x.T, 0, z.T),
        ),
        (W[:3], abs(V[:3]) + 0.5, X, Y[:, :2]),
    ),
    "sosfilt": Sample(
        lambda s, x, z: (
            sg.sosfilt(np.concatenate([s[:, :3], SECTIONS[:, 3:4], s[:, 4:]], 1), x),
            *sg.sosfilt(SECTIONS, x, 0, z),
        ),
        (SECTIONS, X, np.stack([Y[:2], Y[1:]])),
    ),
    "filtfilt": Sample(
        lambda x, v: (
            sg.filtfilt(W[:3], P[:3], x, 0, padlen=2),
            sg.filtfilt([0.5, 0.25], 1.0, v, padtype="even", padlen=3),
            sg.filtfilt(W[:2], [1.0, 0.5], v[:4], padtype="constant", padlen=2),
            sg.filtfilt(W[:2], [1.0, 0.5], v, padtype=None),
            sg.filtfilt([0.5, 0.5], 1.0, np.concatenate([v, v * v])),
            sg.sosfiltfilt(SECTIONS, x, padlen=2),
            sg.sosfiltfilt(SECTIONS[:1], np.concatenate([v, v * v]), 0),
        ),
        (X, V),
    ),
    "convolutions of complex numbers, along one axis, and of numbers in the code": Sample(
        lambda v, w: (
            *parts(sg.convolve(v + 1j * v[::-1], w, "same")),
            *parts(sg.correlate(v, w * 1j)),
            sg.correlate(v, w, "same"),
            sg.correlate(w, v, "same"),
            sg.correlate(w, v, "valid"),
            sg.fftconvolve(v, [1, 2, 3]),
            sg.fftconvolve(v[:, None], np.outer(w[:2], v), "valid"),
            sg.convolve([[1.0, 2.0, -1.0]], v[:1, None]),
        ),
        (V, W),
    ),
    "distances of sets": Sample(
        lambda x, y: (
            *(sp.distance.cdist(x, y, m) for m in METRICS),
            *(sp.distance.pdist(x, m) for m in METRICS),
            sp.distance.cdist(x, Y[:2]),
            sp.distance.cdist(x, y, sp.distance.cosine),
            sp.distance.cdist(x, y, cosine),
            sp.distance.pdist(x, lambda u, v, p: abs(u - v).max() ** p, p=3),
            sp.distance.squareform(sp.distance.pdist(x)),
            sp.distance.squareform(sp.distance.squareform(sp.distance.pdist(x))),
            sp.distance_matrix(x, y),
            sp.distance_matrix(x, y, 1),
        ),
        (X, Y[:2]),
    ),
    "distances": Sample(
        lambda v, w: tuple(getattr(sp.distance, m)(v[:4], w) for m in (*METRICS, *SHARES, "minkowski")),
        (V, W),
    ),
    "distances with options": Sample(
        lambda v, w, m: (
            *(getattr(sp.distance, m)(v[:4], w, abs(w)) for m in (*METRICS, *SHARES)),
            sp.distance.minkowski(v[:4], w, 3, abs(w)),
            sp.distance.minkowski(w, v[:4], p=1),
            sp.distance.seuclidean(v[:4], w, abs(w)),
            sp.distance.mahalanobis(v[:3], w[:3], m),
            sp.distance.correlation(v[:4], w, centered=False),
            sp.distance.canberra([0.0, *v[:3]], np.array([0.0, 1.0, 1.0, 1.0]) * w),
            sp.distance.jensenshannon(abs(v[:4]), abs(w)),
            sp.distance.jensenshannon(POSITIVE, abs(np.stack([w, 2 * w, w])), 2.0, axis=1, keepdims=True),
        ),
        (V, W, SPD),
    ),
    "distances of sets with options": Sample(
        lambda x, y, w: (
            *(sp.distance.cdist(x, y, m) for m in SHARES),
            *(sp.distance.pdist(x, m, w=abs(w)) for m in (*METRICS, *SHARES)),
            *(sp.distance.cdist(x, y, m, p=p) for m, p in (("minkowski", 3), ("pnorm", 1), ("m", np.inf))),
            sp.distance.pdist(x, "minkowski", p=1.5, w=abs(w)),
            sp.distance.cdist(x, y, "seuclidean", V=abs(w)),
            sp.distance.pdist(x, "seuclidean"),
            sp.distance.cdist(x[:, :2], y[:, :2], "mahalanobis"),
            sp.distance.pdist(x, "mahalanobis", VI=np.diag(abs(w))),
            sp.distance.cdist(abs(x), abs(y), "jensenshannon"),
            sp.distance_matrix(x, y, 3),
        ),
        (X, Y[:2], W),
    ),
    "samples": Sample(
        lambda x, y, w: (
            st.gmean(abs(x)),
            st.gmean(abs(x), axis=None),
            st.gmean(abs(x), 1, weights=abs(y)),
            st.hmean(abs(x), axis=-1, weights=abs(w), keepdims=True),
            st.hmean([abs(w[0]), 2.0]),
            st.pmean(abs(x), 3),
            st.pmean(abs(x), -1.5, axis=1, weights=abs(y)),
            st.pmean(abs(x), 0, dtype=np.float64),
            st.entropy(abs(x)),
            st.entropy(abs(x), abs(y), base=2, axis=1),
            st.entropy(abs(w), [1.0, 2.0, 3.0, 4.0]),
            st.moment(x, [0, 1, 2, 3, 5]),
            st.moment(x, 3, axis=None),
            st.moment(x, 1, axis=1, center=0.5),
            st.skew(x),
            st.skew(x, axis=None, bias=False),
            st.kurtosis(x, 1, False),
            st.kurtosis(x, axis=None, bias=False),
            st.variation(x, axis=1, ddof=1),
            st.sem(x),
            st.sem(x, axis=None, ddof=0),
            st.zscore(x),
            st.zscore(x, axis=None, ddof=1),
            st.zmap(x, y, 1),
        ),
        (X, Y, W),
    ),
    "pearsonr": Sample(
        lambda x, y: (
            *st.pearsonr(x[0], y[0]),
            st.pearsonr(x, y, alternative="less").pvalue,
            st.pearsonr(x, y, axis=1, alternative="greater")[1],
            st.pearsonr(x, y[0], axis=1).statistic,
            st.pearsonr(x, Y, axis=None).correlation,
        ),
        (X, Y),
    ),
    "detrend": Sample(
        lambda x, v: (
            sg.detrend(x),
            sg.detrend(x, 0, bp=[1, 2]),
            sg.detrend(x, type="constant"),
            sg.detrend([v[0], 1.0, v[1]]),
            sg.detrend(v, bp=2),
        ),
        (X, V),
    ),
    "hilbert": Sample(
        lambda x, v: (
            *parts(sg.hilbert(x)),
            *parts(sg.hilbert(x, N=5, axis=0)),
            *parts(sg.hilbert(v)),
            *parts(sg.hilbert([v[0], v[1]], N=1)),
        ),
        (X, V),
    ),
    "linalg of Toeplitz's and of circulant matrices": Sample(
        lambda x, v, w: (
            la.solve_toeplitz((v + np.eye(5)[0] * 5, [1.0, *w]), v),
            la.solve_toeplitz(w + np.eye(4)[0] * 5, x.T),
            la.matmul_toeplitz((v, w), x[0]),
            la.matmul_toeplitz(w, x.T),
            la.solve_circulant(w, x[0]),
            la.solve_circulant(w, x.T),
            la.khatri_rao(x, x[:2]),
        ),
        (X, V, W),
    ),
    "complex numbers by kernels": Sample(
        lambda a, v, w: tuple(
            part
            for z in (
                la.solve_sylvester(a + 1j, A.T + 0j, a),
                la.solve_continuous_lyapunov(a + 1j, a),
                la.solve_discrete_lyapunov(a * 1j / 8, M),
                la.solve_toeplitz(np.array([5 + 1j, *w]), v),
                la.matmul_toeplitz((v + 1j, w), w),
                la.solve_circulant(v + 2j, v),
                sg.detrend(v * (1 + 1j) ** np.arange(5)),
            )
            for part in parts(z)
        ),
        (A, V, W),
    ),
    "linalg of lists": Sample(
        lambda v: (
            la.expm([[0.0, -v[0]], [v[0], 0.0]]),
            la.det([[v[0], 1.0], [2.0, v[1]]]),
            la.lu_solve(list(la.lu_factor([v[:2], v[2:4]])), [v[0], 1.0]),
        ),
        (V,),
    ),
    "dct and lengths": Sample(lambda x: (fft.dct(x, n=6), fft.dst(x, n=2, axis=0)), (X,)),
    "dctn": Sample(
        lambda x: (fft.dctn(x), fft.idctn(x, s=(2, 5)), fft.dstn(x, axes=(0,), norm="ortho"), fft.idstn(x)),
        (X,),
    ),
    **BLAS,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_values_are_the_library_s(name):
    function, points = SAMPLES[name]
    wanted = leaves(function(*points))
    recording = record(function, points, {})
    found = evaluate(recording.program, recording.values, BITS)
    for balls, numbers in zip(found, wanted, strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=1e-12, atol=1e-12)
        assert balls.shape == numbers.shape


@pytest.mark.parametrize("name", SAMPLES)
def test_derivatives_are_the_differences(name):
    function, points = SAMPLES[name]
    forward, backward, difference = slopes(function, points)
    with precision(BITS):
        assert forward.overlaps(backward)
        assert abs(difference - forward) < 1e-18 * (1 + abs(forward))


def test_every_function_is_run(monkeypatch):
    """What no sample runs is not known to be right."""
    met = set()

    def noting(key, definition):
        return lambda *args, **kwargs: met.add(key) or definition(*args, **kwargs)

    from oracles.exact.from_numpy.libraries import replaced

    for library, table in LIBRARIES.items():
        for name in table:
            monkeypatch.setitem(table, name, noting((library, name), table[name]))
    replaced.of_libraries.cache_clear()
    for function, points in SAMPLES.values():
        record(function, points, {})
    replaced.of_libraries.cache_clear()
    met |= {(library, "s" + name[1:]) for library, name in met if library in SINGLE}
    known = {(library, name) for library, table in LIBRARIES.items() for name in table}
    assert known - met <= {("math", "fmod"), ("math", "cbrt"), ("math", "exp2")}


def test_plain_numbers_stay_the_library_s_own():
    found = record(lambda v: v * math.exp(1.0) * la.det(np.eye(2)) * math.floor(2.5), (V,), {})
    assert found.values[0].tolist() == V.tolist()


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: la.solve(A, x, assume_a="banded"), "assume_a='banded'"),
    (lambda x: la.qr(x[:, None] * x, pivoting=True), "pivoting=True"),
    (lambda x: la.eigh(x[:, None] * x, np.eye(3) + 0j), "eigh of two complex matrices"),
    (lambda x: sg.savgol_filter(x, 3, 1), "savgol_filter has no rule"),
    (lambda x: sc.comb(x, 2, exact=True), "comb with exact=True"),
    (lambda x: fft.dct(x[:1], type=1), "DCT-I of fewer than 2"),
    (lambda x: la.lu(x[:, None] * x + 1j), "lu of complex numbers"),
    (lambda x: sg.convolve2d(x[:, None], x[None], boundary="wrap"), "boundary='wrap'"),
    (lambda x: sg.fftconvolve(x, x, axes=0), "fftconvolve with axes"),
    (lambda x: sg.convolve(x.astype("float16"), x.astype("float16")), "of these dtypes"),
    (lambda x: sp.distance.cdist(x[:, None], x[:, None], "yule"), "metric='yule'"),
    (lambda x: sp.distance.minkowski(x, 2 * x, p=x[0]), "a recorded p"),
    (lambda x: st.gmean(x, nan_policy="omit"), "gmean with nan_policy='omit'"),
    (lambda x: st.zscore(x, nan_policy="omit"), "nan_policy='omit'"),
    (lambda x: st.pearsonr(x[:2], x[1:]), "of two numbers"),
    (lambda x: st.pearsonr(x, x * x).confidence_interval(), "confidence_interval of values that depend"),
    (lambda x: sg.filtfilt(x, 1.0, np.ones(20)), "filtfilt and sosfiltfilt of recorded coefficients"),
    (lambda x: sg.filtfilt([1.0, 2.0], 1.0, x, method="gust"), "filtfilt with method='gust'"),
    (lambda x: sg.detrend(x, overwrite_data=True), "with overwrite_data"),
    (lambda x: la.solve_circulant(x, x, singular="lstsq"), "solve_circulant with singular"),
    (lambda x: la.toeplitz(x[None], x), "of more than one axis"),
    (lambda x: la.block_diag(x[None, None]), "block_diag of batches"),
    (lambda x: la.solve_banded((1, 1), x[None], x), "another number of rows"),
    (lambda x: nd.sobel(x, output=np.zeros(3)), "an array as output"),
    (lambda x: nd.laplace(x[:, None], axes=0), "along some axes"),
    (lambda x: sp.distance.cdist(x[:, None], x[:, None], "euclidean", out=np.ones((3, 3))), "or options"),
    (lambda x: sp.distance.cdist(x[:, None], x[:, None], "cosine", V=[2.0]), "or options"),
])  # fmt: skip
def test_what_is_refused_is_named(function, message):
    with pytest.raises(Unsupported, match=message):
        record(function, (P[:3],), {})


def test_a_gradient_through_a_library_is_judged():
    def loss(a, b):
        return la.cho_solve(la.cho_factor(a), b).sum() + math.exp(b[0])

    def backward(g, a, b, factor=1.0):
        ones = la.cho_solve(la.cho_factor(a), np.ones(3))
        inner = np.outer(ones, la.cho_solve(la.cho_factor(a), b))
        upper = np.triu(inner + inner.T) - np.diag(np.diag(inner))
        return -factor * g * upper, g * (ones + np.array([math.exp(b[0]), 0.0, 0.0]))

    assert check_gradient(loss, (SPD, W[:3]), vjp=backward).passed
    off = check_gradient(loss, (SPD, W[:3]), vjp=lambda g, a, b: backward(g, a, b, 1.001))
    assert off.verdict.name == "WRONG"


def _reached_inside(x):
    from scipy import ndimage

    return ndimage.correlate1d(x, [1.0, 2.0, 1.0])


@pytest.mark.parametrize(("operation", "definition", "function"), [
    (la.logm, lambda a: a - np.eye(2), lambda x: la.logm(np.eye(2) + x)),  # to first order
    (sp.distance.pdist, lambda x: x[:1, 0], lambda x: sp.distance.pdist(x)),  # though a rule is there
    (correlate1d, lambda x, w: w[1] * x, _reached_inside),
    (correlate1d, lambda x, w: w[1] * x, lambda x: scipy.ndimage.correlate1d(x, [3.0, 1.0, 3.0])),
    (correlate1d, lambda x, w: w[1] * x, lambda x: correlate1d(x, [3.0, 1.0, 3.0])),
])  # fmt: skip
def test_what_is_said_of_a_function_of_scipy_s_is_taken(monkeypatch, operation, definition, function):
    monkeypatch.setattr(registered, "_definitions", {})
    register_rule(operation, definition)
    x = 1e-9 * np.array([[1.0, 2.0], [3.0, 4.0]])
    program = record(function, (x,), {}).program
    g = np.ones(program.outputs[0].shape)
    found = evaluate(vjp(program, [0]), [x, g], BITS)
    wanted = 2.0 if function is _reached_inside else 1.0
    assert float(found[0][0, 0].mid()) == pytest.approx(wanted)


def test_the_table_of_linear_algebra_has_names_that_scipy_has():
    assert all(hasattr(la, name) for name in of_linalg.LINALG)


def test_where_scipy_is_not_nothing_is_said_to_be_missing_of_it(monkeypatch):
    monkeypatch.setattr(operations, "find_spec", lambda name: None)
    assert operations.scipy_operations().missing == ()
    assert "jv" in operations.scipy_operations().covered


def test_what_is_covered_names_scipy_s_functions_and_complex_numbers():
    scipys = operations.scipy_operations()
    assert {"jv", "linalg.solve", "fft.dct", "logsumexp", "stats.norm"} <= set(scipys.covered)
    assert "mathieu_cem" in scipys.missing
    assert "linalg.solve" in operations.numpy_complex().covered
    assert "fft" in operations.jax_complex().covered
    assert "fft" not in operations.jax_operations().missing
    assert "_fft_c2c" in operations.torch_complex().covered


@pytest.mark.parametrize("name", ["dct", "dst", "idct", "idst", "dctn"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_transforms_keep_float32(name, kind):
    x = np.arange(1, 9, dtype=np.float32)
    transform = getattr(scipy.fft, name)
    (output,) = record(lambda x: transform(x, type=kind, norm="ortho"), (x,), {}).program.outputs
    assert output.dtype == transform(x, type=kind, norm="ortho").dtype.name == "float32"
