"""Why each question was taken, for the file beside the selection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from radrl.config.selection import Policy
from radrl.selection.choose import Eligible, Near
from radrl.selection.mining import Standing
from radrl.selection.pool import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one question was taken.

    Example: `Reason(candidate=..., policy="hard_uniform", role="neighbour", standing=None,
                     near=Near(query="q3", rank=1, distance=0.25))`
    """

    candidate: Candidate
    policy: Policy
    role: Literal["drawn", "hard", "neighbour"]
    """hard: for itself; neighbour: because it is like a hard one; drawn: the policy looks at neither."""
    standing: Standing | None
    """None for a question that the model was not asked."""
    near: Near | None

    @property
    def sentence(self) -> str:
        """The same for a reader: `hard (wrong): 0 of 1 answers right, answer_geometric 0.97`."""
        return "; ".join(part for part in (self._of_itself(), self._of_neighbours()) if part)

    def to_json(self) -> dict[str, object]:
        """As `.why.jsonl` holds it."""
        standing, near = self.standing, self.near
        return {
            "id": self.candidate.id,
            "origin": self.candidate.row.origin,
            "why": self.sentence,
            "policy": self.policy,
            "role": self.role,
            "stratum": self.candidate.stratum,
            "form": self.candidate.form,
            "pools": list(standing.pools) if standing else [],
            "pass_rate": standing.pass_rate if standing else None,
            "num_answers": standing.num_answers if standing else 0,
            "confidence": dict(standing.confidences) if standing else {},
            "neighbour_of": near.query if near else None,
            "rank": near.rank if near else None,
            "distance": near.distance if near else None,
        }

    def _of_itself(self) -> str:
        name = "by chance within its stratum" if self.policy == "uniform" else "by chance"
        head = {
            "drawn": f"hardest of stratum {self.candidate.stratum}" if self.policy == "hardest" else name,
            "hard": f"hard ({', '.join(self.standing.pools)})" if self.standing else "hard",
            "neighbour": "",
        }[self.role]
        if not head or self.standing is None:
            return head
        sure = "".join(f", {measure} {value:.2f}" for measure, value in self.standing.confidences.items())
        answers = f"{self.standing.num_answers} answer{'s' if self.standing.num_answers > 1 else ''}"
        return f"{head}: mean outcome {self.standing.pass_rate:.2f} of {answers}{sure}"

    def _of_neighbours(self) -> str:
        if self.near is None:
            return ""
        return f"neighbour {self.near.rank} of {self.near.query} at distance {self.near.distance:.2f}"


def reasons_for(
    chosen: Sequence[Candidate], eligible: Eligible, standings: dict[str, Standing], *, policy: Policy
) -> list[Reason]:
    """The reason of each chosen question, in order."""
    return [
        Reason(
            candidate=candidate,
            policy=policy,
            role="hard" if candidate.id in eligible.hard else "neighbour" if candidate.id in eligible.near else "drawn",
            standing=standings.get(candidate.id),
            near=eligible.near.get(candidate.id),
        )
        for candidate in chosen
    ]
