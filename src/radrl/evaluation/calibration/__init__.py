"""Does the model know when it is right? Confidence of an answer, and how it lines up with correctness."""

from radrl.evaluation.calibration.measure import Bin, Calibration, RiskPoint, auroc, calibrate
from radrl.evaluation.calibration.span import span_confidence, tokens_of

__all__ = ["Bin", "Calibration", "RiskPoint", "auroc", "calibrate", "span_confidence", "tokens_of"]
