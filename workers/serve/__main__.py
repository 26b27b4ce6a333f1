"""`python -m workers.serve --deployment NAME --port P`: one gateway."""

import sys

import uvicorn
from pydantic import ValidationError
from uvicorn.protocols.http.h11_impl import H11Protocol

from processes.arguments import Arguments
from processes.file_permissions import keep_private
from processes.logs import log_to_stderr
from processes.memory import settle
from processes.slow_clients import allow_many_connections, impatient
from processes.stopping import GATEWAY_DRAIN_SECONDS
from schemas.faults import in_words
from workers.graph.session import GraphSession
from workers.runtime.artifacts import ArtifactStore
from workers.serve.app import create_app
from workers.serve.engines.by_task import by_task
from workers.serve.engines.graph.sessions import OpenSession
from workers.serve.files import GatewayBusy, GatewayFiles
from workers.serve.server import Server
from workers.serve.settings import GatewaySettings


def main(arguments: list[str] | None = None, open_session: OpenSession = GraphSession) -> int:
    keep_private()
    try:
        settings = _settings(arguments)
    except ValidationError as error:
        print("; ".join(map(str, in_words(error, with_values=False))), file=sys.stderr)  # noqa: T201
        return 2
    log_to_stderr(settings.log_level, quiet=("httpx",))  # a line per observed second
    try:
        files = GatewayFiles(settings.home, settings.deployment, settings.name)
    except GatewayBusy as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    try:
        return _serve(settings, open_session, files)
    finally:
        files.close()


def _serve(settings: GatewaySettings, open_session: OpenSession, files: GatewayFiles) -> int:
    artifacts = ArtifactStore(settings.artifacts_root(), settings.home / "cache")
    app = create_app(settings, by_task(artifacts, open_session), files)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws="none",
        http=impatient(H11Protocol),
        access_log=False,
        log_config=None,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
    )
    allow_many_connections()
    settle()
    server = Server(config, GATEWAY_DRAIN_SECONDS, lambda: app.state.gateway.units.close())
    server.run()
    return 0 if server.started else 1


def _settings(arguments: list[str] | None) -> GatewaySettings:
    parser = Arguments(prog="graftwork serve", description="One gateway of a deployment.")
    parser.add_argument("--deployment", required=True, help="its name; it need not have a version to serve yet")
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--host", default="127.0.0.1", help="anything but loopback needs GRAFTWORK_GATEWAY_TOKEN")
    parser.add_argument("--name", default="gateway-1", help="keeps its state under this name in GRAFTWORK_HOME")
    given = parser.parse_args(arguments)
    return GatewaySettings(deployment=given.deployment, name=given.name, host=given.host, port=given.port)


if __name__ == "__main__":
    sys.exit(main())
