"""How long the rubrics of both recipes take for 1,000 completions of about 300 tokens: processor time of one core.

python benchmarks/rewards.py [--profile]
"""

import cProfile
import platform
import pstats
import random
import subprocess
import sys
import time
from pathlib import Path

from radrl.config.lint import LintConfig
from radrl.graph.extract import extract
from radrl.lint.questions import sample_of
from radrl.lint.targets import target_of
from radrl.phantom.scene import FINDINGS
from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import PhantomWorld
from radrl.rewards.hacks import HACKS, Majority
from radrl.rewards.hacks.draft import write
from radrl.rewards.rubric import Rubric
from radrl.types import Completion, Prompt, Sample

NUM_COMPLETIONS, GROUP = 1000, 8
CHARACTERS = 1200
"""Of 300 tokens, four characters each."""
MIXED_IN = ("boilerplate", "negation flip", "side swap", "tag soup", "all absent", "stuffed thoughts")
"""What stands beside the reference and the majority answer in a group."""
REPEATS = 3
"""The fastest counts: other programs only slow it down."""


def samples(kind: str) -> list[Sample]:
    """Questions about eight findings: their traces come to about the length."""
    world = PhantomWorld(seed=1, findings=FINDINGS[:8], kinds={kind: 1.0}, num_options=6)
    items = ask_undrawn(world, split="train", num_questions=NUM_COMPLETIONS // GROUP)
    return [sample_of(item) for item in items]


def groups(kind: str, *, seed: int) -> list[list[Completion]]:
    """Groups of eight: the reference, the majority answer, and six ways to be wrong, each brought to the length."""
    asked = samples(kind)
    majority = Majority.of(asked)
    hacks = [hack for hack in HACKS if hack.name in MIXED_IN]
    rng = random.Random(seed)
    made: list[list[Completion]] = []
    for sample in asked:
        honest = write(majority.draft(sample), sample)
        texts = [sample.reference, honest, *(hack.write(sample, majority) or honest for hack in hacks)]
        prompt = Prompt(sample=sample, text="", token_ids=(), num_image_tokens=0)
        made.append([completion(prompt, i, brought_to_length(text, rng)) for i, text in enumerate(texts)])
    return made


def brought_to_length(text: str, rng: random.Random) -> str:
    """Sentences that no other completion has, at the beginning of the first thought."""
    filler = ""
    while len(text) + len(filler) < CHARACTERS:
        side, zone = rng.choice(("left", "right")), rng.choice(("upper", "mid", "lower"))
        filler += f"Vessels of the {side} {zone} zone measure {rng.randrange(10**6)} units. "
    return text.replace("<think>", f"<think>{filler}", 1)


def completion(prompt: Prompt, index: int, text: str) -> Completion:
    return Completion(
        prompt=prompt,
        index=index,
        text=text,
        token_ids=(0,) * (len(text) // 4),
        token_texts=(),
        logprobs=(),
        stop="eos",
        policy_version=0,
        temperature=1.0,
    )


def seconds(preset: str, scored: list[list[Completion]]) -> float:
    """Processor time of scoring and settling the groups with a new rubric."""
    target = target_of(LintConfig(reward=preset))
    rubric = Rubric(target.rewards, target.gate, max_tokens=1024)
    rubric.check()
    start = time.process_time()
    rubric.settle(rubric.score(scored), update=True)
    return time.process_time() - start


def cold(preset: str, kind: str) -> float:
    """In a process of its own, which has scored nothing yet: only the lexicon is loaded."""
    taken = [
        float(subprocess.check_output([sys.executable, __file__, "--once", preset, kind, str(seed)], text=True))
        for seed in range(REPEATS)
    ]
    return min(taken)


def once(preset: str, kind: str, seed: str) -> None:
    made = groups(kind, seed=int(seed))
    extract("No effusion.")
    print(seconds(preset, made))


def warm(preset: str, kind: str) -> float:
    """The same completions once more."""
    made = groups(kind, seed=0)
    seconds(preset, made)
    if "--profile" in sys.argv:
        with cProfile.Profile() as profile:
            seconds(preset, made)
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
    return min(seconds(preset, made) for _ in range(REPEATS))


ROWS = (
    ("closed (`cx_mind_closed`)", "cx_mind_closed", "choice", cold, 1.0),
    ("open (`cx_mind_open`)", "cx_mind_open", "open", cold, 1.0),
    ("graph (`chex_phi4mm`), cold", "chex_phi4mm", "open", cold, 3.0),
    ("graph (`chex_phi4mm`), warm", "chex_phi4mm", "open", warm, 1.0),
)


def commit() -> str:
    folder = Path(__file__).parent
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, commit {commit()}")
    print("| rubric | characters a completion | s / 1000 | aim, s |\n|---|---|---|---|")
    for name, preset, kind, measure, aim in ROWS:
        lengths = [len(one.text) for group in groups(kind, seed=0) for one in group]
        share = NUM_COMPLETIONS / len(lengths)
        print(f"| {name} | {sum(lengths) / len(lengths):.0f} | {share * measure(preset, kind):.2f} | {aim:g} |")


if __name__ == "__main__":
    once(*sys.argv[2:]) if "--once" in sys.argv else main()
