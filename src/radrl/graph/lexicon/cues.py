"""Words that say whether a finding is there, how severe it is and how it changed.

The scheme is NegEx's (Chapman et al. 2001, J Biomed Inform 34:301) with ConText's termination words; the lists are
ours.
A cue is matched on folded words, longest first, so "cannot exclude" wins over "exclude".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radrl.graph.lexicon.findings import NO_FINDING
from radrl.graph.lexicon.words import fold

SEVERITIES = ("mild", "moderate", "severe")


def _words(*forms: str) -> frozenset[str]:
    return frozenset(fold(form) for form in forms)


def _table(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {fold(form): name for name, forms in table.items() for form in forms}


SEVERITY_WORDS: Mapping[str, str] = _table(
    {
        "mild": (
            "mild", "mildly", "small", "tiny", "trace", "minimal", "minimally", "slight", "slightly", "subtle",
            "minor", "faint", "low grade",
        ),
        "moderate": (
            "moderate", "moderately", "medium", "moderate sized", "moderate size", "medium sized", "mild to moderate",
            "small to moderate", "mildly to moderately",
        ),
        "severe": (
            "severe", "severely", "large", "massive", "marked", "markedly", "extensive", "gross", "substantial",
            "moderate to severe", "moderate to large", "very large", "profound",
        ),
    }
)  # fmt: skip

COURSE_WORDS: Mapping[str, str] = _table(
    {
        "new": ("new", "newly", "interval development of", "developing"),
        "worse": (
            "worse", "worsened", "worsening", "increased", "increasing", "progressed", "enlarging", "progressive",
            "interval increase in", "more extensive", "larger",
        ),
        "better": (
            "better", "improved", "improving", "decreased", "decreasing", "resolving", "smaller",
            "interval decrease in", "interval improvement in", "clearing",
        ),
        "stable": ("stable", "unchanged", "persistent", "persisting", "similar", "constant", "residual", "chronic"),
    }
)  # fmt: skip

NEGATIONS = _words(
    "no", "not", "without", "negative for", "free of", "absence of", "denies", "clear of", "neither", "nor", "never",
    "no evidence of", "nothing to suggest", "fails to show", "excludes", "lack of", "resolution of", "rather than",
    "clearance of", "no longer", "argues against", "argue against", "speaks against", "absent", "nothing",
    "devoid of", "instead of", "removal of", "resolved", "unlikely", "lacks", "cleared of", "none of", "excluded",
    "removed",
)  # fmt: skip
"""Before what they deny; they reach to the end of the clause."""

LATE_NEGATIONS = _words(
    "absent", "resolved", "ruled out", "excluded", "has cleared", "have cleared", "completely resolved", "removed",
    "unlikely", "disappeared", "not there", "not supported", "no longer there", "is negative", "are negative",
    "does not hold", "is false",
)  # fmt: skip
"""After what they deny. A word in both lists looks forward when a finding follows it in its part of the list."""

PERCEIVED = _words(
    "seen", "identified", "present", "visualized", "visualised", "evident", "demonstrated", "apparent", "visible",
    "detected", "found", "noted", "appreciated", "observed", "suspected", "confirmed", "shown", "recognized",
    "discernible", "depicted",
)  # fmt: skip
"""With "not" before them they deny what came before: "an effusion is not seen"."""

CHANGES = _words("change", "increase", "decrease", "progression", "improvement", "worsening", "difference")
"""With "no" before them they deny a change and say nothing against the finding."""

FILLERS = _words(
    "significant", "interval", "appreciable", "substantial", "definite", "short", "term", "major", "relevant",
    "acute", "convincing", "apparent", "overt", "obvious", "visible", "gross", "any", "be", "been", "entirely",
    "completely", "fully", "totally", "clearly", "definitely", "definitively", "confidently", "reliably", "well",
    "really", "readily", "longer", "further", "currently", "now", "great", "much",
)  # fmt: skip
"""Words that may stand inside a two-part cue: "cannot be entirely excluded", "no significant interval change"."""

PSEUDO_NEGATIONS = _words(
    "not only", "not changed", "not significantly changed", "not necessarily", "no doubt", "not increased",
    "not decreased", "not worse", "not substantially changed", "not previously seen", "not seen previously",
    "not seen on prior", "not seen on the prior", "not present previously", "not significantly increased",
    "not previously present",
)  # fmt: skip
"""They deny nothing."""

UNCLAIMED = _words(
    "evaluate for", "assess for", "look for", "looking for", "check for", "search for", "checking for",
    "assessing for", "evaluation for", "whether", "if", "would", "no other", "no additional", "no further",
    "without other", "history of", "searching for", "question is", "asked about", "no new or", "without additional",
    "decide between", "no second",
)  # fmt: skip
"""What follows is asked for, supposed, or qualified ("no other nodule"): neither asserted nor denied."""

DOUBTS = _words(
    "possible", "possibly", "may", "might", "could", "questionable", "suspicious for", "suspected", "probable",
    "probably", "likely", "cannot be certain of", "difficult to exclude", "suspicion of", "suspicion for",
    "concern for", "question of", "rule out", "r o", "not without", "presumed", "presumably", "equivocal",
    "potential", "potentially", "indeterminate", "perhaps", "maybe", "borderline", "differential diagnosis",
    "differential include", "differential", "suspect", "does not exclude", "do not exclude", "consider", "query",
    "unclear", "uncertain", "doubtful", "less likely", "without excluding", "cannot exclude", "cannot rule out",
    "hard to exclude", "hint of", "suggestion of", "impression of", "doubt",
)  # fmt: skip
"""Before what they leave open; double negations are here."""

LATE_DOUBTS = _words(
    "difficult to exclude", "hard to exclude", "possible", "suspected", "questionable", "likely", "probable",
    "questioned", "uncertain", "equivocal", "considered", "less likely", "may be present", "could be present",
    "might be present", "of concern", "not certain", "unclear", "doubtful", "indeterminate", "not sure", "suspicious",
)  # fmt: skip
"""After what they leave open. A word in both lists looks forward when a finding follows it in its part of the list."""

ALTERNATIVES = _words("versus", "vs")
"""Leave open what stands on either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPartCue:
    """A cue with words in between: its last word decides what it means.

    Example: "cannot" ... "excluded" is a doubt about what came before.
    """

    first: frozenset[str]
    last: frozenset[str]
    meaning: Literal["late_negation", "late_doubt", "doubt", "nothing"]


