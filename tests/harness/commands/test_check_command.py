"""`python -m harness check`: functions by import path, drawn or loaded inputs, and an honest exit code."""

import json
import sys

import numpy as np
import pytest

from harness import check_gradient
from harness.commands.cli import run
from harness.commands.phrasing import in_options

KERNELS = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def backward(g, x):
    s = softmax(x)
    return s * (g - (g * s).sum(axis=-1, keepdims=True))

def wrong(g, x):
    return softmax(x) * g

def forward(x, w):
    return x @ w, (x, w)

def pull(residuals, g):
    x, w = residuals
    return g @ w.T, x.T @ g

class Layer:
    @staticmethod
    def square(x):
        return x * x

def clipped(g, x):
    return 2 * np.clip(g, -10, 10) * x

number = 3

class Affine:
    def __init__(self, width=2):
        self.W = np.ones((3, width))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T

class Loss:
    def forward(self, x, t):
        self.x, self.t = x, t
        return np.sum((x - t) ** 2)

    def backward(self, dout=1):
        return 3 * (self.x - self.t)

class CrossEntropy:
    def forward(self, x, t):
        self.t, self.y = t, softmax(x)
        return -np.sum(np.log(self.y[np.arange(len(t)), t]))

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx

def bag():
    import torch
    return torch.nn.Embedding(5, 3)

class Network:
    def __init__(self, sizes):
        self.params = {"W1": np.ones(sizes)}

    def loss(self, x, t):
        return np.sum((x @ self.params["W1"] - t) ** 2)

    def gradient(self, x, t):
        return {"W1": 2 * x.T @ (x @ self.params["W1"] - t)}

affine = Affine()

def scaled(x, y, *, by=1.0):
    return by * x * y

def slope(x):
    return 2 * x

def energy(x):
    return np.sum(x * x)
"""
SATURATED = ("myjax:tanh", "--inputs", "far.npz")
IN_JAX = """
import jax
import jax.numpy as jnp

def fused(x):
    return jax.nn.softmax(x)

def tanh(x):
    return jnp.tanh(x)

