import hashlib
from dataclasses import replace

import pytest
import torch
from engine_builders import tiny_config

from radrl.batch import pack
from radrl.config.schema import Config
from radrl.engines import work
from radrl.engines.ceilings import Ceilings, Datasheet
from radrl.engines.floor import floor_of
from radrl.engines.ledger import Encoder, Ledger, loads_of, pack_efficiency, update_work, with_advantage
from radrl.engines.metered import metered
from radrl.engines.shapes import shape_of
from radrl.engines.work import GroupLoad, Recipe, Trained, Work
from radrl.models.packing import plan
from radrl.phases import PhaseClock
from radrl.roles import Roles, Sampling
from radrl.types import (
    AnswerKind,
    Completion,
    ImageRef,
    Prompt,
    RewardResult,
    Rollout,
    RolloutGroup,
    Sample,
)

SHAPE = shape_of(tiny_config("qwen2_5_vl"))
CEILINGS = Ceilings(flops_per_s=100.0, bytes_per_s=10.0, source="measured")
SHEET = Datasheet(name="X", bf16_flops_per_s=200.0, bytes_per_s=20.0, memory_gb=1.0)
SAMPLING = Sampling(n=2, temperature=1.0, max_tokens=8, seed=0)


def a_prompt(number, *, images=("a",)):
    refs = tuple(ImageRef(path=name, sha256=hashlib.sha256(name.encode()).hexdigest()) for name in images)
    sample = Sample(
        id=f"q{number}",
        patient_id="p",
        kind="presence",
        question="<image>?",
        images=refs,
        answer=frozenset({"yes"}),
        answer_kind=AnswerKind.YES_NO,
        reference="yes",
    )
    return Prompt(sample=sample, text="?", token_ids=tuple(range(6)), num_image_tokens=4 * len(images))


def a_group(prompt, lengths):
    reward = RewardResult(parts={"a": 0.0}, weights={"a": 1.0}, factors={"a": 1.0}, outcome=0.0)
    completions = [
        Completion(
            prompt=prompt,
            index=index,
            text="",
            token_ids=(7,) * length,
            token_texts=("",) * length,
            logprobs=(-1.0,) * length,
            stop="length",
            policy_version=0,
            temperature=1.0,
        )
        for index, length in enumerate(lengths)
    ]
    return RolloutGroup(prompt=prompt, rollouts=tuple(Rollout(completion=each, reward=reward) for each in completions))


class WritingSampler:
    def __init__(self, lengths):
        self.lengths = lengths
        self.version = None

    def generate(self, prompts, sampling):
        for prompt in prompts:
            yield tuple(rollout.completion for rollout in a_group(prompt, self.lengths).rollouts)

    def publish(self, version):
        self.version = version


class StillActor:
    def logprobs(self, batch):
        return batch.sampled_logprobs

    def update(self, batch):
        return {"actor/pg_loss": 0.5}


def open_ledger(*, ceilings=CEILINGS, sheet=SHEET):
    return Ledger(shape=SHAPE, recipe=Recipe(), ceilings=ceilings, datasheet=sheet)


class StillCritic:
    def values(self, batch):
        return torch.zeros(batch.num_tokens)

    def update(self, batch):
        return {"critic/vf_loss": 0.25}


def roles_under(ledger, *, critic=None, epochs=1, **algorithm):
    config = Config.model_validate({"algorithm": algorithm, "worker": {"critic": {"ppo_epochs": epochs}}})
    clock = PhaseClock()
    roles = Roles(actor=StillActor(), sampler=WritingSampler([3, 1]), reference=StillActor(), critic=StillCritic())
    return metered(roles, ledger=ledger, clock=clock, config=config, recipe=Recipe(), critic=critic), clock


def test_row_76_a_phase_is_held_against_its_floor_and_the_makers_figure():
    """Spec row 76: utilisation goes by the datasheet, the floor by what was measured."""
    ledger = open_ledger()
    ledger.charge("gen", lambda shape, recipe: [Work(flops=200.0, bytes=10.0), Work(flops=50.0, bytes=30.0)])
    metrics = ledger.take({"timing_s/gen": 10.0})
    # 2 s of arithmetic and 3 s of traffic; 250 operations in 10 s of 200 a second.
    assert metrics == {"perf/floor_s_gen": 5.0, "perf/floor_ratio_gen": 2.0, "perf/mfu_gen": 0.125}
    assert ledger.take({"timing_s/gen": 10.0}) == {}


def test_on_a_device_without_a_datasheet_there_is_a_floor_and_no_utilisation(caplog):
    with caplog.at_level("INFO"):
        ledger = open_ledger(sheet=None)
    ledger.charge("gen", lambda shape, recipe: [Work(flops=200.0)])
    assert ledger.take({"timing_s/gen": 10.0}) == {"perf/floor_s_gen": 2.0, "perf/floor_ratio_gen": 5.0}
    assert caplog.text.count("perf/mfu_* is left out") == 1


def test_a_model_whose_costs_are_not_known_is_timed_all_the_same():
    ledger = Ledger(shape=None, recipe=Recipe(), ceilings=CEILINGS)
    roles, clock = roles_under(ledger)
    list(roles.sampler.generate([a_prompt(0)], SAMPLING))
    assert clock.take()["timing_s/gen"] > 0
    assert ledger.take({}) == {}


