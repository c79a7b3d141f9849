"""Draws patients: anatomy, then studies in time, with the causes that tie findings together.

Everything comes from generators seeded by (version, world seed, patient number, purpose), so a patient is the same
whatever was drawn before, on however many workers.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from radrl.phantom.scene import (
    HELD_OUT,
    SIDES,
    UNSIDED,
    WORLD_VERSION,
    ZONED,
    Anatomy,
    Fact,
    Patient,
    Side,
    Study,
    Technique,
    View,
    Zone,
)
from radrl.phantom.world import MAX_PATIENTS, SPLITS, PhantomWorld, allowed_zones

DEVICES: Final = ("endotracheal tube", "enteric tube", "central venous catheter", "chest tube", "pacemaker")
BEDSIDE: Final = frozenset({"endotracheal tube", "chest tube"})
"""Devices of patients who cannot stand: their films are AP."""
HARDER_BY: Final = 0.3
"""Share of the way to the highest difficulty that `ood_difficulty` goes beyond the world's."""
NUM_SHAPE: Final = 8
"""Shape numbers of a fact."""

PURPOSES: Final = {"patient": 0, "teacher": 1, "question": 2, "text": 3, "twin": 4, "sheet": 5}


def generator(world: PhantomWorld, *key: int, purpose: str) -> np.random.Generator:
    """Generator of one purpose for one patient (and study), the same in every process."""
    return np.random.default_rng((WORLD_VERSION, world.seed, PURPOSES[purpose], *key))


def draw_patient(world: PhantomWorld, index: int, *, split: str) -> Patient:
    """The `index`-th patient of a split, from 0."""
    number = SPLITS.index(split) * MAX_PATIENTS + index
    world = world_of(world, split=split)
    rng = generator(world, number, purpose="patient")
    anatomy = _draw_anatomy(rng, spread=world.variability)
    if split == "ood_mirrored":
        anatomy = replace(anatomy, is_mirrored=True)
    num_studies = int(rng.integers(1, world.max_studies + 1))
    studies: list[Study] = []
    for position in range(num_studies):
        previous = studies[-1] if studies else None
        facts = _first_facts(world, rng, split=split) if previous is None else _later_facts(world, rng, previous, split)
        if split == "ood_crowded":
            facts = _filled(world, rng, facts, split=split)
        studies.append(_draw_study(world, rng, position=position, previous=previous, facts=facts))
    if split == "ood_technique":
        studies = [replace(study, technique=_shifted(study.technique)) for study in studies]
    return Patient(number=number, anatomy=anatomy, studies=tuple(studies))


def world_of(world: PhantomWorld, *, split: str) -> PhantomWorld:
    """The world as a split shows it: two of them go beyond what its knobs say."""
    match split:
        case "ood_difficulty":
            return replace(world, difficulty=world.difficulty + HARDER_BY * (1 - world.difficulty))
        case "ood_crowded":
            return replace(world, max_findings=world.max_findings + 1, normal_share=0.0)
        case _:
            return world


def draw_fact(world: PhantomWorld, rng: np.random.Generator, *, name: str, split: str) -> Fact:
    """A new finding of the given class, anywhere the split allows it."""
    zone: Zone | None = None
    if name in ZONED:
        zones = allowed_zones(name, split=split)
        zone = zones[int(rng.integers(len(zones)))]
    return _make_fact(world, rng, name=name, zone=zone)


def with_fact(facts: Iterable[Fact], fact: Fact) -> tuple[Fact, ...]:
    """The facts and one more, unless its finding is already there on that side."""
    facts = tuple(facts)
    is_there = any((other.name, other.side) == (fact.name, fact.side) for other in facts)
    return facts if is_there else (*facts, fact)