def plain(x):
    e = jnp.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run the command in a folder with two modules of the user's."""
    (tmp_path / "mykernels.py").write_text(KERNELS, encoding="utf-8")
    (tmp_path / "myjax.py").write_text(IN_JAX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name in ("mykernels", "myjax"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def say(*tokens):
        code = run(["check", *tokens])
        out, err = capsys.readouterr()
        return code, out + err

    return say


SOFTMAX = ("mykernels:softmax", "--vjp", "mykernels:backward")


def test_a_right_gradient_is_accurate(check):
    code, text = check(*SOFTMAX, "--shape", "3,4")
    assert code == 0
    assert text.startswith("backward/x [float64, (3, 4), seed 0]: accurate")


def test_a_wrong_one_fails(check):
    code, text = check("mykernels:softmax", "--vjp", "mykernels:wrong", "--shape", "3,4", "--seed", "7")
    assert code == 1
    assert text.startswith("wrong/x [float64, (3, 4), seed 7]: wrong")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_dtype_is_the_one_that_is_asked_for(dtype, check):
    code, text = check("myjax:fused", "--spec", "myjax:plain", "--shape", "3,4", "--dtype", dtype)
    assert code == 0
    assert f"[{dtype}, (3, 4), seed 0]: accurate" in text


def test_each_argument_has_its_shape(check):
    code, text = check(
        "mykernels:forward", "--residual-vjp", "mykernels:pull", "--shape", "3,4", "--shape", "4,2"
    )
    assert (code, "accurate" in text) == (0, True)


def test_a_function_in_a_class_and_a_single_number(check):
    code, text = check("mykernels:Layer.square", "--vjp", "mykernels:wrong", "--shape", "()")
    assert (code, "[float64, (), seed 0]" in text) == (1, True)


def test_the_framework_is_what_the_module_imports(check):
    code, text = check("myjax:fused", "--shape", "5", "--order", "2")
    assert (code, "accurate" in text) == (0, True)


def test_inputs_come_from_a_file(check):
    np.savez("inputs.npz", np.arange(6.0).reshape(2, 3) / 7)
    code, text = check(*SOFTMAX, "--inputs", "inputs.npz")
    assert (code, "(2, 3)" in text) == (0, True)


def test_a_pickle_is_refused(check):
    np.savez("bad.npz", np.array([{"a": 1}], dtype=object))
    code, text = check(*SOFTMAX, "--inputs", "bad.npz")
    assert code == 2
    assert "--inputs must be an .npz file of numbers, got bad.npz; write it with" in text
    assert "allow_pickle" not in text


def test_an_empty_shape_is_nothing_compared(check):
    code, text = check(*SOFTMAX, "--shape", "0,3")
    assert (code, "nothing to compare" in text) == (3, True)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("mykernels.softmax",), "must be named as package.module:function, got 'mykernels.softmax'"),
        (("nowhere:f", "--shape", "3"), "nowhere:f: No module named 'nowhere'; run where it can be imported"),
        (("mykernels:sofmax", "--shape", "3"), "mykernels has no sofmax; near matches: softmax"),
        (("mykernels:number", "--shape", "3"), "mykernels:number must be a function, got an int"),
        (SOFTMAX, "no arguments are given: add --shape 32,64 for each, or --inputs FILE.npz"),
        ((*SOFTMAX, "--shape", "3", "--grad", "mykernels:wrong"), "--vjp and --grad are both given"),
        ((*SOFTMAX, "--shape", "3", "--seed", "-1"), "--seed must be an integer >= 0, got -1"),
        ((*SOFTMAX, "--shape", "3", "--argnums", "x"), "must be numbers of arguments, such as 0,2, got 'x'"),
        ((*SOFTMAX, "--shape", "3", "--argnums", "4"), "must be among the floating arguments, 0, got 4"),
        ((*SOFTMAX, "--shape", "3", "--kwargs", "axis=1"), "-1}', got 'axis=1' (Expecting value"),
        ((*SOFTMAX, "--shape", "3", "--kwargs", "[1]"), "--kwargs must be a JSON object, such as"),
        ((*SOFTMAX, "--shape", "3", "--seconds", "-1"), "--seconds must be a number > 0, got -1"),
        ((*SOFTMAX, "--shape", "3", "--format", "cvs"), "near matches: csv"),
        ((*SOFTMAX, "--shape", "3", "--format", "csv,md"), "--format csv,md needs --output DIR"),
        ((*SOFTMAX, "--shape", "3", "--output", "mykernels.py"), "may be new, got the file mykernels.py"),
        ((*SOFTMAX, "--shape", "3", "--layer"), "--vjp is for functions"),
        (
            ("mykernels:affine", "--shape", "3", "--layer", "--order", "2"),
            "--mode and --order are for functions",
        ),
        (("mykernels:affine", "--shape", "3"), "must be a function, got an Affine; --layer checks a layer"),
        (("mykernels:number", "--shape", "3", "--layer"), "must be a layer, or what makes one, got an int"),
        (("mykernels:softmax", "--shape", "3", "--layer"), "mykernels:softmax cannot be called"),
        (("mykernels:affine", "--shape", "3", "--layer", "--kwargs", "{}", "--kwargs", "{}"), "--kwargs"),
        ((*SOFTMAX, "--shape", "3", "--agrnums", "0"), "--argnums"),
        ((*SOFTMAX, "--shape", "3x4"), "--shape must be such as 32,64, or () for a single number, with"),
        (
            (*SOFTMAX, "--shape", "3:int65"),
            "32,64:float32, or 32:int64:10 for integers below 10, got '3:int65'",
        ),
        ((*SOFTMAX, "--shape", "3:float32:9"), "for integers below 10, got '3:float32:9'"),
        ((*SOFTMAX, "--shape", "3:int8:0"), "--shape must end in a number from 1 to 127, below which"),
        ((*SOFTMAX, "--shape", "3:int64"), "an argument must be an array of bfloat16"),
        ((*SOFTMAX, "--shape", "3", "--dtype", "float8"), "float8"),
        ((*SOFTMAX, "--shape", "3", "--framework", "mxnet"), "mxnet"),
        ((*SOFTMAX, "--shape", "3", "--order", "5"), "order must be 1, 2 or 3, got 5"),
        ((*SOFTMAX, "--inputs", "none.npz"), "there is no file none.npz; write one with numpy.savez"),
        ((*SOFTMAX, "--inputs", "mykernels.py"), "an .npz file of numbers, got mykernels.py; write it with"),
        ((*SOFTMAX, "--shape", "3²"), "--shape must be such as 32,64, or () for a single number, with"),
        ((*SOFTMAX, "--shape", "3:int8:²"), "--shape must end in a number from 1 to 127, below which"),
        ((*SOFTMAX, "--shape", "3", "--boundary", "true"), "--boundary all tries all, and none none"),
        ((*SOFTMAX, "--shape", "3", "--probes", "true"), "--probes all tries all, and none none"),
        (("../mykernels.py:softmax", "--shape", "3"), "package.module:function, got '../mykernels.py:soft"),
        ((".mykernels:softmax", "--shape", "3"), "as package.module:function, got '.mykernels:softmax'"),
        (("mykernels.py:softmax", "--shape", "3"), "or install it, and name it without .py"),
        ((*SOFTMAX, "--inputs", "x.npz", "--shape", "3"), "--inputs x.npz and --shape 3 are both given"),
        ((*SOFTMAX, "--shape", "9" * 14), f"got '{'9' * 14}' (Unable to allocate"),
        ((*SOFTMAX, "--shape", "9" * 40), "--shape must fit into memory, got '999"),
        (
            ("mykernels:slope", "--shape", "3", "--shape", "3"),
            "slope() takes 1 positional argument but 2 were given; --shape is given once for each argument",
        ),
        (
            ("mykernels:slope", "--shape", "3", "--kwargs", '{"axis": 1}'),
            "slope() got an unexpected keyword argument 'axis'; --shape is given",
        ),
        (("mykernels:scaled", "--shape", "3"), "scaled() missing 1 required positional argument: 'y'; --"),
        (
            ("mykernels:scaled", "--vjp", "mykernels:backward", "--shape", "3", "--shape", "3"),
            "--vjp is called as backward(cotangent, x, y), and it takes (g, x); ",
        ),
        (
            (
                "torch.nn:Linear", "--layer", "--kwargs", '{"in_features": 3, "out_features": 2}',
                "--shape", "4,3:float32", "--shape", "3",
            ),
            "Linear.forward() takes 2 positional arguments but 3 were given; --shape",
        ),
        (
            (
                "torch.nn:Linear", "--layer", "--kwargs", '{"in_features": 3, "out_features": 2}',
                "--shape", "4,3",
            ),
            "its parameters are float32, and the arguments float64: add --dtype float32",
        ),
        ((*SOFTMAX, "--shape", "3", "--output", "/proc/x"), "--output /proc/x: nothing can be written in"),
        ((*SOFTMAX, "--shape", "3", "--html", "/proc/x"), "--html /proc/x: nothing can be written in"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_a_usage_error(tokens, said, check):
    code, text = check(*tokens)
    assert code == 2
    assert said in text
    assert "Traceback" not in text


def test_an_array_alone_is_no_file_of_arguments(check):
    np.save("alone.npy", np.ones(3))
    code, text = check(*SOFTMAX, "--inputs", "alone.npy")
    assert code == 2
    assert "--inputs must be an .npz file, got alone.npy, which holds one array; write" in text


def test_a_damaged_archive_is_a_usage_error(check, tmp_path):
    np.savez("whole.npz", x=np.ones(300))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:200])
    code, text = check(*SOFTMAX, "--inputs", "torn.npz")
    assert (code, "--inputs torn.npz cannot be read" in text) == (2, True)


