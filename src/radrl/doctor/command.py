"""`radrl doctor`: a table of what a run needs, and exit code 1 where something is missing."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from radrl.config.check import check
from radrl.config.load import Loaded, load_config
from radrl.config.schema import Config
from radrl.doctor.findings import Finding
from radrl.doctor.inputs import model_findings, reward_findings, source_findings
from radrl.doctor.machine import look_around, machine_findings
from radrl.doctor.packages import extra_findings, version_findings
from radrl.errors import CheckFailed, ConfigError
from radrl.train import run_folder

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


def doctor_from(args: Sequence[str]) -> None:
    """Look at the run that `config=FILE` and `key=value` arguments describe; nothing is downloaded.

    Raises CheckFailed when something is missing.
    """
    findings = examine(load_config(Config, args))
    Console().print(table_of(findings))
    missing = [finding for finding in findings if finding.status == "missing"]
    if missing:
        named = ", ".join(finding.what for finding in missing)
        raise CheckFailed(f"{len(missing)} of {len(findings)} things that the run needs are missing: {named}")


def examine(loaded: Loaded[Config]) -> list[Finding]:
    """Everything the doctor finds, in the order in which a run would come upon it."""
    config = loaded.config
    folder = run_folder(config)
    return [
        *version_findings(),
        *extra_findings(config),
        *_setting_findings(loaded),
        *source_findings(config),
        *model_findings(config),
        *reward_findings(config),
        *machine_findings(config, look_around(folder), folder=folder),
    ]


def table_of(findings: Sequence[Finding]) -> Table:
    """The findings as a table."""
    table = Table(box=box.SIMPLE, title="what the run needs", title_justify="left")
    table.add_column("")
    for title in ("needed", "found", "how to get it"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        table.add_row(_MARKS[finding.status], escape(finding.what), escape(finding.found), escape(finding.advice))
    return table


def _setting_findings(loaded: Loaded[Config]) -> Iterator[Finding]:
    try:
        check(loaded.config, paths=True, origins=loaded.origins)
    except ConfigError as error:
        for problem in str(error).splitlines():
            yield Finding(what="settings that go together", status="missing", found=problem, advice="see there")
    else:
        yield Finding(what="settings that go together", status="ok", found="they do")
