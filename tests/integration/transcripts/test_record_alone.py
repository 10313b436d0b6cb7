"""The record as a library: the program in docs/library.md, where nothing of the hub can be imported."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

NO_HUB = """
import sys

class NoHub:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "chatserver":
            raise ImportError("there is no hub here")

sys.meta_path.insert(0, NoHub())
"""


def test_the_program_of_the_docs_runs_without_the_hub(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    program, printed = re.findall(r"```(?:python)?\n(.*?)```", page, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", NO_HUB + program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout, run.stderr) == (printed, "")


def test_nothing_of_the_hub_could_have_been_imported_there() -> None:
    run = subprocess.run([sys.executable, "-c", NO_HUB + "import chatserver.ids"], capture_output=True, check=False)
    assert b"there is no hub here" in run.stderr