BROKEN = """
import os
import numpy as np

def square(x): return x * x
def weights(x): return x * np.load("no-weights.npy")
def gone(x): raise BrokenPipeError(32, "the worker went away")
def wrong_value(x): raise ValueError("seed must be even")
def deep(x): return deep(x)
"""


@pytest.fixture
def broken(check, tmp_path, monkeypatch):
    """The same with a module of one's own text, which is at line 1."""

    def say(text, *tokens):
        (tmp_path / "mybroken.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, "mybroken", raising=False)
        return check(*tokens, "--shape", "3")

    return say


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weights", "FileNotFoundError: [Errno 2] No such file or directory: 'no-weights.npy'"),
        ("gone", "BrokenPipeError: [Errno 32] the worker went away"),
        ("wrong_value", "ValueError: seed must be even"),
        ("deep", "RecursionError: "),
    ],
)
def test_what_the_function_raises_is_shown_with_its_own_lines_alone(name, said, broken):
    code, text = broken(BROKEN, f"mybroken:{name}")
    place = next(k for k, line in enumerate(BROKEN.splitlines(), 1) if f"def {name}(" in line)
    assert code == 1
    assert text.startswith(f"gradproof: mybroken:{name} raises\n")
    assert f'mybroken.py", line {place}, in {name}' in text
    assert said in text
    assert "harness" not in text
    assert "written there" not in text
    assert len(text.splitlines()) < 30


