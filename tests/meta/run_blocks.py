"""Runs the blocks of `blocks.json` in this process, each as a file of its own; see `pages.failures`.

It imports nothing of ours, so that it can run beside an installed wheel.
"""

import contextlib
import inspect
import io
import json
import re
import runpy
import traceback
from pathlib import Path


class Fixture:
    """What the plugin's fixture `gradient` does, without pytest."""

    def check(self, f, args, **options):
        import gradproof

        return gradproof.assert_gradient(f, args, **options)

    def layer(self, layer, *args, **options):
        import gradproof

        return gradproof.assert_layer(layer, *args, **options)


def run(name: str, body: str, printed: list[str]) -> str:
    """What failed; "" where nothing did."""
    file = Path(re.sub(r"[^\w.]", "_", name) + ".py")
    file.write_text(body, encoding="utf-8")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            namespace = runpy.run_path(str(file), run_name="__main__")
            for test in [f for word, f in namespace.items() if word.startswith("test_")]:
                if "gradient" in inspect.signature(test).parameters:
                    test(Fixture())
    except Exception:
        return f"{name}: {traceback.format_exc()}"
    lines = [re.escape(line).replace(r"\.\.\.", ".*") for line in printed]
    if lines and not re.search(r"^" + r"$\n(?:.*\n)*?^".join(lines) + "$", out.getvalue(), re.MULTILINE):
        return f"{name} says that it prints\n" + "\n".join(printed) + f"\nand it prints\n{out.getvalue()}"
    return ""


if __name__ == "__main__":
    found = [run(*block) for block in json.loads(Path("blocks.json").read_text(encoding="utf-8"))]
    Path("failures.json").write_text(json.dumps([said for said in found if said]), encoding="utf-8")