TWO_PART_CUES = (
    TwoPartCue(first=_words("not", "cannot"), last=PERCEIVED, meaning="late_negation"),
    TwoPartCue(first=_words("no"), last=PERCEIVED, meaning="late_negation"),
    TwoPartCue(first=_words("not", "cannot"), last=_words("excluded", "ruled"), meaning="late_doubt"),
    TwoPartCue(first=_words("not", "cannot"), last=_words("exclude", "rule"), meaning="doubt"),
    TwoPartCue(first=_words("no", "without", "not"), last=CHANGES, meaning="nothing"),
)
"""Only `FILLERS` may stand between the parts."""

MAX_FILLERS = 4

SUGGESTIONS: Mapping[str, str] = _table(
    {
        "present": (
            "consistent with", "compatible with", "indicative of", "in keeping with", "representing", "represents",
            "due to", "reflecting", "reflects", "indicating", "indicates", "secondary to", "diagnostic of",
            "represent", "related to",
        ),
        "uncertain": (
            "suggesting", "suggestive of", "suggests", "suggest", "concerning for", "may represent", "worrisome for",
            "could represent", "might represent", "may reflect", "could reflect", "likely representing",
            "may indicate", "likely represents", "likely reflects", "likely reflecting", "likely due to",
            "suspicious of", "suspicious for", "raising concern for", "probably representing",
            "possibly representing", "raises concern for", "could be due to", "may be due to",
            "raising the possibility of", "possibly reflecting", "probably reflecting", "might reflect",
            "could indicate", "likely related to", "favored to represent", "favoring", "raises the possibility of",
            "to suggest", "possibly due to", "probably due to", "may be related to", "presumably due to", "question",
            "probably represents", "possibly represents", "presumably reflecting", "may relate to",
            "most likely representing",
        ),
    }
)  # fmt: skip
"""Finding -> disease, and how sure the disease is when the finding is present."""

HEDGED_NAMES = _words("likely", "probably", "presumably", "perhaps", "most likely", "possibly")
"""After a comma they name what the finding before them may be: "opacity, likely atelectasis"."""

TERMINATORS = _words(
    "but", "however", "although", "though", "except", "except for", "aside from", "other than", "apart from",
    "whereas", "while", "yet", "despite", "besides", "nevertheless", "with", "because", "since", "though there is",
    "with the exception of", "in spite of",
)  # fmt: skip
"""End every scope before them. `with` does: "no effusion with stable cardiomegaly"."""

AUXILIARIES = _words(
    "is", "are", "was", "were", "has", "have", "had", "remains", "remain", "appears", "appear", "shows", "show",
    "demonstrates", "demonstrate", "there is", "there are", "persists", "exists", "becomes", "seems", "looks",
    "contains", "measures", "there", "terminates", "lies", "projects", "ends", "reveals", "obscures", "obscured",
    "overlies", "overlying", "i see", "we see", "has been", "have been", "had been",
)  # fmt: skip
"""A list item that holds one of these is a clause of its own."""

PREPOSITIONS = _words(
    "in", "at", "of", "on", "over", "within", "along", "near", "overlying", "above", "below", "to", "involving",
    "affecting", "into", "throughout", "from", "adjacent to", "projecting over", "overlie", "by", "for", "as",
    "around", "under",
)  # fmt: skip

CONNECTORS = _words("and", "or", "nor", "and or", "as well as", "plus")