HELPLESS = """
import numpy as np

def helper(x): raise KeyError("none")
def square(x): return x * x
def pulled(g, x): return g * helper(x)
def total(x): return np.sum(x)
def slope(x): return helper(x)
"""


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (("mybroken:square", "--vjp", "mybroken:pulled"), "mybroken:pulled"),
        (("mybroken:slope", "--vjp", "mybroken:pulled"), "mybroken:slope"),
        (("mybroken:total", "--grad", "mybroken:slope"), "mybroken:slope"),
        (("mykernels:softmax", "--framework", "jax", "--spec", "mybroken:slope"), "mybroken:slope"),
    ],
)
def test_the_function_that_raises_is_named(tokens, named, broken):
    code, text = broken(HELPLESS, *tokens)
    assert code == 1
    assert f"gradproof: {named} raises\n" in text
    assert "KeyError: 'none'" in text


ENDS = {
    "sys.exit()": "import sys; sys.exit(0)",
    "quit()": "raise SystemExit",
    "GeneratorExit": "raise GeneratorExit",
    "pytest.skip": "import pytest; pytest.skip('no')",
}
END_AT = "\ndef square(x): return x * x\ndef right(g, x): return 2 * x * g\n"


@pytest.mark.parametrize("how", ENDS.values(), ids=ENDS)
def test_a_module_that_ends_the_program_is_no_success(how, broken):
    code, text = broken(f"{END_AT}{how}\n", "mybroken:square", "--vjp", "mybroken:right")
    assert code == 2
    assert "mybroken:square: importing mybroken: " in text
    assert "mybroken.py, line 4 would end the program" in text


