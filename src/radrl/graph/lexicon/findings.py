"""The 14 CheXpert findings, the words radiologists use for them, and where each one sits.

Names are CheXpert's (Irvin et al. 2019, arXiv 1901.07031), lower case. Surface forms are ours.
"""

from collections.abc import Mapping

from radrl.graph.lexicon.anatomy import MIDLINE_PLACES
from radrl.graph.lexicon.words import fold

NO_FINDING = "no finding"
SUPPORT_DEVICES = "support devices"

_FORMS: Mapping[str, tuple[str, ...]] = {
    NO_FINDING: ("no finding", "no abnormality", "no abnormalities", "none", "normal"),
    "enlarged cardiomediastinum": (
        "enlarged cardiomediastinum", "widened mediastinum", "wide mediastinum", "enlarged mediastinum",
        "mediastinal widening", "widening of the mediastinum", "mediastinal enlargement",
        "enlargement of the mediastinum", "enlarged cardiomediastinal silhouette", "cardiomediastinal enlargement",
        "enlargement of the cardiomediastinal silhouette", "widened cardiomediastinal silhouette",
    ),
    "cardiomegaly": (
        "cardiomegaly", "enlarged heart", "enlarged cardiac silhouette", "enlarged cardiac shadow",
        "enlarged heart size", "cardiac enlargement", "enlargement of the heart",
        "enlargement of the cardiac silhouette", "heart enlargement", "big heart", "large heart",
        "increased heart size", "increased cardiothoracic ratio", "large cardiac silhouette",
    ),
    "lung opacity": (
        "lung opacity", "opacity", "pulmonary opacity", "opacification", "infiltrate", "infiltration",
        "airspace opacity", "air space opacity", "airspace disease", "air space disease", "haziness", "hazy opacity",
        "airspace opacification", "air space opacification", "lung opacification", "pulmonary infiltrate",
        "parenchymal opacity", "reticulation", "interstitial opacity", "interstitial marking",
    ),
    "lung lesion": (
        "lung lesion", "lesion", "nodule", "pulmonary nodule", "lung nodule", "mass", "lung mass", "pulmonary mass",
        "granuloma", "cavitary lesion", "nodular lesion", "nodular opacity", "nodular density", "tumor", "tumour",
        "neoplasm", "metastasis", "cavity", "pulmonary lesion", "mass lesion", "calcified granuloma", "malignancy",
    ),
    "edema": (
        "edema", "pulmonary edema", "interstitial edema", "alveolar edema", "interstitial pulmonary edema",
        "lung edema", "alveolar pulmonary edema", "vascular congestion", "pulmonary vascular congestion",
        "pulmonary congestion", "pulmonary venous congestion", "venous congestion", "congestive heart failure",
        "heart failure", "chf", "cardiac failure", "fluid overload", "volume overload", "kerley b line",
        "kerley line", "pulmonary venous hypertension", "cephalization", "congestive failure",
        "cardiac decompensation",
    ),
    "consolidation": (
        "consolidation", "airspace consolidation", "air space consolidation", "lobar consolidation",
        "lung consolidation", "pulmonary consolidation", "parenchymal consolidation", "consolidative opacity",
        "consolidative change", "air bronchogram", "consolidative process",
    ),
    "pneumonia": (
        "pneumonia", "bronchopneumonia", "lobar pneumonia", "aspiration pneumonia", "pneumonitis", "infection",
        "infectious process", "lung infection", "pulmonary infection", "pneumonic infiltrate", "pneumonic process",
        "infectious infiltrate", "pneumonic consolidation", "chest infection",
    ),
    "atelectasis": (
        "atelectasis", "atelectases", "atelectatic change", "volume loss", "loss of volume", "collapse",
        "lung collapse", "lobar collapse", "linear atelectasis", "plate like atelectasis", "discoid atelectasis",
        "atelectatic opacity", "platelike atelectasis", "subsegmental atelectasis", "atelectatic band",
        "linear atelectatic band",
    ),
    "pneumothorax": (
        "pneumothorax", "pneumothoraces", "hydropneumothorax", "tension pneumothorax", "ptx", "pleural air",
        "air in the pleural space", "visceral pleural line",
    ),
    "pleural effusion": (
        "pleural effusion", "effusion", "pleural fluid", "fluid in the pleural space", "hydrothorax", "hemothorax",
        "haemothorax", "subpulmonic effusion", "subpulmonic fluid", "layering fluid", "blunted costophrenic angle",
        "costophrenic angle blunting", "blunting of the costophrenic angle", "pleural fluid collection",
    ),
    "pleural other": (
        "pleural other", "pleural thickening", "pleural plaque", "pleural scarring", "pleural calcification",
        "thickened pleura", "thickening of the pleura", "apical capping", "apical cap", "calcified pleural plaque",
        "pleural scar", "fibrothorax", "pleural abnormality other than effusion", "plaque",
    ),
    "fracture": (
        "fracture", "rib fracture", "clavicle fracture", "clavicular fracture", "fractured rib", "fractured clavicle",
        "broken rib", "broken clavicle", "acute fracture", "old fracture", "healed fracture", "healing fracture",
        "displaced fracture", "bone fracture",
    ),
    SUPPORT_DEVICES: (
        "support devices", "device", "medical device", "support apparatus", "line and tube", "tube and line",
        "hardware",
    ),
}  # fmt: skip

