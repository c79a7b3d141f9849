"""Turns patients into films: the part of an export that is slow and can be spread over processes."""

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from radrl.phantom.render import Film, Pixels, develop, draw_layer, exposed, lay_film
from radrl.phantom.sampling import draw_fact, draw_patient, generator, with_fact, world_of
from radrl.phantom.scene import Fact, Patient, Study
from radrl.phantom.visibility import is_visible
from radrl.phantom.world import PhantomWorld
from radrl.types import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A study's film on its way to disk, with what can be told from it."""

    study: Study
    png: bytes
    boxes: tuple[tuple[Box, ...], ...]
    """[facts] where each fact of the study lies."""
    visible: tuple[Fact, ...]
    """Facts that stand out and are certain: the ones that questions may depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """One study, and its counterfactual twin where the world has twins and this study allows one."""

    patient: Patient
    original: Picture
    twin: Picture | None = None
    toggled: Fact | None = None
    """The fact that one of the two has and the other has not."""


def picture_patient(world: PhantomWorld, index: int, *, split: str) -> tuple[Pictured, ...]:
    """Draw a patient's studies, in order of time."""
    patient = draw_patient(world, index, split=split)
    return tuple(_picture(world, patient, study, split=split) for study in patient.studies)


def _picture(world: PhantomWorld, patient: Patient, study: Study, *, split: str) -> Pictured:
    world = world_of(world, split=split)
    film = lay_film(patient.anatomy, study.technique, size_px=world.size_px, difficulty=world.difficulty)
    toggled = toggled_fact(world, patient, study, split=split) if world.twins else None
    if toggled is None:
        return Pictured(patient=patient, original=_develop(film, study))
    twin = _develop(film, toggle(study, toggled))
    original = _develop(film, study)
    if toggled not in (*original.visible, *twin.visible):
        return Pictured(patient=patient, original=original)
    return Pictured(patient=patient, original=original, twin=twin, toggled=toggled)


def _develop(film: Film, study: Study) -> Picture:
    layers = tuple(draw_layer(film, fact) for fact in study.facts)
    shown = exposed(film, layers)
    return Picture(
        study=study,
        png=encode_png(develop(film, shown)),
        boxes=tuple(layer.boxes for layer in layers),
        visible=tuple(
            layer.fact
            for layer in layers
            if layer.fact.certainty == "present" and is_visible(film, layers, layer, shown=shown)
        ),
    )


def toggled_fact(world: PhantomWorld, patient: Patient, study: Study, *, split: str) -> Fact | None:
    """A fact whose coming or going changes one finding and no other; None where there is no such."""
    rng = generator(world, patient.number, study.index, purpose="twin")
    removable = [fact for fact in study.facts if _stands_alone(fact, study) and fact.certainty == "present"]
    if removable:
        return removable[int(rng.integers(len(removable)))]
    names = [name for name in world.findings if name not in ("pneumonia", "support devices")]
    if not names:
        return None
    fact = replace(draw_fact(world, rng, name=names[int(rng.integers(len(names)))], split=split), certainty="present")
    is_new = len(with_fact(study.facts, fact)) > len(study.facts)
    return fact if is_new and _stands_alone(fact, study) else None


def _stands_alone(fact: Fact, study: Study) -> bool:
    is_pneumonia = fact.name == "consolidation" and study.infection_cue
    return fact.name != "support devices" and not is_pneumonia


def toggle(study: Study, fact: Fact) -> Study:
    """The twin: the same study with the fact where it was not, or without it where it was."""
    if fact in study.facts:
        return replace(study, facts=tuple(other for other in study.facts if other != fact))
    return replace(study, facts=(*study.facts, fact))


def encode_png(pixels: Pixels) -> bytes:
    """The film as a grey PNG, lightly compressed: noise does not compress, and speed matters more."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
