"""How the cost of an update and of sampling grows with group size, image tokens, answer length and batch.

python benchmarks/scaling.py --config-folder DIR

DIR holds config, tokenizer and processor of the model; its weights are drawn here. `--tiny` tries it on a laptop.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
import yaml
from rich.progress import Progress
from scatter import Cloud, draw_scatter
from step_files import draw_questions, draw_weights_apart, random_model, tiny_model, write_rows
from step_settings import StepSettings

from radrl.algorithms.credit import assign_credit
from radrl.batch import pack
from radrl.collect import collect
from radrl.config.schema import Config
from radrl.stages import build_curriculum
from radrl.train import Composed, compose, open_pool

NAME = "scaling"
REPEATS = 3
"""Of each point; the first warms up and the fastest of the others counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Sizes of one step.

    Example: `Point(batch=4, group=8, image_px=896, answer=256)` has 4 x (1,046 + 8 x 256) tokens.
    """

    batch: int
    """Prompts."""
    group: int
    """Completions a prompt."""
    image_px: int
    """Side of the square image; a token is 28 x 28 pixels in the 3B, 32 x 32 in the tiny model."""
    answer: int
    """Tokens of each completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a point took."""

    point: Point
    prompt_tokens: int
    update_s: float
    sampling_s: float

    @property
    def tokens(self) -> int:
        """B(P + G R): a prompt passes once for its group."""
        return self.point.batch * (self.prompt_tokens + self.point.group * self.point.answer)

    @property
    def unshared_tokens(self) -> int:
        """B G (P + R): a prompt passes once a completion."""
        return self.point.batch * self.point.group * (self.prompt_tokens + self.point.answer)


AXES: Mapping[str, str] = {
    "group": "group size",
    "image_px": "image tokens",
    "answer": "answer length",
    "batch": "batch",
}
LARGE = Point(batch=4, group=8, image_px=896, answer=256)
LARGE_STEPS = {"group": (2, 4, 16), "image_px": (224, 448, 672), "answer": (64, 128, 512), "batch": (2, 8)}
TINY = Point(batch=4, group=4, image_px=128, answer=16)
TINY_STEPS = {"group": (2, 8), "image_px": (64,), "answer": (8, 32), "batch": (2, 8)}


def main() -> None:
    options = _options()
    centre, steps = (TINY, TINY_STEPS) if options.tiny else (LARGE, LARGE_STEPS)
    results = record.load(NAME, folder=options.results)
    if not options.page_only:
        points = [centre, *(replace(centre, **{axis: value}) for axis in AXES for value in steps[axis])]
        costs = measure(points, options)
        results = {
            **record.facts(commit=options.commit),
            "compiled": options.compile,
            "model": "tiny" if options.tiny else "3B",
            "costs": [asdict(cost) for cost in costs],
            "fits": {kind: fits(costs, centre, kind=kind) for kind in ("update_s", "sampling_s")},
        }
    text = page(results)
    record.save(NAME, results, text, folder=options.results)
    draw(results, options.results / f"{NAME}.png")
    print(text)


def measure(points: Sequence[Point], options: argparse.Namespace) -> list[Cost]:
    """Time every point with one policy and one sampler."""
    model = _model(points, options)
    config = widest(points, model, options)
    with open_pool(config) as pool, Progress() as progress:
        composed = compose(config, pool)
        task = progress.add_task("points", total=len(points))
        costs: list[Cost] = []
        for number, point in enumerate(points):
            stage_config = at_point(config, point, options.scratch)
            costs.append(timed(composed, stage_config, point, seed=number * REPEATS))
            progress.advance(task)
    return costs


def widest(points: Sequence[Point], model: Path, options: argparse.Namespace) -> Config:
    """A configuration that every point fits; files of its questions are written beside."""
    scratch = options.scratch
    for side in {point.image_px for point in points}:
        most = max(point.batch for point in points if point.image_px == side)
        questions = draw_questions(scratch / "films", num=most * REPEATS, side_px=side)
        write_rows(rows_of(scratch, side), questions)
    largest = max(point.image_px for point in points)
    settings = StepSettings(
        model=str(model),
        questions=(),
        rows=str(rows_of(scratch, largest)),
        num_prompts=max(point.batch for point in points),
        group_size=max(point.group for point in points),
        completion_tokens=max(point.answer for point in points),
        steps=1,
        folder=str(scratch / "run"),
        image_px=largest,
        lora_rank=16,
        use_vllm=not options.tiny,
    )
    tree = settings.radrl_config()
    tree["worker"]["rollout"]["probe"] = {"first": 0, "every": 0}
    tree["worker"]["actor"]["use_torch_compile"] = options.compile
    for pair in options.radrl:
        key, _, value = pair.partition("=")
        *sections, name = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = yaml.safe_load(value)
    return Config.model_validate(tree)


def at_point(config: Config, point: Point, scratch: Path) -> Config:
    """The same configuration with the sizes and the questions of one point."""
    tree = config.model_dump()
    tree["data"] |= {
        "train_files": [str(rows_of(scratch, point.image_px))],
        "rollout_batch_size": point.batch,
        "max_response_length": point.answer,
    }
    tree["worker"]["rollout"]["n"] = point.group
    return Config.model_validate(tree)


def timed(composed: Composed, config: Config, point: Point, *, seed: int) -> Cost:
    """Sample and learn a few times; the fastest counts, because other work only slows down."""
    stage = build_curriculum(config, composed.adapter).stage
    sampling, update = [], []
    prompt_tokens = 0
    for repeat in range(REPEATS):
        composed.roles.publish(version=seed + repeat)
        with stopwatch(sampling):
            collected = collect(stage, composed.roles.sampler, config, step=seed + repeat + 1)
        batch = assign_credit(pack(collected.groups), config.algorithm)
        with stopwatch(update):
            composed.roles.actor.update(batch)
        prompt_tokens = len(batch.rollouts[0].completion.prompt.token_ids)
    return Cost(point=point, prompt_tokens=prompt_tokens, update_s=min(update[1:]), sampling_s=min(sampling[1:]))


class stopwatch:  # noqa: N801
    """Appends the seconds of a block, its work on the GPU included."""

    def __init__(self, seconds: list[float]) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        _settle()
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        _settle()
        self._seconds.append(time.perf_counter() - self._start)


def fits(costs: Sequence[Cost], centre: Point, *, kind: str) -> dict[str, Any]:
    """How seconds grow: an exponent along each axis beside the one of B(P + G R), one over all, and a straight line."""
    seconds = np.array([getattr(cost, kind) for cost in costs])
    tokens = np.array([cost.tokens for cost in costs], dtype=float)
    unshared = np.array([cost.unshared_tokens for cost in costs], dtype=float)
    found: dict[str, Any] = {"axes": {}}
    for axis in AXES:
        on_axis = [i for i, cost in enumerate(costs) if replace(cost.point, **{axis: getattr(centre, axis)}) == centre]
        sizes = np.array([_size(costs[i], axis) for i in on_axis], dtype=float)
        found["axes"][axis] = {
            "seconds": exponent(sizes, seconds[on_axis]),
            "tokens": exponent(sizes, tokens[on_axis]),
            "unshared_tokens": exponent(sizes, unshared[on_axis]),
        }
    slope, intercept = np.polyfit(tokens, seconds, 1)
    return found | {
        "exponent": exponent(tokens, seconds),
        "s_per_1000_tokens": float(slope * 1000),
        "s_at_0": float(intercept),
        "r2": r_squared(seconds, slope * tokens + intercept),
        "r2_unshared": r_squared(seconds, np.polyval(np.polyfit(unshared, seconds, 1), unshared)),
    }


def exponent(sizes: np.ndarray, values: np.ndarray) -> float:
    """Slope of log value over log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def r_squared(values: np.ndarray, fitted: np.ndarray) -> float:
    """Share of the variance that a fit explains."""
    return float(1 - ((values - fitted) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def page(results: Mapping[str, Any]) -> str:
    """The page of the results."""
    kinds = {"update_s": "update", "sampling_s": "sampling"}
    costs = [_cost(row) for row in results["costs"]]
    points = [
        [
            *(f"{size:,}" for size in (cost.point.batch, cost.point.group, cost.prompt_tokens, cost.point.answer)),
            f"{cost.tokens:,}",
            f"{cost.update_s:.3f}",
            f"{cost.sampling_s:.3f}",
        ]
        for cost in costs
    ]
    axes = [
        [
            title,
            *(f"{results['fits'][kind]['axes'][axis]['seconds']:.2f}" for kind in kinds),
            *(f"{results['fits']['update_s']['axes'][axis][name]:.2f}" for name in ("tokens", "unshared_tokens")),
        ]
        for axis, title in AXES.items()
    ]
    lines = [
        f"* {title}: over all points the exponent of B(P + G R) is {fit['exponent']:.2f}, and a straight line, "
        f"{fit['s_at_0']:.3f} s and {fit['s_per_1000_tokens']:.4f} s a thousand tokens, explains {fit['r2']:.3f} of "
        f"the variance; one over B G (P + R), which a trainer has that shares nothing, {fit['r2_unshared']:.3f}."
        for kind, title in kinds.items()
        for fit in (results["fits"][kind],)
    ]
    return PAGE.format(
        model="the 3B's shapes" if results["model"] == "3B" else "a tiny model",
        compiled="compiled layers"
        if results["compiled"]
        else "layers not compiled, since every point has another shape",
        facts=record.facts_line(results),
        axes=record.table(["", "update", "sampling", "B(P + G R)", "B G (P + R)"], axes),
        lines="\n".join(lines),
        points=record.table(["B", "G", "P", "R", "B(P + G R)", "update, s", "sampling, s"], points),
    )


PAGE = """# How a step grows

    python benchmarks/scaling.py --config-folder DIR

LoRA of rank 16 on {model}, random weights, every prompt with one noise image, completions of exactly R tokens;
{compiled}. Each size is varied by itself around one point. B prompts of
P tokens (image included), groups of G.

{facts}

Fitted exponents, by least squares of the logarithms along each axis: of the seconds, and of the two token counts that
could explain them. With prompts passed once a group the seconds should grow as B(P + G R).

{axes}

{lines}

![seconds against B(P + G R)](results/scaling.png)

{points}

What the numbers do not show: attention's share, which grows with the square of a sequence and is small at these
lengths; images that were encoded before (each is new here); several updates a batch; unequal lengths.
"""


def draw(results: Mapping[str, Any], file: Path) -> None:
    """Seconds against tokens, and the fitted line of the update."""
    costs = [_cost(row) for row in results["costs"]]
    draw_scatter(
        file,
        clouds=(
            Cloud(name="update", points=tuple((cost.tokens, cost.update_s) for cost in costs)),
            Cloud(name="sampling", points=tuple((cost.tokens, cost.sampling_s) for cost in costs)),
        ),
        x_title="B(P + G R), tokens",
        y_title="seconds",
    )


def rows_of(scratch: Path, side_px: int) -> Path:
    """File of the questions whose images are of this size."""
    return scratch / f"scaling-{side_px}.jsonl"


def _cost(row: Mapping[str, Any]) -> Cost:
    return Cost(**{**row, "point": Point(**row["point"])})


def _size(cost: Cost, axis: str) -> float:
    """What varies along an axis: the tokens of the image, not its side."""
    side = getattr(cost.point, axis)
    return side**2 if axis == "image_px" else side


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _model(points: Sequence[Point], options: argparse.Namespace) -> Path:
    sides = [point.image_px for point in points]
    least, most = min(sides), max(sides)
    options.scratch.mkdir(parents=True, exist_ok=True)
    if options.tiny:
        return tiny_model(options.scratch / "tiny-scaling", side_px=most, least_px=least)
    draw_weights_apart(options.config_folder, options.scratch)
    return random_model(options.config_folder, options.scratch, side_px=most, least_px=least)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-folder", type=Path, help="config, tokenizer and processor of the model")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, without vLLM")
    parser.add_argument("--compile", action="store_true", help="compile the decoder's layers")
    parser.add_argument("--radrl", nargs="*", default=[], metavar="KEY=VALUE", help="further settings of radrl")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm/radrl-step"), help="weights, images, runs")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="folder of the results")
    parser.add_argument("--commit", help="what the tree is a copy of, where it is no repository")
    parser.add_argument("--page-only", action="store_true", help="write the page of results that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
