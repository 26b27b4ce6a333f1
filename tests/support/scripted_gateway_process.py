"""`python -m tests.support.scripted_gateway_process --deployment NAME …`: a gateway process without a model."""

import sys

from tests.support.scripted_engine import ScriptedEngine
from workers.serve.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ScriptedEngine))
