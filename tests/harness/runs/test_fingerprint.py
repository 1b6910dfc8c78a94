"""The fingerprint of a machine: what is in it, what is not, and how two of them differ."""

import platform
import socket

import msgspec
import numpy as np
import pytest
import threadpoolctl

from harness.runs import fingerprint as module
from harness.runs.fingerprint import Fingerprint, cores, differences, fingerprint, installed, numpy_blas

ONE = Fingerprint(
    processor="A",
    system="Linux x86_64",
    python="3.11.9",
    blas="openblas 0.3.29 SkylakeX",
    versions={"jax": "0.10.2", "numpy": "2.4.6"},
    simd="AVX2",
    threads=2,
)


def test_it_says_of_this_machine_what_the_libraries_say_themselves():
    found = fingerprint()
    assert found.versions["numpy"] == np.__version__
    assert found.python == platform.python_version()
    assert found.system.startswith(f"{platform.system()} {platform.machine()}")
    assert found.processor
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    assert found.blas in {f"{p['internal_api']} {p['version']} {p['architecture']}" for p in pools}
    assert list(found.versions) == sorted(found.versions)


def test_it_survives_json_and_refuses_what_it_does_not_know():
    text = msgspec.json.encode(fingerprint())
    assert msgspec.json.decode(text, type=Fingerprint) == fingerprint()
    with pytest.raises(msgspec.ValidationError, match="host"):
        msgspec.json.decode(b'{"host": "x", ' + text[1:], type=Fingerprint)


def test_it_names_neither_the_machine_nor_the_build_of_its_kernel():
    text = msgspec.json.encode(fingerprint()).decode()
    assert socket.gethostname() not in text
    assert platform.release() not in text


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    fingerprint.cache_clear()
    try:
        assert list(fingerprint().versions) == ["numpy"]
    finally:
        fingerprint.cache_clear()
    assert installed("no-such-package") == ""


@pytest.mark.parametrize(
    ("pools", "blas", "threads"),
    [
        ([], "", cores()),
        ([{"user_api": "openmp", "filepath": "numpy", "num_threads": 7}], "", cores()),
        (
            [
                {"user_api": "blas", "filepath": "/scipy.libs/b", "internal_api": "mkl", "num_threads": 3},
                {"user_api": "blas", "filepath": "/numpy.libs/b", "internal_api": "openblas", "version": None,
                 "architecture": "Zen", "num_threads": 5},
            ],
            "openblas Zen",
            5,
        ),
        ([{"user_api": "blas", "filepath": "/lib/b", "internal_api": "mkl", "num_threads": 3}], "mkl", 3),
    ],
)  # fmt: skip
def test_the_blas_is_numpys_or_the_shared_one(pools, blas, threads, monkeypatch):
    monkeypatch.setattr(module, "threadpool_info", lambda: pools)
    fingerprint.cache_clear()
    try:
        assert (fingerprint().blas, fingerprint().threads) == (blas, threads)
    finally:
        fingerprint.cache_clear()


def test_the_threads_are_those_that_blas_uses():
    with threadpoolctl.threadpool_limits(1):
        assert numpy_blas().get("num_threads", 1) == 1


def test_a_processor_without_a_model_has_its_architecture(monkeypatch, tmp_path):
    for text in ("processor\t: 0\nBogoMIPS\t: 50\n", None):
        path = tmp_path / f"{bool(text)}"
        if text:
            path.write_text(text)
        monkeypatch.setattr(module, "Path", lambda _, path=path: path)
        assert module._processor() == (platform.processor() or platform.machine())


def test_the_first_model_is_the_processor(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("model\t\t: 1\nmodel name\t: A: big\nmodel name\t: B\n")
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "cpuinfo")
    assert module._processor() == "A: big"


def test_the_same_machine_has_no_differences():
    assert differences(fingerprint(), fingerprint()) == []
    assert differences(ONE, msgspec.structs.replace(ONE)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"processor": "B"}, "processor A, not B"),
        ({"system": "Darwin arm64"}, "system Linux x86_64, not Darwin arm64"),
        ({"python": "3.12.0"}, "python 3.11.9, not 3.12.0"),
        ({"blas": ""}, "BLAS openblas 0.3.29 SkylakeX, not unknown"),
        ({"simd": "AVX512"}, "SIMD AVX2, not AVX512"),
        ({"threads": 1}, "threads 2, not 1"),
        ({"versions": {"jax": "0.10.2", "numpy": "2.4.5"}}, "numpy 2.4.6, not 2.4.5"),
        ({"versions": {"numpy": "2.4.6"}}, "jax 0.10.2, not installed there"),
        ({"versions": ONE.versions | {"torch": "2.9"}}, "torch not installed, 2.9 there"),
    ],
)
def test_each_difference_is_said_in_words(change, words):
    assert differences(ONE, msgspec.structs.replace(ONE, **change)) == [words]


def test_every_field_is_compared():
    other = Fingerprint("B", "C", "D", "E", {"jax": "1", "numpy": "2"}, "F", 9)
    assert len(differences(ONE, other)) == len(Fingerprint.__struct_fields__) - 1 + 2