IGNORED = _words(
    "bone density", "bony lesion", "osseous lesion", "lytic lesion", "sclerotic lesion", "mass effect",
    "atherosclerotic plaque", "left ventricle", "right ventricle", "left atrium", "right atrium", "left atrial",
    "right atrial", "left ventricular", "right ventricular", "carotid plaque", "pleural line", "right of", "left of",
    "air fluid level", "soft tissue mass", "compared to", "heart rate", "breast mass", "upper limit",
    "subcutaneous edema", "soft tissue edema", "body habitus", "right heart", "left heart", "low lung volume",
    "lung volume", "right greater than left", "left greater than right", "on the other hand", "volume",
    "compared with", "in comparison with",
)  # fmt: skip
"""Phrases whose words would otherwise be read as findings, places or cues."""

HEADINGS_DROPPED = frozenset(
    {
        "history", "indication", "clinical history", "clinical indication", "comparison", "clinical information",
        "reason for exam", "reason for examination", "reason for study", "technique", "clinical data", "prior",
        "procedure", "clinical question", "comparisons", "indications", "examination", "exam", "study",
        "type of examination",
    }
)  # fmt: skip
"""Sections that speak of the patient or of other films, not of this one."""

HEADINGS_KEPT = frozenset(
    {
        "findings", "impression", "conclusion", "opinion", "report", "summary", "interpretation", "finding",
        "impressions", "recommendation", "heart", "lungs", "pleura", "bones", "mediastinum", "lines and tubes",
        "final report", "lines/tubes", "findings and impression", "pleural spaces", "osseous structures",
        "lungs and pleura", "wet read", "notification",
    }
)  # fmt: skip

PREDICATES: Mapping[str, str] = _table(
    {
        "normal": (
            "normal", "unremarkable", "within normal limits", "clear", "intact", "sharp", "normal in size",
            "well preserved", "normally inflated", "top normal", "upper limits of normal",
            "at the upper limits of normal", "normal size", "not abnormal", "well defined", "of normal size", "wnl",
            "normal sized", "clean", "negative", "at the upper limit of normal", "upper normal", "non enlarged",
            "nonenlarged", "within the normal range", "not remarkable", "free", "normal in caliber", "crisp",
            "well seen",
        ),
        "enlarged": (
            "enlarged", "enlargement", "widened", "widening", "big", "prominent", "increased in size", "dilated",
            "wide", "above normal", "broadened", "enlarged in size", "greater than normal", "larger than normal",
        ),
        "quiet": ("nothing acute", "no acute change"),
        "blunted": ("blunted", "blunting", "obscured by fluid", "obliterated", "effaced"),
        "thickened": ("thickened", "thickening", "calcified", "scarring"),
        "congested": ("congested", "engorged", "engorgement", "indistinct", "plethoric", "cephalized", "congestion"),
        "broken": ("fractured", "broken"),
        "opacified": ("opacified", "hazy", "consolidated", "white out", "opaque", "infiltrated"),
        "collapsed": ("collapsed", "atelectatic"),
        "abnormal": (
            "abnormality", "process", "disease", "finding", "pathology", "abnormal", "abnormal finding", "problem",
            "disorder", "acute change",
        ),
    }
)  # fmt: skip
"""Surface form -> what it says of the place it is said of."""

PREDICATE_FINDINGS: Mapping[tuple[str, str], str] = {
    ("cardiac silhouette", "enlarged"): "cardiomegaly",
    ("cardiomediastinum", "enlarged"): "enlarged cardiomediastinum",
    ("mediastinum", "enlarged"): "enlarged cardiomediastinum",
    ("vasculature", "enlarged"): "edema",
    ("vasculature", "congested"): "edema",
    ("costophrenic angle", "blunted"): "pleural effusion",
    ("pleural space", "thickened"): "pleural other",
    ("bones", "broken"): "fracture",
    ("lung", "opacified"): "lung opacity",
    ("lung", "collapsed"): "atelectasis",
}
"""(subject, predicate) -> the finding that the sentence states."""

NORMAL_MEANS: Mapping[str, tuple[str, ...]] = {
    "lung": ("lung opacity",),
    "vasculature": ("edema",),
    "costophrenic angle": ("pleural effusion",),
    "pleural space": ("pleural effusion", "pneumothorax"),
    "cardiac silhouette": ("cardiomegaly",),
    "mediastinum": ("enlarged cardiomediastinum",),
    "cardiomediastinum": ("cardiomegaly", "enlarged cardiomediastinum"),
    "bones": ("fracture",),
    "cardiopulmonary": ("lung opacity", "pleural effusion", "pneumothorax", NO_FINDING),
    "chest": ("lung opacity", "pleural effusion", "pneumothorax", "cardiomegaly", NO_FINDING),
}
"""Subject -> findings that are denied when it is called normal.

The last two speak of the film as a whole: there, what the text says of a finding elsewhere takes precedence.
"""

GENERAL_SUBJECTS = ("chest", "cardiopulmonary")
