"""The same questions in words that training never uses."""

from dataclasses import replace

from radrl.phantom.questions import Question
from radrl.phantom.wording import with_article


def rephrased(question: Question) -> Question:
    """The question with another text; what is asked, its options and its indication stay.

    >>> rephrased(presence_question(world, study, Subject(name="edema"))).text
    'Does this film show edema? Answer yes or no.'
    """
    indication, mark, _ = question.text.rpartition("Indication: ")[2].partition(". ")
    preamble = f"Indication: {indication}. " if mark and question.text.startswith("Indication: ") else ""
    return replace(question, text=preamble + _unseen(question))


def _unseen(question: Question) -> str:
    options = question.options
    match question.kind:
        case "presence":
            subject = question.subjects[0]
            devices = "any support devices" if subject.name == "support devices" else None
            return f"Does this film show {devices or with_article(subject.label, subject.name)}? Answer yes or no."
        case "view":
            return f"Name the projection, {options[0]} or {options[1]}."
        case "location":
            assert question.about is not None
            return f"Say in which of these places the {question.about.name} lies: {'; '.join(options)}."
        case "severity":
            assert question.about is not None
            return f"Grade the {question.about.label} as one of {'; '.join(options)}."
        case "closed":
            return f"A single one of the following can be made out: {'; '.join(options)}. Say which."
        case "choice":
            return f"One of these can be made out; give its letter. {' '.join(options)}"
        case "list":
            return "Write down everything that is not normal, each with its side."
        case _:
            return "Go through the possible abnormalities one after the other, then say which of them the film shows."