FINDINGS: tuple[str, ...] = tuple(_FORMS)
"""Canonical names, in CheXpert's order."""

DEVICES: Mapping[str, tuple[str, ...]] = {
    "endotracheal tube": ("endotracheal tube", "et tube", "ett", "endotracheal", "intubation tube"),
    "tracheostomy tube": ("tracheostomy tube", "tracheostomy", "tracheostomy cannula"),
    "enteric tube": (
        "enteric tube", "nasogastric tube", "ng tube", "ngt", "orogastric tube", "og tube", "feeding tube",
        "dobhoff tube", "dobbhoff tube", "gastric tube", "nasoenteric tube", "enteric catheter",
    ),
    "central line": (
        "central line", "central venous line", "central venous catheter", "cvc", "picc", "picc line",
        "venous catheter", "ij catheter", "ij line", "internal jugular catheter", "internal jugular line",
        "subclavian line", "port", "subclavian catheter", "dialysis catheter", "hemodialysis catheter", "port a cath",
        "portacath", "chest port", "swan ganz catheter", "pulmonary artery catheter", "mediport", "central catheter",
        "port catheter",
    ),
    "chest tube": (
        "chest tube", "chest drain", "pleural drain", "pigtail catheter", "thoracostomy tube", "pleural catheter",
        "intercostal drain", "pleurx catheter",
    ),
    "pacemaker": (
        "pacemaker", "pacer", "pacemaker lead", "pacing lead", "icd", "aicd", "defibrillator", "pacing device",
        "cardiac device", "pacemaker generator", "pulse generator", "pacing wire", "dual chamber pacemaker",
    ),
    "sternotomy wires": (
        "sternotomy wire", "sternal wire", "median sternotomy wire", "sternotomy", "cabg clip", "mediastinal clip",
    ),
    "prosthetic valve": ("prosthetic valve", "valve replacement", "valve prosthesis", "prosthetic heart valve"),
    "other device": (
        "catheter", "stent", "surgical clip", "spinal hardware", "intra aortic balloon pump", "iabp",
        "orthopedic hardware", "monitoring lead", "ecg lead", "ekg lead", "drain",
    ),
}  # fmt: skip
"""Device -> surface forms. All are the finding `support devices`; which device it is decides the site."""

_DEVICE_SITES: Mapping[str, str] = {
    "endotracheal tube": "trachea",
    "tracheostomy tube": "trachea",
    "enteric tube": "abdomen",
    "central line": "upper mediastinum",
    "sternotomy wires": "mediastinum",
    "prosthetic valve": "cardiac silhouette",
}
_SIDED_DEVICE_SITES: Mapping[str, str] = {"chest tube": "pleural space", "pacemaker": "clavicle"}

PLEURAL = frozenset({"pleural effusion", "pneumothorax", "pleural other"})
PARENCHYMAL = frozenset({"lung opacity", "lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"})
SIDED = PLEURAL | PARENCHYMAL | {"fracture"}
"""Findings that have a side: a denial without one denies both."""

SYNONYMS: Mapping[str, str] = {
    key: finding
    for finding, forms in (*_FORMS.items(), *((SUPPORT_DEVICES, forms) for forms in DEVICES.values()))
    for form in (*forms, finding)
    for key in (form, fold(form))
}
"""Surface form -> canonical finding. Keys are folded (see `fold`) and, for convenience, as listed."""


def canonical_finding(text: str) -> str | None:
    """Canonical finding of a surface form that carries no side, zone or severity, or None.

    >>> canonical_finding("Pulmonary nodules")
    'lung lesion'
    """
    return SYNONYMS.get(fold(text))


def default_site(finding: str, *, side: str | None = None, zone: str | None = None) -> str | None:
    """Canonical place of a finding, from the side ("left", "right") and zone ("upper zone", "lower", "apex") stated.

    The finding decides what of the two counts: an effusion is in the pleural space wherever in the chest it was seen.
    For a fracture the zone is the bone ("clavicle"; ribs by default). None when there is no site to name, as for a
    device whose site is not stated.

    >>> default_site("consolidation", side="left", zone="upper zone")
    'left upper zone'
    """
    if finding == "cardiomegaly":
        return "cardiac silhouette"
    if finding == "enlarged cardiomediastinum":
        return "mediastinum"
    if finding == NO_FINDING:
        return None
    place = _place(finding, zone)
    return f"{side} {place}" if side and place and place not in MIDLINE_PLACES else place


def device_site(device: str, *, side: str | None = None) -> str | None:
    """Where a device ends by what it is: the trachea for an endotracheal tube, `side`'s pleural space for a chest tube.

    None for a sided device whose side is not stated, and for devices that may be anywhere.
    """
    if device in _SIDED_DEVICE_SITES:
        return f"{side} {_SIDED_DEVICE_SITES[device]}" if side else None
    return _DEVICE_SITES.get(device)


def _place(finding: str, zone: str | None) -> str | None:
    if finding in PLEURAL:
        return "pleural space"
    if zone in ("upper", "mid", "lower"):
        zone = f"{zone} zone"
    if finding == "fracture":
        return zone if zone in ("clavicle", "shoulder", "spine") else "ribs"
    if finding == SUPPORT_DEVICES:
        return zone
    return zone or "lung"
