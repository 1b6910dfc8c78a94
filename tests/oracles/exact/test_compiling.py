"""What JAX compiles while something is checked: equal programs once, and each with its own numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import compiler

from oracles.exact.from_jaxpr import compiling, compiling_once

X = np.arange(3.0, dtype=np.float32)


@pytest.fixture
def compiled(monkeypatch):
    """The programs that JAX was asked to compile, or to find among those on the disk."""
    asked, one = [], compiler.compile_or_get_cached

    def counted(*args, **named):
        asked.append(args)
        return one(*args, **named)

    monkeypatch.setattr(compiler, "compile_or_get_cached", counted)
    monkeypatch.setattr(compiling, "_compile", counted)
    monkeypatch.setattr(compiling, "_made", type(compiling._made)())
    return asked


def scanned(factor, turns=2):
    """What is new in each call; the factor is a literal in it."""
    scan = jax.jit(lambda x: jax.lax.scan(lambda c, _: (c * factor, None), jnp.sin(x), None, length=turns)[0])
    return scan(X)


def test_what_is_new_in_each_call_is_compiled_once(compiled):
    with compiling_once:
        first = scanned(1.5)
        before = len(compiled)
        assert np.array_equal(first, scanned(1.5))
        assert len(compiled) == before
    assert before
    assert np.array_equal(first, scanned(1.5))
    assert len(compiled) == before + 1  # as JAX has it outside


@pytest.mark.parametrize("other", [{"factor": 1.25}, {"factor": 1.5, "turns": 3}])
def test_another_number_is_another_program(compiled, other):
    with compiling_once:
        found = scanned(1.5), scanned(**other)
    assert np.array_equal(found[0], scanned(1.5))
    assert np.array_equal(found[1], scanned(**other))
    assert not np.array_equal(*found)


def test_what_calls_python_is_compiled_each_time(compiled):
    def called(factor):
        return jax.jit(lambda x: jax.pure_callback(lambda x: np.asarray(x) * np.float32(factor), x, x))(X)

    with compiling_once:
        assert np.array_equal(called(2), X + X)
        assert np.array_equal(called(3), X + X + X)
    assert not compiling._made


def test_no_more_than_so_many_are_kept(compiled, monkeypatch):
    monkeypatch.setattr(compiling, "MOST", 1)
    with compiling_once:
        for factor in (1.5, 1.25, 1.5):
            scanned(factor)
    assert len(compiling._made) == 1