@pytest.mark.parametrize("how", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("where", ["square(x)", "right(g, x)"])
def test_a_function_that_ends_the_program_is_no_success(where, how, broken):
    ending = END_AT.replace(f"{where}: return", f"{where}:\n    {how}\n    return")
    code, text = broken(ending, "mybroken:square", "--vjp", "mybroken:right")
    assert code == 1
    line = ending.splitlines().index(f"    {how}") + 1
    assert f"mybroken.py, line {line} would end the program; return a value, or raise an error" in text


def test_a_module_that_cannot_be_read_as_python_is_a_usage_error(broken):
    code, text = broken("def f(x: return", "mybroken:f")
    assert code == 2
    assert text.startswith("gradproof: mybroken:f: importing mybroken raises\n  File ")
    assert "SyntaxError" in text
    assert "importlib" not in text


def test_a_module_that_raises_is_a_usage_error_with_its_line(broken):
    code, text = broken("\n1 / 0\n", "mybroken:f")
    assert code == 2
    assert 'mybroken.py", line 2, in <module>' in text
    assert "ZeroDivisionError: division by zero" in text
    assert "importlib" not in text


@pytest.mark.parametrize(
    ("kinds", "files"),
    [("md", "check.md"), ("jsonl", "check.jsonl"), ("csv,text,jsonl", "check.csv, check.jsonl")],
)
def test_what_is_written_is_said(check, tmp_path, kinds, files):
    code, said = check(*SOFTMAX, "--shape", "3", "--format", kinds, "--output", "tables")
    assert code == 0
    assert said.endswith(f"written to tables: {files}\n")
    assert all((tmp_path / "tables" / file).is_file() for file in files.split(", "))


def test_labels_are_spoken_of_where_a_type_or_an_index_is_wrong(check, tmp_path):
    raising = (
        "import numpy as np\ndef index(x): return np.zeros(2)[x.astype(int) + 5]\ndef other(x): raise OSError"
    )
    (tmp_path / "mykernels.py").write_text(raising, encoding="utf-8")
    for name, is_said in (("index", True), ("other", False)):
        code, said = check(f"mykernels:{name}", "--vjp", "mykernels:other", "--shape", "3")
        assert (code, "labels below 10" in said) == (1, is_said)
        assert "the arguments were drawn by --shape 3" in said


def test_boundary_values_are_chosen_by_name(check, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "harness.commands.check.check_gradient",
        lambda *args, boundary, **_: (
            asked.append(boundary) or check_gradient(*args, vjp=lambda g, x: 2 * x * g)
        ),
    )
    for words in ((), ("--boundary", "all"), ("--boundary", "zeros, ties")):
        check("mykernels:Layer.square", "--shape", "3", *words)
    assert asked == [False, True, ["zeros", "ties"]]
    code, said = check("mykernels:Layer.square", "--shape", "3", "--boundary", "ziros")
    assert code == 2
    assert "--boundary: no 'ziros'; near matches: zeros" in said


@pytest.mark.parametrize(
    ("words", "expected"), [((), 1), (("none",), 0), (("scaled-up,twice",), 1), (("scaled-down",), 0)]
)
def test_probes_are_chosen_by_name(check, words, expected):
    asked = ("mykernels:Layer.square", "--vjp", "mykernels:clipped", "--shape", "3")
    code, said = check(*asked, *(("--probes", *words) if words else ()))
    assert code == expected
    assert ("along a large cotangent" in said) == bool(code)


def test_a_probe_that_there_is_not_is_a_usage_error(check):
    code, said = check("mykernels:Layer.square", "--shape", "3", "--probes", "twicee")
    assert code == 2
    assert "--probes: no 'twicee'; near matches: twice" in said


def test_what_the_library_loses_passes_with_its_name_or_fails_where_that_is_asked_for(check):
    np.savez("far.npz", np.array([16.0, 0.5], np.float32))
    code, said = check(*SATURATED)
    assert code == 0
    assert "this is jax's fault: lax.tanh at myjax.py" in said
    assert check(*SATURATED, "--upstream", "fail")[0] == 1
    code, said = check(*SATURATED, "--upstream", "pass")
    assert code == 2
    assert "upstream must be 'warn' or 'fail', got 'pass'" in said


def test_a_known_finding_is_read_from_a_file(check):
    np.savez("far.npz", np.array([16.0, 0.5], np.float32))
    fields = {"function": "tanh", "verdict": "imprecise", "reason": "never so far out", "link": "l"}
    with open("known.toml", "w", encoding="utf-8") as file:
        file.write("\n".join(["[[known]]", *(f'{name} = "{text}"' for name, text in fields.items())]))
    code, said = check(*SATURATED, "--upstream", "fail", "--known", "known.toml")
    assert code == 0
    assert "it is known: never so far out (l)" in said
    np.savez("far.npz", np.array([1.0, 0.5], np.float32))
    assert check(*SATURATED, "--known", "known.toml")[0] == 1
    assert check(*SATURATED, "--known", "none.toml")[0] == 2


def test_arguments_and_keyword_arguments_are_chosen(check):
    scaled = ("mykernels:scaled", "--shape", "3", "--shape", "3", "--framework", "jax")
    code, text = check(*scaled, "--argnums", "-1", "--kwargs", '{"by": 2.5}', "--format", "jsonl")
    rows = [json.loads(line) for line in text.splitlines()]
    assert (code, [(row["argument"], row["verdict"]) for row in rows]) == (0, [("y", "accurate")])


def test_a_gradient_without_a_cotangent(check):
    assert check("mykernels:energy", "--grad", "mykernels:slope", "--shape", "3")[0] == 0


@pytest.mark.parametrize("name", ["affine", "Affine"])
def test_a_layer_is_an_object_or_what_makes_one(name, check):
    code, text = check(f"mykernels:{name}", "--layer", "--shape", "4,3", "--format", "csv")
    assert (code, len(text.splitlines())) == (0, 3)
    assert "W" in text


def test_a_layers_maker_takes_keyword_arguments_and_a_loss_its_target(check):
    code, text = check(
        "mykernels:Affine", "--layer", "--kwargs", '{"width": 5}', "--shape", "4,3", "--format", "md"
    )
    assert (code, "(3, 5)" in text) == (0, True)
    code, text = check("mykernels:Loss", "--layer", "--shape", "3", "--shape", "3")
    assert (code, "wrong" in text) == (1, True)


LABELS = (
    ("mykernels:CrossEntropy", "4,3", "4:int64:3"),
    ("torch.nn:CrossEntropyLoss", "4,3:float32", "4:int64:3"),
    ("torch.nn:NLLLoss", "4,3", "4:int64"),
    ("mykernels:bag", "4:int32:5"),
)


@pytest.mark.parametrize("tokens", LABELS, ids=lambda tokens: tokens[0])
def test_labels_are_drawn_as_integers(tokens, check):
    name, *shapes = tokens
    code, text = check(name, "--layer", *(word for shape in shapes for word in ("--shape", shape)))
    assert (code, "accurate" in text) == (0, True)


def test_what_the_code_raises_is_told_how_its_arguments_were_drawn(check):
    code, text = check("mykernels:CrossEntropy", "--layer", "--shape", "4,3", "--shape", "4")
    assert code == 1
    assert "IndexError" in text
    assert "drawn by --shape 4,3 --shape 4, in float64" in text
    assert "labels below 10 are --shape 32:int64:10" in text


def test_a_single_number_is_no_label(check):
    code, text = check("math:sin", "--shape", "3")
    assert code == 1
    assert "drawn by --shape 3, in float64" in text
    assert "labels" not in text


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("math:sin",), "math:sin raises\nTypeError: only 0-dimensional arrays"),
        (("math:sin", "--framework", "jax"), "math:sin raises\nTypeError: Only scalar arrays"),
        (("math:sin", "--framework", "torch"), "math:sin raises\nValueError: only one element tensors"),
        (
            ("torch:softmax", "--kwargs", '{"dim": "a"}'),
            "torch:softmax raises\nTypeError: softmax(): argument",
        ),
        (("numpy:sin", "--vjp", "math:atan2"), "math:atan2 raises\nTypeError: only 0-dimensional arrays"),
    ],
)
def test_what_compiled_code_raises_is_shown_without_lines_of_ours(tokens, said, check):
    code, text = check(*tokens, "--shape", "3")
    assert code == 1
    assert text.partition("gradproof: ")[2].startswith(said)
    assert "Traceback" not in text
    assert "drawn by --shape 3, in float64" in text


