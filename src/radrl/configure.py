"""`radrl config`: what a command would run with, and where each value came from."""

import logging
import sys
from collections.abc import Sequence

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.show import show

log = logging.getLogger(__name__)


def show_from(args: Sequence[str]) -> None:
    """Print the resolved tree, then complain of what would keep it from running. Files are not looked for."""
    loaded = load_config(Config, args)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    sys.stdout.write(show(loaded))
    check(loaded.config, paths=False, origins=loaded.origins)
