"""How hard the questions of a stage are for the policy that enters it, and which of them it is to train on."""

import logging
from collections.abc import Mapping
from statistics import fmean

from radrl.curriculum import Curriculum, Stage, is_in_band
from radrl.errors import NoSignal
from radrl.rewards.background import Pending
from radrl.rewards.rubric import Rubric
from radrl.roles import Sampler, Sampling
from radrl.run import Run

log = logging.getLogger(__name__)


def narrow_stage(
    curriculum: Curriculum, sampler: Sampler, run: Run, *, step: int, temperature: float, seed: int
) -> Mapping[str, float]:
    """Measure every prompt of the stage at hand, keep those within its band, and return what became of them.

    A prompt that is always or never answered right has no spread within its group, and so nothing to teach (CheXPO's
    hard examples, DAPO's dynamic sampling). Measuring it once, before the stage, costs `n` completions a prompt and
    spares the step from finding out. The rates are written to `pass_rates/{stage}.jsonl`.

    Raises NoSignal when no prompt is within the band.
    """
    stage = curriculum.stage
    band = stage.pass_rate
    assert band is not None
    sampling = Sampling(n=band.n, temperature=temperature, max_tokens=stage.max_response_length, seed=seed)
    rates = measure(stage, sampler, sampling, run)
    name = f"pass_rates/{stage.name}.jsonl"
    run.write(name, [{"id": sample_id, "rate": rate} for sample_id, rate in rates.items()], step=step)
    metrics = describe_rates(stage, rates)
    if not metrics["pass_rate/num_kept"]:
        raise NoSignal(
            f"stage {stage.name!r}: none of its {len(rates)} prompts has a pass rate from {band.low} to {band.high} "
            f"over {band.n} answers each: {metrics['pass_rate/num_too_hard']:.0f} are harder and "
            f"{metrics['pass_rate/num_too_easy']:.0f} easier (see {run.folder / name}). Widen data.pass_rate of the "
            "stage, give it other questions, or warm the policy up."
        )
    log.info("stage %s keeps %d of %d prompts", stage.name, metrics["pass_rate/num_kept"], len(rates))
    curriculum.narrow(rates)
    return metrics


def measure(stage: Stage, sampler: Sampler, sampling: Sampling, run: Run) -> dict[str, float]:
    """Mean declared outcome of each prompt of a stage, by the prompt's id, under the weights that the sampler has."""
    # The other rewards, of which a graph may be slow, do not matter here.
    outcome = Rubric(
        [term for term in stage.rubric.rewards if term.outcome],
        stage.rubric.gate.config,
        max_tokens=stage.max_response_length,
        pool=stage.rubric.pool,
    )
    written: list[Pending] = []
    prompts = stage.prompts.items
    with run.phase(f"pass rates of {stage.name}", total=len(prompts)) as advance:
        for completions in sampler.generate(prompts, sampling):
            written.append(outcome.begin(completions))
            advance()
    groups = [pending.result() for pending in written]
    return {group.prompt.sample.id: fmean(group.outcomes) for group in groups}


def describe_rates(stage: Stage, rates: Mapping[str, float]) -> Mapping[str, float]:
    """How many prompts are within the stage's band, below it and above it."""
    band = stage.pass_rate
    assert band is not None
    outside = [rate for rate in rates.values() if not is_in_band(rate, band)]
    num_too_hard = sum(rate < band.low for rate in outside)
    return {
        "pass_rate/mean": fmean(rates.values()),
        "pass_rate/num_kept": float(len(rates) - len(outside)),
        "pass_rate/num_too_hard": float(num_too_hard),
        "pass_rate/num_too_easy": float(len(outside) - num_too_hard),
    }
