"""Spec row 96: the parts that the seeds test, and those they should have tested, have tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

NAMED_BY_THE_SPEC = {
    "batches of rollouts": "radrl.batch",
    "data": "radrl.data.load",
    "rewards": "radrl.rewards.api",
    "algorithms": "radrl.algorithms.advantages",
    "gate": "radrl.rewards.gate",
    "knowledge graphs": "radrl.graph.extract",
    "checkpoints": "radrl.checkpoints",
}
REACHED_BY_COMMANDS = {f"radrl.{name}" for name in ("configure", "demo", "exits", "graph_compare", "sft", "train")}
"""What only the command line reaches, and the tests through it."""


def named_by_tests() -> set[str]:
    sources = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)
    ]
    sources += [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("conftest.py")]
    text = "\n".join(sources).replace("from radrl import ", "radrl.")
    return set(re.findall(r"\bradrl\.[\w.]+", text))


def test_row_96_every_part_that_the_spec_names_has_tests():
    named = named_by_tests()
    missing = {part: module for part, module in NAMED_BY_THE_SPEC.items() if module not in named}
    assert missing == {}


def test_every_part_of_the_package_is_named_by_some_test():
    parts = {f"radrl.{path.stem}" for path in (ROOT / "src" / "radrl").iterdir() if path.suffix in ("", ".py")}
    parts -= {"radrl.__init__", "radrl.__pycache__"}
    named = {".".join(module.split(".")[:2]) for module in named_by_tests()}
    assert parts - named - REACHED_BY_COMMANDS == set()
