"""Counterfactual twins: two questions about the same study, one fact of which differs between their images."""

from collections.abc import Sequence

from radrl.types import Prompt


def pair_twins(prompts: Sequence[Prompt]) -> list[tuple[Prompt, ...]]:
    """Put every prompt together with its twin, where that is among the prompts; the others stay alone.

    It is enough that one of the two names the other. A prompt is in one pair at most: the earlier claim stands.

    >>> [[prompt.sample.id for prompt in unit] for unit in pair_twins([a, b, a_twin])]
    [['a', 'a-t'], ['b']]
    """
    by_id = {prompt.sample.id: prompt for prompt in prompts}
    partner: dict[str, str] = {}
    for prompt in prompts:
        one, other = prompt.sample.id, prompt.sample.twin_id
        if other is None or other == one or other not in by_id or one in partner or other in partner:
            continue
        partner |= {one: other, other: one}
    units: list[tuple[Prompt, ...]] = []
    done: set[str] = set()
    for prompt in prompts:
        if prompt.sample.id in done:
            continue
        twin = partner.get(prompt.sample.id)
        unit = (prompt,) if twin is None else (prompt, by_id[twin])
        units.append(unit)
        done.update(member.sample.id for member in unit)
    return units
