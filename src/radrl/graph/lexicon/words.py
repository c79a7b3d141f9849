"""Folding of words, so that "atelectases", "air-space" and "Effusions" meet their entries in the lexicon."""

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")

_UPPER_CASE = {"CM": "cardiomegaly"}
"""Abbreviations that mean something else in lower case."""
_IRREGULAR = {
    "b/l": "bilateral",
    "c/w": "cw",
    "h/o": "ho",
    "r/o": "ro",
    "s/p": "sp",
    "w/": "with",
    "w/o": "without",
    "w/out": "without",
    "'t": "not",
    "\u2019t": "not",
    "apices": "apices",
    "apexes": "apices",
    "bases": "bases",
    "atelectases": "atelectasis",
    "bullae": "bulla",
    "diagnoses": "diagnosis",
    "edemas": "edema",
    "hila": "hilum",
    "lungs": "lung",
    "metastases": "metastasis",
    "oedema": "edema",
    "pneumothoraces": "pneumothorax",
    "scolioses": "scoliosis",
    "vertebrae": "vertebra",
}


@lru_cache(maxsize=65536)
def fold_word(word: str) -> str:
    """Lower case and singular: "Opacities" -> "opacity", "masses" -> "mass".

    "Bases" and "apices" stay plural: there is one of each lung, so the plural says which side, namely both.
    """
    word = _UPPER_CASE.get(word) or word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "shes", "ches")):
        return word[:-2]
    return word.removesuffix("s")


def fold(text: str) -> str:
    """Words of a text, folded and joined by single spaces; hyphens and punctuation are dropped.

    >>> fold("Air-space opacities")
    'air space opacity'
    """
    return " ".join(fold_word(word) for word in _WORD.findall(text))