def test_a_step_through_wrapped_roles_is_timed_and_counted_by_phase():
    ledger = open_ledger()
    roles, clock = roles_under(ledger)
    groups = list(roles.sampler.generate([a_prompt(0), a_prompt(1, images=("b",))], SAMPLING))
    assert [[len(one.token_ids) for one in group] for group in groups] == [[3, 1], [3, 1]]
    batch = roles.annotate(pack([a_group(group[0].prompt, [3, 1]) for group in groups]))
    assert roles.actor.update(batch.replace(advantages=torch.ones(8))) == {"actor/pg_loss": 0.5}
    roles.publish(version=7)

    timings = clock.take()
    assert {"timing_s/gen", "timing_s/ref", "timing_s/update_actor", "timing_s/sync"} <= set(timings)
    metrics = ledger.take(timings)
    load = GroupLoad(prompt_tokens=6, image_tokens=4, num_images=1, completions=(3, 1))
    forward = work.forward(SHAPE, [load, load], Recipe())
    assert metrics["perf/floor_s_ref"] == pytest.approx(max(forward.flops / 100, forward.bytes / 10))
    # Sharing the prompt leaves 2 x 10 of 2 x 16 tokens.
    assert metrics["perf/shared_tokens_frac"] == pytest.approx(1 - 20 / 32)
    assert "perf/floor_s_sync" not in metrics


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_critic_is_counted_by_its_own_sizes_and_its_images_once(epochs):
    ledger = open_ledger()
    trained = Trained(shape=SHAPE.as_critic, recipe=Recipe(weight_bytes=4))
    roles, clock = roles_under(ledger, critic=trained, epochs=epochs)
    batch = pack([a_group(a_prompt(0), [3, 1])])
    roles.critic.values(batch)
    roles.critic.update(batch)

    timings = clock.take()
    metrics = ledger.take(timings)
    load = GroupLoad(prompt_tokens=6, image_tokens=4, num_images=1, completions=(3, 1))
    encoder = work.vision_forward(SHAPE.vision, [load], weight_bytes=4)
    forward, update = (count(trained.shape, [load], trained.recipe) for count in (work.forward, work.update))
    assert metrics["perf/floor_s_values"] == pytest.approx(floor_of([encoder, forward], CEILINGS).seconds)
    floor = floor_of([update] * epochs, CEILINGS)
    assert metrics["perf/floor_s_update_critic"] == pytest.approx(floor.seconds)
    seconds = timings["timing_s/update_critic"]
    assert metrics["perf/mfu_update_critic"] == pytest.approx(floor.flops / seconds / 200)


def test_a_critic_whose_costs_are_not_known_is_timed_all_the_same():
    ledger = open_ledger()
    roles, clock = roles_under(ledger)
    batch = pack([a_group(a_prompt(0), [3, 1])])
    roles.critic.values(batch)
    roles.critic.update(batch)
    assert {"timing_s/values", "timing_s/update_critic"} <= set(clock.take())
    assert ledger.take({}) == {}


def test_measuring_difficulties_is_charged_to_that_phase():
    ledger = open_ledger()
    roles, clock = roles_under(ledger)
    with clock.measure("pass_rate"):
        list(roles.sampler.generate([a_prompt(0)], SAMPLING))
    timings = clock.take()
    assert "timing_s/gen" not in timings
    assert "perf/floor_s_pass_rate" in ledger.take(timings)


def test_images_of_a_frozen_encoder_are_counted_once_a_run_and_those_of_one_that_learns_every_time():
    groups = [
        (a_prompt(0), GroupLoad(prompt_tokens=6, image_tokens=4, num_images=1)),
        *[(a_prompt(1, images=("a", "b")), GroupLoad(prompt_tokens=10, image_tokens=8, num_images=2))],
    ]
    frozen, learning = Encoder(is_frozen=True), Encoder(is_frozen=False)
    for encoder in (frozen, learning):
        assert [(load.num_images, load.image_tokens) for load in encoder.unseen(groups)] == [(1, 4), (1, 4)]
    assert frozen.unseen(groups) == []
    assert len(learning.unseen(groups)) == 2


def test_sequences_without_an_advantage_are_no_work_unless_a_kl_term_needs_them():
    batch = pack([a_group(a_prompt(0), [3, 1]), a_group(a_prompt(1), [2, 2])])
    batch = batch.replace(advantages=torch.tensor([1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0]))
    assert [load.completions for _, load in loads_of(with_advantage(batch))] == [(3, 1)]

    floors = []
    for coefficient in (0.0, 0.1):
        ledger = open_ledger(ceilings=replace(CEILINGS, bytes_per_s=1e12))
        roles, _ = roles_under(ledger, kl_coef=coefficient)
        roles.actor.update(batch)
        floors.append(ledger.take({})["perf/floor_s_update_actor"])
    assert floors[0] < floors[1]


def test_recomputed_activations_do_not_raise_the_floor_of_a_recipe_that_does_not_ask_for_them():
    load = GroupLoad(prompt_tokens=6, completions=(3, 1))
    once, again = (
        sum(piece.flops for piece in update_work(SHAPE, replace(Recipe(), recomputes=wanted), texts=[load], images=[]))
        for wanted in (False, True)
    )
    assert once < again


def test_pack_efficiency_is_the_share_of_places_that_hold_a_token():
    prompts = [a_prompt(number, images=()) for number in range(2)]
    completions = [[(7,) * 4], [(7,) * 2]]
    # Rows of 10 and 8 tokens, both 10 wide.
    assert pack_efficiency(plan(prompts, completions, row_tokens=12, micro_batch_tokens=40)) == pytest.approx(0.9)
    assert pack_efficiency(plan(prompts[:1], completions[:1], row_tokens=12, micro_batch_tokens=40)) == 1.0
    assert pack_efficiency([]) == 1.0
