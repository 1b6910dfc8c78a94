"""The pytest plugin: a fixture, a summary of every gradient that was checked, and the swap of checkers.

It is loaded into every pytest of an environment, so it imports nothing but pytest until it is used, and then
says clearly if a project's own package `harness` or `oracles` hides the one that it needs.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import random
import sys
from collections import Counter
from importlib import metadata
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PACKAGES = ("torch", "jax", "numpy")
MOST_SHOWN, MOST_REASONS = 10, 5
COLUMNS = ("where", "checker", "verdict", "unproven", "bits_lost", "element", "diagnosis", "faults", "probed")
SWAP = pytest.StashKey["Swap"]()
BASELINE = "gradproof-baseline"
PAGE = ".html"
OURS = {"harness", "oracles", "reference"}

_active: list[pytest.Config] = []  # of the sessions of this process: one may run another inside
running: list[str] = []  # the tests that run; `harness.check` keeps direct checks while there are any


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all of which begin with --gradproof; --harness is what they began with before."""
    group = parser.getgroup("gradproof", "gradients that are proven")

    def add(name: str, **how: Any) -> None:
        group.addoption(f"--gradproof-{name}", f"--harness-{name}", dest=f"gradproof_{name}", **how)

    group.addoption("--gradproof-baseline", metavar="FILE", help="compare every check with this baseline")
    group.addoption(
        "--gradproof-update-baseline", metavar="REASON",
        help="make the baseline agree with this session, for this reason; refused where CI is set",
    )  # fmt: skip
    group.addoption(
        "--gradproof-sarif", metavar="FILE", help="write what the baseline finds to FILE, as SARIF"
    )
    group.addoption(
        "--gradproof-no-times", action="store_true", dest="gradproof_no_times",
        help="with a baseline: neither measure nor compare how long gradients take",
    )  # fmt: skip
    add("report", metavar="FILE", help="write every check to FILE (.csv, .md, .jsonl, .html)")
    add(
        "swap", action="store_true",
        help="replace the checkers of torch (gradcheck, gradgradcheck) and JAX (check_grads, check_vjp, "
        "check_jvp) by proofs",
    )  # fmt: skip
    add("strict", action="store_true", help="a gradient that loses digits fails too")
    add(
        "fallback", choices=("warn", "error"), default="warn",
        help="where nothing can be proven: let the original checker decide (warn), or fail (error)",
    )  # fmt: skip
    add("seed", default="0", metavar="N", help="seeds every cotangent; `random` draws and prints one")


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Swap before anything of the suite is imported."""
    if early_config.known_args_namespace.gradproof_swap:
        early_config.stash[SWAP] = Swap()
        early_config.stash[SWAP].install()


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; a worker of xdist gets the seed that was drawn."""
    _active.append(config)
    if not hasattr(config, "workerinput"):
        _say_renamed(config)
    config.pluginmanager.register(Checks(config), "gradproof-checks")
    config.option.gradproof_seed = _seed(config.option.gradproof_seed)
    report = config.option.gradproof_report
    if report and Path(report).suffix not in {".csv", ".md", ".jsonl", PAGE}:
        raise pytest.UsageError(f"--gradproof-report must end in .csv, .md, .jsonl or .html, got {report}")
    named = config.option.gradproof_baseline
    file, sarif = _absolute(config, "baseline"), _written(config, "sarif")
    if (report := _written(config, "report")) and Path(report).suffix == PAGE:
        try:
            ours("harness.page.library").confirm()
        except ImportError as problem:
            raise pytest.UsageError(f"--gradproof-report: {problem}") from None
    if SWAP in config.stash:
        ours("harness")
    reason = config.option.gradproof_update_baseline
    if file:
        session = ours("gradproof.session").Session(config, named, reason)
        config.pluginmanager.register(session, BASELINE)
    for option, given in (("sarif", sarif), ("update-baseline", reason)):
        if given is not None and not file:
            raise pytest.UsageError(f"--gradproof-{option} needs --gradproof-baseline=FILE")


def _seed(given: str) -> str:
    """The seed that is asked for, or one that is drawn."""
    if given == "random":
        return str(random.SystemRandom().randrange(2**31))
    if not (given.isascii() and given.isdecimal()):
        raise pytest.UsageError(f"--gradproof-seed must be a whole number or `random`, got {given!r}")
    return given


