"""How fast the phantom world is drawn: images a second on one core, with and without what surrounds the picture.

python benchmarks/phantom_speed.py
"""

import platform
import tempfile
import time
from pathlib import Path

from radrl.phantom.export import export
from radrl.phantom.picturing import picture_patient
from radrl.phantom.world import PhantomWorld

SIZES = (64, 128, 256)
SECONDS = 6.0


def pictures_a_second(size_px: int) -> float:
    """Pictures with visibility test and PNG encoding, in seconds of processor time."""
    world = PhantomWorld(seed=1, size_px=size_px)
    drawn, number = 0, 0
    start = time.process_time()
    while time.process_time() - start < SECONDS:
        drawn += len(picture_patient(world, number, split="train"))
        number += 1
    return drawn / (time.process_time() - start)


def questions_a_second(size_px: int) -> float:
    """The whole export: pictures, questions, traces, reports and files."""
    world = PhantomWorld(seed=1, size_px=size_px)
    num_questions = max(50, round(20_000 / size_px))
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        export(world, Path(folder), splits={"train": num_questions})
        return num_questions / (time.process_time() - start)


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one core")
    print("| side, pixels | images a second | questions a second, files written |\n|---|---|---|")
    for size_px in SIZES:
        print(f"| {size_px} | {pictures_a_second(size_px):.0f} | {questions_a_second(size_px):.0f} |")


if __name__ == "__main__":
    main()
