"""`python -m tests.support.writing_gateway_process --deployment NAME …`: a gateway that writes without a model."""

import sys

from tests.support.writing_engine import WritingEngine
from workers.serve import __main__ as gateway

if __name__ == "__main__":
    gateway.by_task = lambda artifacts, open_session: lambda metrics: WritingEngine()
    sys.exit(gateway.main(sys.argv[1:]))
