"""Rewards by one name: the recipes of both papers and CX-Mind's ablation arms, as data.

`rewards: cx_mind_closed` stands for the terms of that preset, `rewards: [cx_mind_closed, {name: soft_overlong}]` adds
one, and an entry of a name that the preset has already replaces the preset's.
"""

import difflib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, cast

Term = Mapping[str, object]
"""An entry of `rewards`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A rubric under one name.

    Example: `Preset(rewards=({"name": "answer_f1", "outcome": True},), doc="The answer alone.")`
    """

    rewards: tuple[Term, ...]
    """Entries of `rewards`; exactly one is the declared outcome."""
    doc: str
    """What it pays for, in a sentence."""


_PAID: Final = ["ema", "per_sample", "format"]
"""CX-Mind's gate, and the two conditions without which a wrong or malformed answer would collect the bonus."""


def _cx_mind(*, outcome: str, think: object, steps: object, steps_weight: float) -> tuple[Term, ...]:
    """The four terms that every arm measures; `think` and `steps` are the gates that decide what it pays."""
    return (
        {"name": "format", "weight": 0.1},
        {"name": outcome, "weight": 0.9, "outcome": True},
        {"name": "think_similarity", "weight": 1.0, "gate": think, "kwargs": {"alpha": 0.3}},
        {"name": "step_correctness", "weight": steps_weight, "gate": steps, "kwargs": {"scheme": "all_or_none"}},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """Which of the two process terms an arm pays, in either stage."""

    doc: str
    closed_think: object = "off"
    closed_steps: object = "off"
    open_think: object = "off"
    open_steps: object = "off"


_ARMS: Mapping[str, _Arm] = {
    "final": _Arm(
        doc="thoughts and judgements, both gated", closed_think=_PAID, closed_steps=_PAID, open_think=_PAID,
        open_steps=_PAID,
    ),
    "outcome_only": _Arm(doc="format and answer alone"),
    "think_only": _Arm(doc="thoughts, gated", closed_think=_PAID, open_think=_PAID),
    "mixed_a": _Arm(
        doc="thoughts, gated; judgements in the closed stage only", closed_think=_PAID, closed_steps=_PAID,
        open_think=_PAID,
    ),
    "mixed_b": _Arm(
        doc="thoughts, gated; judgements in the open stage only", closed_think=_PAID, open_think=_PAID,
        open_steps=_PAID,
    ),
    "no_gate": _Arm(doc="thoughts, always; judgements never", closed_think="always", open_think="always"),
    "no_cold_start": _Arm(doc="format and answer alone, from a model that was only instruction-tuned"),
    "plain_cot": _Arm(doc="format and answer alone, from a model warmed up on plain reasoning"),
    "answer_no_gate": _Arm(
        doc="judgements, always; thoughts never. CX-Mind has no such arm", closed_steps="always", open_steps="always"
    ),
}  # fmt: skip


def _arms() -> dict[str, Preset]:
    presets: dict[str, Preset] = {}
    for name, arm in _ARMS.items():
        closed = _cx_mind(outcome="answer_exact", think=arm.closed_think, steps=arm.closed_steps, steps_weight=0.2)
        opened = _cx_mind(outcome="answer_f1", think=arm.open_think, steps=arm.open_steps, steps_weight=0.2)
        presets[f"cx_mind_closed/{name}"] = Preset(rewards=closed, doc=f"Closed stage of CX-Mind's arm: {arm.doc}.")
        presets[f"cx_mind_open/{name}"] = Preset(rewards=opened, doc=f"Open stage of CX-Mind's arm: {arm.doc}.")
    return presets


def _legacy(stage: str, *, outcome: str) -> tuple[Term, ...]:
    return (
        {"name": f"legacy_cx_mind_{stage}_format", "weight": 0.1},
        {"name": f"legacy_cx_mind_{stage}_{outcome}", "weight": 0.9, "outcome": True},
        {"name": f"legacy_cx_mind_{stage}_process", "gate": "ema"},
        {"name": f"legacy_cx_mind_{stage}_reason", "gate": "ema"},
    )


PRESETS: Mapping[str, Preset] = {
    "cx_mind_closed": Preset(
        rewards=_cx_mind(outcome="answer_exact", think=_PAID, steps=_PAID, steps_weight=0.2),
        doc="CX-Mind's closed stage with the paper's constants. Only a right and well-formed answer earns the bonus "
        "for thoughts and judgements, while the batch holds its average.",
    ),
    "cx_mind_open": Preset(
        rewards=_cx_mind(outcome="answer_f1", think=_PAID, steps=_PAID, steps_weight=0.2),
        doc="CX-Mind's open stage with the paper's constants, gated like the closed one.",
    ),
    "cx_mind_closed_code": Preset(
        rewards=_cx_mind(outcome="answer_exact", think=_PAID, steps=_PAID, steps_weight=0.5),
        doc="CX-Mind's closed stage with its code's constants: 0.5 for the judgements.",
    ),
    "cx_mind_open_code": Preset(
        rewards=_cx_mind(outcome="answer_f1", think=_PAID, steps=_PAID, steps_weight=0.2),
        doc="CX-Mind's open stage with its code's constants, which are the paper's.",
    ),
    "chex_phi4mm": Preset(
        rewards=({"name": "answer_f1", "outcome": True}, {"name": "graph_jaccard"}),
        doc="CheX-Phi4MM: the answer and the graph of the reasoning, one to one.",
    ),
    **_arms(),
    "legacy_cx_mind_closed": Preset(
        rewards=_legacy("closed", outcome="acc"), doc="CX-Mind's closed stage by its original rules, faults included."
    ),
    "legacy_cx_mind_open": Preset(
        rewards=_legacy("open", outcome="f1"), doc="CX-Mind's open stage by its original rules, faults included."
    ),
    "legacy_chex_phi4mm": Preset(
        rewards=({"name": "legacy_external_r1v_acc", "outcome": True}, {"name": "legacy_external_kg_jac"}),
        doc="CheX-Phi4MM by its original rules, faults included.",
    ),
}
"""Name -> rubric."""


def expand(entries: Any) -> Any:
    """Entries of `rewards` with every preset's name replaced by its terms; whatever else stays as it is.

    Raises ValueError for a name that is no preset. A later entry of the same name stands for the preset's.

    >>> [term["name"] for term in expand(["chex_phi4mm", {"name": "soft_overlong"}])]
    ['answer_f1', 'graph_jaccard', 'soft_overlong']
    """
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        return entries
    expanded: list[object] = []
    from_presets: dict[str, int] = {}
    for entry in cast("Sequence[object]", entries):
        if isinstance(entry, str):
            for term in _preset(entry).rewards:
                from_presets[str(term["name"])] = len(expanded)
                # Whole copies: what a user sets on top must not reach the preset.
                expanded.append(deepcopy(dict(term)))
            continue
        place = from_presets.pop(_name_of(entry), None)
        if place is None:
            expanded.append(entry)
        else:
            expanded[place] = entry
    return expanded


def expand_within(tree: Any) -> Any:
    """A tree of dicts and lists in which every `rewards` is expanded, so that its terms can be counted."""
    if isinstance(tree, list):
        return [expand_within(each) for each in cast("list[object]", tree)]
    if not isinstance(tree, dict):
        return tree
    return {
        name: expand([value] if isinstance(value, str) and value else value)
        if name == "rewards"
        else expand_within(value)
        for name, value in cast("dict[str, object]", tree).items()
    }


def _preset(name: str) -> Preset:
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(PRESETS)}."
    raise ValueError(f"{name!r} is no preset of rewards; {advice} A single reward is written {{name: ...}}")


def _name_of(entry: object) -> str:
    if isinstance(entry, Mapping):
        return str(cast("Mapping[str, object]", entry).get("name", ""))
    return str(getattr(entry, "name", ""))