def _absolute(config: pytest.Config, option: str) -> str | None:
    """The path of a file, from where pytest was called: wherever a conftest.py and the tests go."""
    name = getattr(config.option, f"gradproof_{option}")
    if name is None:
        return None
    if not name.strip():
        raise pytest.UsageError(
            f"--gradproof-{option} must be a file, got {name!r}: name one, or leave it out"
        )
    path = str(config.invocation_params.dir / name)
    setattr(config.option, f"gradproof_{option}", path)
    return path


def _written(config: pytest.Config, option: str) -> str | None:
    """The path of a file that is written at the end."""
    name, path = getattr(config.option, f"gradproof_{option}"), _absolute(config, option)
    if path is None:
        return None
    folder = Path(path).parent
    if not folder.is_dir():
        raise pytest.UsageError(
            f"--gradproof-{option} must be in a folder that is there, got {name}: make {folder} first"
        )
    if Path(path).is_dir():
        raise pytest.UsageError(f"--gradproof-{option} must be a file, got the folder {name}")
    return path


def _say_renamed(config: pytest.Config) -> None:
    """On stderr: a warning would fail a suite whose warnings are errors."""
    words = [
        *config.invocation_params.args,
        *config.getini("addopts"),
        *os.environ.get("PYTEST_ADDOPTS", "").split(),
    ]
    for old in sorted({str(w).partition("=")[0] for w in words if str(w).startswith("--harness-")}):
        new = old.replace("--harness", "--gradproof")
        print(f"gradproof: {old} is now {new}; the next version does not know the old name", file=sys.stderr)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Put the originals back."""
    if SWAP in config.stash:
        config.stash[SWAP].undo()
    if config in _active:
        _active.remove(config)


def pytest_report_header(config: pytest.Config) -> str:
    """What decides the numbers."""
    named = [f"{name} {version}" for name in PACKAGES if (version := _version(name))]
    swap = ", swapped in" if config.option.gradproof_swap else ""
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    return (
        f"gradproof {_version('gradproof')}{swap}: {', '.join(named)}; threads {threads}; "
        f"--gradproof-seed={config.option.gradproof_seed}"
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


# -- our own package --------------------------------------------------------------------------------------


def ours(name: str) -> ModuleType:
    """A module of the harness.

    Raises:
        UsageError: Another package hides one that it needs.
    """
    try:
        importlib.import_module("gradproof")  # which says who hides the harness, and that who hides this
        importlib.import_module("harness").confirm()
        return importlib.import_module(name)
    except ImportError as problem:
        if type(problem).__name__ != "Hidden":
            raise
        raise pytest.UsageError(f"{problem}, or leave gradproof out with -p no:gradproof") from None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Say so where pytest will look for tests in our package, which has the name of their folder.

    Raises:
        CollectError: It does.
    """
    top = module_path.parent
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    loaded = sys.modules.get(top.name) if (top / "__init__.py").is_file() else None
    file = getattr(loaded, "__file__", None)
    if top.name in OURS and file and Path(file).parent.resolve() != top.resolve():
        raise parent.CollectError(
            f"pytest takes {top} for the package `{top.name}`, and gradproof's own ({Path(file).parent}) is "
            f"loaded under this name. Put an empty __init__.py into {top.parent}, or rename {top.name}, or "
            "leave gradproof out with -p no:gradproof"
        )


def _settings(config: pytest.Config) -> Any:
    """The drop-ins' settings, as the options say."""
    settings = ours("harness.dropin.configuration").settings
    settings.strict, settings.fallback = config.option.gradproof_strict, config.option.gradproof_fallback
    settings.seed, settings.quiet = int(config.option.gradproof_seed), True
    return settings


# -- the fixture ------------------------------------------------------------------------------------------