def test_a_layer_s_class_is_no_function(check):
    code, text = check("mykernels:CrossEntropy", "--shape", "4,3")
    assert code == 2
    assert (
        "mykernels:CrossEntropy must be a function, got the class CrossEntropy; --layer checks a layer"
        in text
    )


def test_a_network_takes_its_target(check):
    tokens = ("--layer", "--kwargs", '{"sizes": [3, 2]}', "--shape", "4,3", "--shape", "4,2")
    code, text = check("mykernels:Network", *tokens, "--format", "jsonl")
    assert (code, [json.loads(line)["argument"] for line in text.splitlines()]) == (0, ["W1"])


def test_a_torch_module_is_a_layer_too(check):
    code, text = check(
        "torch.nn:Linear", "--layer", "--kwargs", '{"in_features": 3, "out_features": 2}',
        "--shape", "4,3", "--dtype", "float32", "--format", "jsonl",
    )  # fmt: skip
    names = {json.loads(line)["argument"] for line in text.splitlines()}
    assert (code, names) == (0, {"input", "parameters['weight']", "parameters['bias']"})


def test_the_table_goes_into_a_folder_in_every_format(check, tmp_path):
    code, text = check(*SOFTMAX, "--shape", "3", "--output", "out")
    assert code == 0
    assert "softmax" in text or "backward" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "check.csv",
        "check.jsonl",
        "check.md",
    ]
    (row,) = (json.loads(line) for line in (tmp_path / "out/check.jsonl").read_text().splitlines())
    assert (row["verdict"], row["shape"]) == ("accurate", "(3,)")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("name it as spec=, or give vjp=.", "name it as --spec, or give --vjp."),
        ('upstream="fail" makes it fail', "--upstream fail makes it fail"),
        ("residual_vjp and vjp are both given", "--residual-vjp and --vjp are both given"),
        ("bits_lost must be a number", "--bits-lost must be a number"),
        ("the order is 3 and axis=1", "the order is 3 and axis=1"),
        ("is asked for with probes=False", "is asked for with --probes none"),
        ("pass boundary=True", "pass --boundary all"),
        ("known='no/file.toml' cannot be read", "--known no/file.toml cannot be read"),
    ],
)
def test_what_is_said_of_keywords_is_said_of_options(said, wanted):
    assert in_options(said) == wanted
