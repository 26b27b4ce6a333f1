"""Every mutation by its name."""

from typing import Final

from tests.trials.chaos.mutations.controlplane_mutations import COMMANDS, EVENTS, JOBS
from tests.trials.chaos.mutations.mutation import Mutation
from tests.trials.chaos.mutations.worker_mutations import GATEWAYS, WORKERS

MUTATIONS: Final[dict[str, Mutation]] = {one.name: one for one in (*EVENTS, *JOBS, *COMMANDS, *WORKERS, *GATEWAYS)}
