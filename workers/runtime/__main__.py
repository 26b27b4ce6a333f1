"""`python -m workers.runtime train evaluate …`: one worker for these kinds of jobs, or for `all`."""

import argparse
import logging
import signal
import socket
import sys
import threading

from processes.arguments import Arguments
from processes.file_permissions import keep_private
from processes.logs import log_to_stderr
from schemas.jobs import JOB_KINDS
from workers.runtime.api import Api, Refused
from workers.runtime.doorbell import open_doorbell
from workers.runtime.settings import WorkerSettings
from workers.runtime.worker import Worker

logger = logging.getLogger("workers.runtime")
ALL = "all"
"""Every kind that there is."""
JOIN_SECONDS = 0.5
LONGEST_NAME = 150
"""Characters. An owner's name, which is a worker's and that of its life, has 200."""


def main() -> int:
    parser = Arguments(prog="graftwork worker", description="One worker for these kinds of jobs.")
    parser.add_argument("kinds", nargs="+", choices=(*JOB_KINDS, ALL), help="kinds of jobs that this worker does")
    parser.add_argument(
        "--name", type=_name, default=socket.gethostname(), help="shown with its jobs; default: the host's name"
    )
    arguments = parser.parse_args()
    kinds = JOB_KINDS if ALL in arguments.kinds else arguments.kinds
    keep_private()
    settings = WorkerSettings()
    log_to_stderr(settings.log_level, quiet=("httpx", "kafka"))
    with Api(settings.api_url, settings.token_value()) as api:
        doorbell = open_doorbell(api, settings, kinds)
        return supervise(Worker(api, doorbell, settings, kinds, arguments.name))


def _name(text: str) -> str:
    if not text.isprintable() or not 0 < len(text) <= LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{text[:20]!r}: expected 1 to {LONGEST_NAME} printable characters")
    return text


def supervise(worker: Worker) -> int:
    """Run the worker in a thread: a signal's handler, which runs in the main one, may then take any lock."""
    status = 0

    def run() -> None:
        nonlocal status
        try:
            worker.run()
        except Refused as refusal:
            status = 1
            logger.error("the control plane refused this worker: %s", refusal)
        except Exception:  # whoever started it starts it again; its job's lease expires
            status = 1
            logger.exception("the worker cannot go on")

    thread = threading.Thread(target=run, name="worker")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    thread.start()
    while thread.is_alive():
        thread.join(JOIN_SECONDS)
    return status


if __name__ == "__main__":
    sys.exit(main())
