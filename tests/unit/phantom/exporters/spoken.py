"""What reports state, found again from their triplets by another way than the exporters'."""

from radrl.phantom.lots import Shown

FINDINGS = (
    "enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "lung lesion", "edema", "consolidation", "pneumonia",
    "atelectasis", "pneumothorax", "pleural effusion", "pleural other", "fracture", "support devices",
)  # fmt: skip


def spoken_labels(film: Shown) -> dict[str, str]:
    """Finding -> present, uncertain or absent, of those that the report speaks of."""
    said = [(t.head, t.certainty) for t in film.report.triplets if t.relation == "located_at"]
    surest = {}
    for certainty in ("absent", "uncertain", "present"):
        surest |= {name: certainty for name, stated in said if stated == certainty and name in FINDINGS}
    return surest


def without_normal(labels: dict[str, str]) -> dict[str, str]:
    return {name: state for name, state in labels.items() if name != "no finding"}
