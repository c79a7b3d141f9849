"""What needs no model loads no model library, so that it starts in a blink."""

import pytest
from processes import run_script
from small_world import EXAMPLE

HEAVY = ("torch", "transformers", "tokenizers")
PROBE = f"""
import sys
from contextlib import suppress
with suppress(SystemExit):
    {{code}}
sys.exit(", ".join(name for name in {HEAVY} if name in sys.modules) or 0)
"""


@pytest.mark.parametrize(
    "code",
    [
        "import radrl",
        "from radrl.cli import app; app(['--help'])",
        "from radrl.cli import app; app(['--version'])",
        "from radrl.cli import app; app(['train', '--help'])",
        "from radrl.cli import app; app(['export', '--help'])",
        f"from radrl.cli import app; app(['config', 'config={EXAMPLE}'])",
        "from radrl.cli import app; app(['graph', 'report.txt'])",
        "from radrl.cli import app; app(['phantom', 'p', '--train', '2', '--val', '0', '--test', '0', '--ood', '0'])",
        "from radrl.cli import app; app(['lint-reward', 'chex_phi4mm', 'num_questions=2', 'kinds=[presence]'])",
        "import radrl.report.build",
    ],
    ids=[
        "import",
        "help",
        "version",
        "help of a command",
        "help of export",
        "config",
        "graph",
        "phantom",
        "lint-reward",
        "report",
    ],
)
def test_neither_torch_nor_transformers_is_loaded(code, tmp_path):
    (tmp_path / "report.txt").write_text("No pleural effusion.\n")
    ended = run_script("python", "-c", PROBE.format(code=code), folder=tmp_path)
    assert ended.code == 0, ended.output


def test_the_probe_would_notice(tmp_path):
    ended = run_script("python", "-c", PROBE.format(code="import tokenizers"), folder=tmp_path)
    assert (ended.code, ended.output.strip()) == (1, "tokenizers")
