"""One split of a world on its way to disk: what an exporter writes in the layout of its data set."""

from dataclasses import dataclass

from radrl.phantom.items import Item, study_id_of
from radrl.phantom.picturing import Picture
from radrl.phantom.report import Report, report_of
from radrl.phantom.scene import Patient, Study
from radrl.phantom.world import PhantomWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A film as it was written, with everything that is known of it.

    Example: `Shown(study_id="p19990000000-s1", patient=Patient(...), study=Study(...), picture=Picture(png=b"..."),
    report=Report(findings="There is cardiomegaly.", ...), prior_id="p19990000000-s0")`
    """

    study_id: str
    """As in the items that show it. A twin's ends in `t`."""
    patient: Patient
    study: Study
    picture: Picture
    """The film's PNG, and where on it the facts lie."""
    report: Report
    prior_id: str | None
    """The same patient's study before this one, whether or not its film is in the lot; None for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One split as it goes to disk.

    Example: `Lot(split="val", items=(Item(...),), films=(Shown(...),), world=PhantomWorld())`
    """

    split: str
    items: tuple[Item, ...]
    films: tuple[Shown, ...]
    """Every film that an item shows, each once, in order of patients and time."""
    world: PhantomWorld


def show(world: PhantomWorld, patient: Patient, picture: Picture, *, study_id: str) -> Shown:
    """A drawn study with its report and the study before it."""
    study = picture.study
    return Shown(
        study_id=study_id,
        patient=patient,
        study=study,
        picture=picture,
        report=report_of(world, patient, study),
        prior_id=study_id_of(patient, study.index - 1) if study.index > 0 else None,
    )