def _make_fact(world: PhantomWorld, rng: np.random.Generator, *, name: str, zone: Zone | None) -> Fact:
    subtype = ""
    side: Side | None = None if name in UNSIDED else SIDES[int(rng.integers(2))]
    if name == "support devices":
        subtype = DEVICES[int(rng.integers(len(DEVICES)))]
        side = SIDES[int(rng.integers(2))] if subtype not in ("endotracheal tube", "enteric tube") else None
    elif name == "fracture":
        subtype = "clavicle" if rng.random() < 0.3 else "rib"
    is_uncertain = rng.random() < world.uncertain_share and name != "support devices"
    return Fact(
        name=name,
        side=side,
        zone=zone,
        severity=world.severities[int(rng.integers(len(world.severities)))],
        subtype=subtype,
        certainty="uncertain" if is_uncertain else "present",
        shape=tuple(rng.random(NUM_SHAPE).tolist()),
    )


def _first_facts(world: PhantomWorld, rng: np.random.Generator, *, split: str) -> tuple[Fact, ...]:
    facts: tuple[Fact, ...] = ()
    num_facts = 0 if rng.random() < world.normal_share else int(rng.integers(1, world.max_findings + 1))
    if split == "ood":
        facts = (_unseen_fact(world, rng),)
    while len(facts) < num_facts:
        added = with_fact(facts, _any_fact(world, rng, split=split))
        if len(added) == len(facts) and len(facts) >= len(world.findings):
            break
        facts = added
    return _with_consequences(world, rng, facts)


def _filled(world: PhantomWorld, rng: np.random.Generator, facts: tuple[Fact, ...], *, split: str) -> tuple[Fact, ...]:
    """As many facts as a crowded film holds, or what a thousand draws find room for."""
    for _ in range(1000):
        if len(facts) == world.max_findings:
            break
        facts = with_fact(facts, _any_fact(world, rng, split=split))
    return facts


def _any_fact(world: PhantomWorld, rng: np.random.Generator, *, split: str) -> Fact:
    names = [name for name in world.findings if name != "pneumonia"]
    return draw_fact(world, rng, name=names[int(rng.integers(len(names)))], split=split)


def _unseen_fact(world: PhantomWorld, rng: np.random.Generator) -> Fact:
    pairs = sorted(pair for pair in HELD_OUT if pair[0] in world.findings)
    name, zone = pairs[int(rng.integers(len(pairs)))]
    return _make_fact(world, rng, name=name, zone=zone)


