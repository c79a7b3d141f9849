"""What the end-to-end tests share: one world, one warm model, one run that nothing disturbed."""

from pathlib import Path

import pytest
from processes import Ended, radrl
from small_world import RUN, WARM_UP, WARM_UP_STEPS, World

PHANTOM = (
    *("--train", "40", "--val", "8", "--test", "8", "--ood", "0", "--seed", "3", "--size", "32"),
    *("--difficulty", "0", "--findings", "cardiomegaly, pneumothorax, pleural effusion", "--max-findings", "1"),
    *("--kinds", "presence=0.4", "--kinds", "closed=0.3", "--kinds", "open=0.3", "--options", "2", "--style", "short"),
)
TINY = ("--hidden-size", "64", "--layers", "1", "--image-px", "32", "--vocab-size", "500")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made by the commands a user would give: phantom, tiny, sft."""
    folder = tmp_path_factory.mktemp("world")
    made = World(
        folder=folder / "data",
        untrained=folder / "tiny",
        warm=folder / WARM_UP / f"checkpoints/global_step_{WARM_UP_STEPS}/actor/huggingface",
        warm_up=folder / WARM_UP,
    )
    _must(radrl("phantom", "data", *PHANTOM, folder=folder))
    _must(radrl("tiny", "--out", "tiny", "--corpus", "data/train.jsonl", *TINY, folder=folder))
    _must(radrl("sft", *made.supervised(), folder=folder))
    return made


@pytest.fixture(scope="session")
def undisturbed(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of `world.training()`, from the first step to the last in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    _must(radrl("train", *world.training(), folder=folder))
    return folder / RUN


def _must(ended: Ended) -> None:
    assert ended.code == 0, ended.output