class Gradient:
    """Checks gradients in a test, with the session's seed."""

    def __init__(self, config: pytest.Config) -> None:
        self._settings = _settings(config)

    def check(self, f: Any, args: Any, **options: Any) -> Any:
        """As `harness.assert_gradient`, with the session's seed."""
        __tracebackhide__ = True
        return self._asserted("assert_gradient", (f, args), options)

    def layer(self, layer: Any, *args: Any, **options: Any) -> Any:
        """As `harness.assert_layer`, with the session's seed."""
        __tracebackhide__ = True
        return self._asserted("assert_layer", (layer, *args), options)

    def network(self, net: Any, x: Any, t: Any, **options: Any) -> Any:
        """As `harness.assert_network`, with the session's seed."""
        __tracebackhide__ = True
        return self._asserted("assert_network", (net, x, t), options)

    def _asserted(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        return getattr(ours("harness"), name)(*args, **{"seed": self._settings.seed, **options})


@pytest.fixture
def gradient(request: pytest.FixtureRequest) -> Gradient:
    """`gradient.check(f, args, ...)`, `gradient.layer(layer, x, ...)`, `gradient.network(net, x, t, ...)`.

    They raise where a gradient is wrong.
    """
    return Gradient(request.config)


# -- what was checked -------------------------------------------------------------------------------------


class Checks:
    """What the tests of a session have checked, and how it is told."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._by_test: dict[str, list[dict[str, Any]]] = {}
        self._rows: dict[str, list[Any]] = {}  # of the page, by test

    @property
    def _checks(self) -> list[dict[str, Any]]:
        """By test, in the order of their names: workers of xdist end in any."""
        return [check for _, checks in sorted(self._by_test.items()) for check in checks]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Have the checks of the test kept, and not what was asked before: by a module's import, say."""
        kept: Any = sys.modules.get("harness.dropin.kept")
        if hasattr(kept, "taken"):
            kept.taken()
        running.append(item.nodeid)
        try:
            return (yield)
        finally:
            running.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        """Hand what a test has checked to its report, which xdist carries to the session, and to JUnit."""
        report = yield
        if hasattr(sys.modules.get("harness.check"), "answered"):  # another project's harness has none
            kept = ours("harness.dropin.kept")
            taken = kept.taken()
            report.gradproof = found = [{**kept.plain(one), "where": item.nodeid} for one in taken]
            if str(self._config.option.gradproof_report).endswith(PAGE):
                report.gradproof_rows = ours("gradproof.page").rows_of(taken, item.nodeid)
            if baseline := self._config.pluginmanager.get_plugin(BASELINE):
                baseline.hand_over(item, report, taken)
            if report.failed:
                report.sections += [("gradient", text) for text in _unsaid(taken, report.longreprtext)]
            # JUnit takes those of the last report, which has the item's.
            item.user_properties += [("gradient", f"{one['checker']}: {_said(one)}") for one in found]
            report.user_properties = list(item.user_properties)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect them, in the process that shows the summary."""
        checks, rows = self._by_test.setdefault(report.nodeid, []), self._rows.setdefault(report.nodeid, [])
        if report.when == "setup":
            checks.clear()  # it may run again, after it failed
            rows.clear()
        checks += getattr(report, "gradproof", ())
        rows += getattr(report, "gradproof_rows", ())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Counts by verdict, the ten worst checks, what else is faulty, and why some were not proven."""
        if not self._checks:
            return
        terminalreporter.section("gradients", "-")
        counts = Counter(_said(check) for check in self._checks).most_common()
        listed = ", ".join(f"{count} {word}" for word, count in counts)
        terminalreporter.line(f"{len(self._checks)} checked: {listed}")
        for lines in (_of_lost(self._checks), _of_faults(self._checks), _of_probes(self._checks)):
            for line in lines[:MOST_SHOWN]:
                terminalreporter.line(f"  {line}")
            if len(lines) > MOST_SHOWN:
                terminalreporter.line(f"  ... and {len(lines) - MOST_SHOWN} more")
        reasons = Counter(check["unproven"] for check in self._checks if check["unproven"])
        for reason, count in reasons.most_common(MOST_REASONS):
            terminalreporter.line(f"  not proven, {count} of them: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the table; a session whose table cannot be written has failed."""
        path = self._config.option.gradproof_report
        if not path or hasattr(self._config, "workerinput"):
            return
        try:
            if path.endswith(PAGE):
                rows = [row for _, rows in sorted(self._rows.items()) for row in rows]
                ours("gradproof.page").write(Path(path), rows, self._config.invocation_params.args)
            else:
                _write(Path(path), self._checks)
        except OSError as problem:
            print(f"\ngradproof: --gradproof-report: {problem}", file=sys.stderr)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _unsaid(made: list[Any], shown: str) -> list[str]:
    """The checks that did not pass and that a failure does not show: `assert check_gradient(...)`."""
    texts = [str(result) for one in made for result in one.results if not result.passed]
    return [text for text in texts if text.partition("\n")[0] not in shown]


def _of_lost(checks: list[dict[str, Any]]) -> list[str]:
    lost = [c for c in checks if c["bits_lost"] and not c["unproven"]]
    worst = sorted(lost, key=lambda c: -c["bits_lost"])
    return [f"{c['bits_lost']:5.1f} bits lost  {c['verdict']}  {c['where']}" for c in worst]


def _of_faults(checks: list[dict[str, Any]]) -> list[str]:
    return [f"{c['faults']}  {c['where']}" for c in checks if c["faults"]]


def _of_probes(checks: list[dict[str, Any]]) -> list[str]:
    return [f"{_said(c)} as it was called; {c['probed']}  {c['where']}" for c in checks if c["probed"]]


def _said(check: dict[str, Any]) -> str:
    if check["unproven"]:
        return "not proven"
    fails = check["faults"] and ours("harness.verdicts").Verdict(check["verdict"]).right
    return f"{check['verdict']} but failing" if fails else str(check["verdict"])


def _write(path: Path, checks: list[dict[str, Any]]) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(check) + "\n" for check in checks), encoding="utf-8")
        return
    tables, delivery = ours("harness.report.tables"), ours("harness.report.delivery")
    frame = tables.frame_of(checks).reindex(columns=list(COLUMNS))
    made = tables.Table("gradients", "Gradients checked", frame, COLUMNS, "")
    path.write_text(delivery.WRITERS[path.suffix[1:]](made), encoding="utf-8")


