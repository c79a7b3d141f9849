"""Names of findings as the label space has them, whatever way a text writes them."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from radrl.graph.lexicon.findings import DEVICES, FINDINGS, NO_FINDING, SYNONYMS
from radrl.graph.lexicon.words import fold

END_PUNCTUATION = " \t\r\n.,;:!?。、*_`\"'"
"""What may stand around a word without being part of it."""

_ARTICLES = frozenset({"a", "an", "the"})
_TAG = re.compile("</?(?:think|answer)>")
_VARIATION_SELECTOR = "\ufe0f"
_LONGEST_LABEL = 200
"""Code points; a longer text is no label and stays out of the cache."""

_PLACE_WORDS: Mapping[str, str] = {
    **{word: word for word in ("left", "right", "bilateral", "upper", "mid", "lower", "zone")},
    "middle": "mid",
    "sided": "",
}
"""Words that may stand before a finding's name, and how they are written in a canonical label."""

_SAID_IN_ANSWERS: Mapping[str, tuple[str, ...]] = {
    NO_FINDING: (
        "no acute finding", "no significant finding", "no abnormal finding", "no abnormality detected", "nad",
        "no acute abnormality", "no significant abnormality", "no acute cardiopulmonary abnormality",
        "no acute cardiopulmonary process", "no acute cardiopulmonary disease", "no acute process", "no disease",
        "normal chest", "normal study", "normal chest x ray", "clear lung", "unremarkable", "negative",
        "within normal limits",
    ),
    "cardiomegaly": ("cardiomegally",),
    "pneumonia": ("pna",),
    "pneumothorax": ("pnx",),
    "pleural other": ("pleural abnormality", "other pleural abnormality", "pleural disease"),
}  # fmt: skip
"""Finding -> further forms that name it where they are the whole answer; in a report they may say something else."""

_LABELS: Mapping[str, str] = {
    **SYNONYMS,
    **{fold(form): device for device, forms in DEVICES.items() for form in forms},
    **{fold(form): finding for finding, forms in _SAID_IN_ANSWERS.items() for form in forms},
}
"""Folded surface form -> label. Devices keep their own names: an endotracheal tube is no answer to a chest tube."""


def clean(text: str) -> str:
    """NFKC, without variation selectors behind marks and blanks at the ends."""
    return unicodedata.normalize("NFKC", text).replace(_VARIATION_SELECTOR, "").strip()


def normalise(text: str) -> str:
    """NFKC, lower case, no tags, no articles, no punctuation at the ends of words, single spaces.

    >>> normalise("The  left LUNG.")
    'left lung'
    """
    plain = _TAG.sub(" ", unicodedata.normalize("NFKC", text).lower())
    words = [word for part in plain.split() if (word := part.strip(END_PUNCTUATION))]
    return " ".join(word for i, word in enumerate(words) if word not in _ARTICLES or i == len(words) - 1)


def canonical_label(text: str) -> str:
    """Name of a finding as the label space has it, side and zone kept in front; unknown labels are only normalised.

    >>> canonical_label("Left-sided effusions")
    'left pleural effusion'
    """
    plain = normalise(text)
    return _canonical(plain) if len(plain) <= _LONGEST_LABEL else plain


def finding_of(label: str) -> str | None:
    """The CheXpert finding that a canonical label names, without side and zone; None for anything else.

    >>> finding_of("left upper zone consolidation")
    'consolidation'
    """
    words = label.split()
    while words and words[0] in _PLACE_WORDS:
        words = words[1:]
    name = SYNONYMS.get(fold(" ".join(words))) if len(label) <= _LONGEST_LABEL else None
    return name if name in FINDINGS and name != NO_FINDING else None


@lru_cache(maxsize=65536)
def _canonical(plain: str) -> str:
    words = fold(plain).split()
    for i, word in enumerate(words):
        name = _LABELS.get(" ".join(words[i:]))
        if name is not None:
            return " ".join([*(_PLACE_WORDS[place] for place in words[:i] if _PLACE_WORDS[place]), name])
        if word not in _PLACE_WORDS:
            break
    return plain
