"""What can be measured on a phantom film, worked out from what it was drawn by."""

from radrl.phantom.anatomy import CARINA_DEPTH, ratio_in_view
from radrl.phantom.layers_devices import endotracheal_depth
from radrl.phantom.layers_heart import WIDER_BY, enlarged_ratio
from radrl.phantom.scene import Fact, Patient, Study


def cardiothoracic_ratio(patient: Patient, study: Study) -> float:
    """Width of the heart's shadow over that of the thorax."""
    view = study.technique.view
    healthy = ratio_in_view(patient.anatomy, view)
    hearts = [fact for fact in study.facts if fact.name == "cardiomegaly"]
    return enlarged_ratio(hearts[0], view=view, healthy=healthy) if hearts else healthy


def upper_mediastinum_ratio(patient: Patient, study: Study) -> float:
    """Width of the mediastinum at the height of the great vessels over that of the thorax."""
    anatomy = patient.anatomy
    wide = [fact for fact in study.facts if fact.name == "enlarged cardiomediastinum"]
    half_width = anatomy.mediastinum_half_width + (WIDER_BY[wide[0].severity] if wide else 0.0)
    return half_width / anatomy.thorax_half_width


def rib_spaces_above_carina(patient: Patient, tube: Fact) -> float:
    """How far above the carina an endotracheal tube ends, in rib spaces of the patient."""
    return (CARINA_DEPTH - endotracheal_depth(tube)) / patient.anatomy.rib_gap