# -- the swap ---------------------------------------------------------------------------------------------


class Swap(MetaPathFinder):
    """Puts drop-ins in the place of the frameworks' checkers, in what is there and what comes later."""

    def __init__(self) -> None:
        self._homes: dict[str, tuple[str, ...]] = ours("harness.checkers").HOMES
        self._replaced: list[tuple[dict[str, Any], str, Any]] = []
        self._busy = False

    def install(self) -> None:
        """Patch loaded modules; hook the import of the others."""
        for home, names in self._homes.items():
            if home in sys.modules:
                self._replace_everywhere(sys.modules[home], names)
        sys.meta_path.insert(0, self)

    def undo(self) -> None:
        """Put the originals back, and ask no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for namespace, name, function in reversed(self._replaced):
            namespace[name] = function
        self._replaced.clear()

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """The spec of a home of checkers, whose loader swaps them; of no other module."""
        if fullname not in self._homes or self._busy:
            return None
        self._busy = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Swapping(spec.loader, self)
        return spec

    def replace_in(self, module: ModuleType) -> None:
        """Swap the checkers of a module that was just executed."""
        for name in self._homes[module.__name__]:
            self._put(vars(module), name, getattr(module, name), name)

    def _replace_everywhere(self, module: ModuleType, names: tuple[str, ...]) -> None:
        for name in names:
            function = getattr(module, name)
            for other in list(sys.modules.values()):
                namespace = getattr(other, "__dict__", None)
                if not isinstance(namespace, dict) or other.__name__.startswith(("harness", __name__)):
                    continue
                for bound in [n for n, value in list(namespace.items()) if value is function]:
                    self._put(namespace, bound, function, name)

    def _put(self, namespace: dict[str, Any], bound: str, function: Any, name: str) -> None:
        self._replaced.append((namespace, bound, function))
        namespace[bound] = _stub(function, name)


class _Swapping(Loader):
    """The loader of a home of checkers, which swaps them when it has been executed."""

    def __init__(self, loader: Any, swap: Swap) -> None:
        self._loader, self._swap = loader, swap

    def create_module(self, spec: Any) -> Any:
        """As the real loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the real loader; then the swap."""
        self._loader.exec_module(module)
        self._swap.replace_in(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _stub(function: Any, name: str) -> Any:
    """What stands in the place of an original: it loads the harness when it is called."""

    @functools.wraps(function)
    def swapped(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        ours("harness.dropin.originals").keep_original(name, function)
        if _active:
            _settings(_active[-1])
        return getattr(ours("harness.dropin"), name)(*args, **kwargs)

    return swapped