def _with_consequences(world: PhantomWorld, rng: np.random.Generator, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Edema brings effusions and a large heart along, a severe effusion presses the lung below it together."""
    effects: list[tuple[str, Side | None]] = []
    for fact in facts:
        if fact.name == "edema":
            for name, side, probability in _EDEMA_EFFECTS:
                if rng.random() < probability:
                    effects.append((name, side))
        if fact.name == "pleural effusion" and fact.severity == 3 and rng.random() < 0.3:
            effects.append(("atelectasis", fact.side))
    for name, side in effects:
        if name in world.findings and len(facts) < world.max_findings:
            zone: Zone | None = "lower" if name in ZONED else None
            effect = _make_fact(world, rng, name=name, zone=zone)
            facts = with_fact(facts, replace(effect, side=side))
    return facts


_EDEMA_EFFECTS: Final[tuple[tuple[str, Side | None, float], ...]] = (
    ("cardiomegaly", None, 0.4),
    ("pleural effusion", "right", 0.3),
    ("pleural effusion", "left", 0.3),
)


def _later_facts(world: PhantomWorld, rng: np.random.Generator, previous: Study, split: str) -> tuple[Fact, ...]:
    """One step of the course of disease: each finding resolves, worsens, improves or stays, and new ones appear.

    A patient recovers altogether with probability `normal_share`, which so is the share of normal studies at any time.
    """
    facts: tuple[Fact, ...] = ()
    has_recovered = rng.random() < world.normal_share and split != "ood"
    for fact in () if has_recovered else previous.facts:
        facts += _evolved(world, rng, fact)
        is_drained = fact.name == "pneumothorax" and fact.severity > 1 and rng.random() < 0.5
        if is_drained and "support devices" in world.findings:
            device = _make_fact(world, rng, name="support devices", zone=None)
            facts = with_fact(facts, replace(device, subtype="chest tube", side=fact.side))
    facts = facts[: world.max_findings]
    is_worse = not facts or (len(facts) < world.max_findings and rng.random() < 0.3)
    if is_worse and not has_recovered:
        facts = with_fact(facts, _any_fact(world, rng, split=split))
    has_unseen = any((fact.name, fact.zone) in HELD_OUT for fact in facts)
    if split == "ood" and not has_unseen:
        facts = with_fact(facts[: world.max_findings - 1], _unseen_fact(world, rng))
    return facts


def _evolved(world: PhantomWorld, rng: np.random.Generator, fact: Fact) -> tuple[Fact, ...]:
    draw = rng.random()
    step = 0 if draw < 0.4 else 1 if draw < 0.6 else -1
    if draw >= 0.85:
        return ()
    graver = [s for s in world.severities if s > fact.severity]
    milder = [s for s in world.severities if s < fact.severity]
    if step > 0 and graver:
        return (replace(fact, severity=min(graver), course="worse"),)
    if step < 0 and milder:
        return (replace(fact, severity=max(milder), course="better"),)
    return (replace(fact, course="stable"),)


def _draw_study(
    world: PhantomWorld, rng: np.random.Generator, *, position: int, previous: Study | None, facts: tuple[Fact, ...]
) -> Study:
    is_bedside = any(fact.subtype in BEDSIDE for fact in facts)
    view: View = "AP" if rng.random() < world.ap_share or is_bedside else "PA"
    days = int(rng.integers(1, 400))
    return Study(
        index=position,
        offset_days=previous.offset_days + days if previous else 0,
        technique=_draw_technique(rng, view=view, spread=world.variability),
        facts=facts,
        infection_cue=bool(rng.random() < 0.5) and "pneumonia" in world.findings,
    )


def _draw_technique(rng: np.random.Generator, *, view: View, spread: float) -> Technique:
    tilt, right, down, zoom, light, curve, breath = (2 * rng.random(7) - 1).tolist()
    # A film taken AP at the bedside is tilted and exposed less evenly than one taken standing.
    tilt_deg = 4.0 if view == "AP" else 1.5
    return Technique(
        view=view,
        rotation_deg=tilt_deg * spread * tilt,
        shift=(0.02 * spread * right, 0.02 * spread * down),
        scale=1.0 + 0.03 * spread * zoom,
        exposure=1.0 + 0.06 * spread * light,
        gamma=0.95 + 0.10 * spread * curve,
        inspiration=0.018 * spread * breath + (0.025 if view == "AP" else 0.0),
        marker=SIDES[int(rng.integers(2))],
        noise_seed=int(rng.integers(2**31)),
    )


def _shifted(technique: Technique) -> Technique:
    """The same film by other hands: tilted and off centre twice as far and more, too dark or too pale.

    Every number lies outside the range that training draws it from.
    """
    sign = 1.0 if technique.exposure >= 1 else -1.0
    tilt = 5.0 if technique.rotation_deg >= 0 else -5.0
    right, down = (0.03 * (1 if shift >= 0 else -1) + shift for shift in technique.shift)
    return replace(
        technique,
        rotation_deg=technique.rotation_deg + tilt,
        shift=(right, down),
        scale=technique.scale + (0.07 if technique.scale >= 1 else -0.07),
        exposure=technique.exposure + 0.12 * sign,
        gamma=technique.gamma + 0.25 * sign,
    )


def _draw_anatomy(rng: np.random.Generator, *, spread: float) -> Anatomy:
    width, apex, dome, heart, middle, gap, ribs, habitus = (2 * rng.random(8) - 1).tolist()
    bank, roll_x, roll_y = rng.integers(1000, size=3).tolist()
    return Anatomy(
        sex="F" if rng.random() < 0.5 else "M",
        thorax_half_width=0.345 + 0.015 * spread * width,
        apex_y=0.105 + 0.012 * spread * apex,
        dome_y=0.715 + 0.020 * spread * dome,
        heart_ratio=0.435 + 0.030 * spread * heart,
        mediastinum_half_width=0.056 + 0.005 * spread * middle,
        rib_gap=0.076 + 0.004 * spread * gap,
        rib_strength=1.0 + 0.25 * spread * ribs,
        vessel_phase=float(rng.random()),
        habitus=0.5 + 0.5 * spread * habitus,
        texture=(bank, roll_x, roll_y),
    )
