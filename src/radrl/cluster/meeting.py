"""How the ranks of a pool meet."""

import os

from radrl.cluster.places import Place
from radrl.config.schema import Config
from radrl.engines.process_group import Membership, join, take_device

PATIENCE = 2.0
"""An exchange between ranks is given up after so many times the limit of a phase, which is to pass first."""


def meet(place: Place, config: Config) -> None:
    """Form a group with the other ranks. A worker sees its own GPU alone, which is number 0 to it."""
    membership = Membership(
        rank=place.rank,
        num_ranks=place.num_ranks,
        local_rank=0,
        host=place.host,
        port=place.port,
        timeout_s=PATIENCE * config.trainer.phase_timeout_s,
    )
    join(membership, device=take_device(config.trainer.device, local_rank=0))
    # Where vLLM looks for its place in a group that is there already.
    os.environ.update(
        RANK=str(place.rank),
        WORLD_SIZE=str(place.num_ranks),
        LOCAL_RANK="0",
        MASTER_ADDR=place.host,
        MASTER_PORT=str(place.port),
    )
