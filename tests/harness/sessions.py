"""For tests of our pytest plugin: a session of pytest on one file, in this process, with all loaded."""

import jax.test_util
import pytest
import torch.testing._internal.common_utils

import gradproof.session
import harness.layers
import harness.report.delivery
from harness.dropin.configuration import settings

# A session inside this process forgets what it has imported, and what is compiled cannot be loaded twice.
LOADED = (jax.test_util, torch.testing, gradproof.session, harness.layers, harness.report.delivery)

pytest_plugins = ["pytester"]


@pytest.fixture
def inside(pytester, monkeypatch):
    """Run pytest on a file in this process, which has everything loaded, and its settings back afterwards.

    As at a desk: whether these tests run in CI does not matter.
    """
    for name in ("CI", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    for name, own in vars(settings).items():
        monkeypatch.setattr(settings, name, own)

    def run(text, *options):
        pytester.path.joinpath("test_mine.py").write_text(text, encoding="utf-8")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run
