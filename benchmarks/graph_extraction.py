"""How fast the rule extractor reads reports on one core: with nothing remembered, and with the sentence cache warm.

python benchmarks/graph_extraction.py
"""

import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from radrl.graph.extractors.mentions import read_sentence
from radrl.graph.extractors.rules import VERSION, extract_rules
from radrl.phantom.report import phantom_reports
from radrl.phantom.world import PhantomWorld

NUM_REPORTS = 400
NUM_WORDS = 40
ROUNDS = 60
_SENTENCES = Path(__file__).parents[1] / "tests" / "unit" / "graph" / "scope_sentences.txt"


def prose() -> list[str]:
    """Reports of about 40 words, put together from the hand-written sentences of the scope table."""
    lines = _SENTENCES.read_text(encoding="utf-8").splitlines()
    sentences = [line.rsplit("=>", 1)[0].strip() for line in lines if "=>" in line and not line.startswith("#")]
    return [report for start in range(5) for report in _packed(sentences[start:] + sentences[:start])][:NUM_REPORTS]


def _packed(sentences: Sequence[str]) -> Iterator[str]:
    report: list[str] = []
    for sentence in sentences:
        report.append(sentence)
        if sum(len(part.split()) for part in report) >= NUM_WORDS:
            yield " ".join(report)
            report = []


def phantom() -> list[str]:
    """Reports of generated patients."""
    return [report.text for report in phantom_reports(PhantomWorld(seed=1), num=NUM_REPORTS)]


def reports_a_second(reports: Sequence[str], *, is_cold: bool) -> float:
    """Of one core, from the fastest of several readings of each report.

    Cold, every reading is as if it were the first; warm, its sentences are remembered from the reading before.
    """
    return len(reports) / sum(_fastest(report, is_cold=is_cold) for report in reports)


def _fastest(report: str, *, is_cold: bool) -> float:
    """Seconds. The fastest reading is the one that other work on the machine disturbed least."""
    extract_rules(report)
    best = float("inf")
    for _ in range(ROUNDS):
        if is_cold:
            read_sentence.cache_clear()
        start = time.perf_counter()
        extract_rules(report)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    print(
        f"{_processor()}, Python {platform.python_version()}, one core; rules version {VERSION}, "
        f"commit {commit.stdout.strip()}\n"
    )
    print("| reports | words each | cold, a second | warm, a second |\n|---|---|---|---|")
    for name, reports in (("prose", prose()), ("phantom", phantom())):
        words = sum(len(report.split()) for report in reports) / len(reports)
        cold, warm = (reports_a_second(reports, is_cold=is_cold) for is_cold in (True, False))
        print(f"| {name} | {words:.0f} | {cold:,.0f} | {warm:,.0f} |")


def _processor() -> str:
    """Model of the processor, as far as the machine says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
