"""The one strict reader of answers: options, sets, yes or no, numbers, boxes, free text, and judgements of an option.

No substring tests and no first letter that happens to fit: an answer that cannot be read is None, which earns nothing
and is counted, where both seeds guess (CX-Mind reads "The answer is C" as E; CheX-Phi4MM finds "no" in "normal").
"""

from radrl.answers.agreement import agree, num_agreeing
from radrl.answers.changes import Change, read_changes
from radrl.answers.confidence import Confidence, stated_confidence, without_confidence
from radrl.answers.judgement import FAILS, HOLDS, Judgement, read_candidates, read_judgement
from radrl.answers.labels import canonical_label, finding_of, normalise
from radrl.answers.options import LETTERS, OptionTable, option_table
from radrl.answers.quantities import ImageSize, Number, Rectangle, image_size_of, read_boxes, read_number
from radrl.answers.reading import answer_text, canonical_answer, predicted_answer, read_answer, written_answer

__all__ = [
    "FAILS",
    "HOLDS",
    "LETTERS",
    "Change",
    "Confidence",
    "ImageSize",
    "Judgement",
    "Number",
    "OptionTable",
    "Rectangle",
    "agree",
    "answer_text",
    "canonical_answer",
    "canonical_label",
    "finding_of",
    "image_size_of",
    "normalise",
    "num_agreeing",
    "option_table",
    "predicted_answer",
    "read_answer",
    "read_boxes",
    "read_candidates",
    "read_changes",
    "read_judgement",
    "read_number",
    "stated_confidence",
    "without_confidence",
    "written_answer",
]
