"""The knobs of a phantom world, checked when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Literal, get_args

from radrl.errors import ConfigError
from radrl.phantom.scene import FINDINGS, HELD_OUT, SIDES, UNSIDED, ZONES, Zone
from radrl.phantom.wording import Style

KINDS: Final = ("presence", "view", "location", "severity", "list", "closed", "choice", "open")
TraceForm = Literal["interleaved", "plain", "answer"]
SPLITS: Final = (
    "train",
    "val",
    "test",
    "ood",
    "ood_phrasing",
    "ood_mirrored",
    "ood_technique",
    "ood_difficulty",
    "ood_crowded",
)
"""Splits are ranges of patient numbers. Those named `ood` show what training never does: the pairs of finding and zone
in HELD_OUT; questions and reports in other words; patients whose organs lie the other way round; films taken in
another way; fainter findings in more noise; and one finding more than any other film holds."""
REPHRASED: Final = "ood_phrasing"
MAX_PATIENTS: Final = 1_000_000
"""Patients a split can hold."""
MORE_KINDS: Final = (
    "difference",
    "progression",
    "report",
    "grounding",
    "box_phrase",
    "abstain",
    "rex_presence",
    "rex_location",
    "rex_negation",
    "rex_differential",
    "rex_geometric",
    "diff_abnormality",
    "diff_presence",
    "diff_location",
    "diff_level",
    "diff_view",
    "diff_type",
    "mimic_anatomy",
    "mimic_presence",
    "mimic_abnormality",
    "mimic_attribute",
    "mimic_plane",
    "mimic_gender",
    "mimic_size",
)
"""Kinds that are asked only where they are named: of two films, of reports, boxes and measures, and in the forms of
ReXVQA (`rex_`), Medical-Diff-VQA (`diff_`) and MIMIC-CXR-VQA (`mimic_`)."""
COMPARING: Final = ("difference", "progression")
"""Kinds that always show two films."""
DEFAULT_KINDS: Final[Mapping[str, float]] = {
    "presence": 0.3,
    "closed": 0.25,
    "open": 0.2,
    "list": 0.1,
    "location": 0.05,
    "severity": 0.05,
    "view": 0.05,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomWorld:
    """Which radiographs a world holds and what is asked about them.

    Example: `PhantomWorld(seed=1, size_px=64, findings=("cardiomegaly", "pneumothorax"), kinds={"presence": 1.0})`
    """

    seed: int = 0
    size_px: int = 128
    """Side of the square image."""
    difficulty: float = 0.2
    """0 (findings stand out) to 1 (findings drown in noise): scales their contrast down and the noise up."""
    findings: tuple[str, ...] = FINDINGS
    """Classes that occur. Whether and on which side they lie is drawn by study."""
    max_findings: int = 3
    """Most facts a study holds."""
    normal_share: float = 0.3
    """Share of first studies with nothing to find."""
    severities: tuple[int, ...] = (1, 2, 3)
    """Severities that occur: 1 mild, 2 moderate, 3 severe."""
    uncertain_share: float = 0.08
    """Share of facts that are drawn faint and only hedged at."""
    ap_share: float = 0.4
    """Share of studies taken AP."""
    max_studies: int = 3
    """Studies a patient has, from 1 to this."""
    variability: float = 1.0
    """0 to 1: how much patients, position and exposure differ."""
    kinds: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_KINDS))
    """Share of each question kind, relative to their sum. Choices (options lettered A to G, each with a look-alike
    among the others) and MORE_KINDS are asked only where they are named."""
    num_options: int = 4
    """Options of a closed question; a choice has four to seven."""
    zoned_options: bool = True
    """Whether closed questions and choices may tell zones apart (`left upper zone consolidation`), not sides alone."""
    questions_per_study: int = 1
    trace: TraceForm = "interleaved"
    """A think/answer pair a judgement, or one pair in all."""
    style: Style = "full"
    """Evidence in sentences, or about five words."""
    under_report: float = 0.0
    """Probability that the author of the reference overlooks a finding, as labels mined from reports do: the same one
    in all its steps and its final answer. The gold answer and graph stay true, and so do references of MORE_KINDS."""
    twins: bool = False
    """Whether each study comes with a twin image in which one fact is toggled, asked the same question."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_names("findings", given=self.findings, known=FINDINGS)
        _check_names("kinds", given=tuple(self.kinds), known=(*KINDS, *MORE_KINDS))
        _check_names("trace", given=(self.trace,), known=get_args(TraceForm))
        _check_names("style", given=(self.style,), known=get_args(Style))
        if "pneumonia" in self.findings and "consolidation" not in self.findings:
            raise ConfigError(
                "findings names pneumonia without consolidation, but here pneumonia is a consolidation in a patient "
                "whose indication speaks of infection. Add consolidation."
            )
        if not set(self.severities) <= {1, 2, 3} or not self.severities:
            raise ConfigError(f"severities is {self.severities}; give one or more of 1 (mild), 2 and 3 (severe).")
        compared = [kind for kind in COMPARING if self.kinds.get(kind, 0) > 0]
        if compared and self.max_studies < 2:
            raise ConfigError(
                f"kinds names {compared[0]}, which compares a film with the one before, but max_studies is "
                f"{self.max_studies}. Give 2 or more, or leave the kind out."
            )
        if min(self.kinds.values()) < 0 or sum(self.kinds.values()) <= 0:
            raise ConfigError(f"kinds is {dict(self.kinds)}; shares must not be negative and need a positive sum.")

    @property
    def has_room_for_more(self) -> bool:
        """Whether a film could hold one finding more than `max_findings`."""
        names = [name for name in self.findings if name != "pneumonia"]
        return sum(1 if name in UNSIDED else len(SIDES) for name in names) > self.max_findings

    @property
    def has_zones_held_out(self) -> bool:
        """Whether this world has any pair that its `ood` split could show for the first time."""
        return any(name in self.findings for name, _ in HELD_OUT)


def allowed_zones(name: str, *, split: str) -> tuple[Zone, ...]:
    """Zones in which the split may show the finding."""
    if split == "ood":
        return ZONES
    return tuple(zone for zone in ZONES if (name, zone) not in HELD_OUT)


def _check_numbers(world: PhantomWorld) -> None:
    for name in ("difficulty", "normal_share", "uncertain_share", "ap_share", "variability", "under_report"):
        value = getattr(world, name)
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}; it must lie between 0 and 1.")
    lowest = {
        "seed": 0,
        "size_px": 32,
        "max_findings": 1,
        "max_studies": 1,
        "num_options": 2,
        "questions_per_study": 1,
    }
    for name, low in lowest.items():
        if getattr(world, name) < low:
            raise ConfigError(f"{name} is {getattr(world, name)}; it must be at least {low}.")


def _check_names(knob: str, *, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given:
        raise ConfigError(f"{knob} is empty; name one or more of {', '.join(known)}.")
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
            raise ConfigError(f"{name!r} in {knob} is not known. {hint}")
