"""`graftwork predict` and `graftwork feedback`."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.cli.output import Terminal, refuse, terminal
from controlplane.client.gateway import Gateway
from schemas.views.predictions import PredictAnswer

IN_ONE_REQUEST = 32
GATEWAY_TOKEN = "GRAFTWORK_GATEWAY_TOKEN"


def register(app: typer.Typer) -> None:
    app.command()(predict)
    app.command()(feedback)


def predict(
    context: typer.Context,
    deployment: Annotated[str, typer.Argument(help="whose gateway is asked")],
    text: Annotated[str | None, typer.Argument(help="default: each line of stdin")] = None,
    file: Annotated[Path | None, typer.Option(help="each line of a file")] = None,
    session: Annotated[str | None, typer.Option(help="a session's key: it stays on one version within a step")] = None,
    gateway: Annotated[str | None, typer.Option(help="its address; default: as `graftwork up` started it")] = None,
) -> None:
    """Label, scores, version and prediction id of a text, or of each line."""
    screen = terminal(context)
    asked = Gateway(gateway or address_of(screen, deployment), os.environ.get(GATEWAY_TOKEN) or None)
    rows = [row for batch in batches(text, file) for row in rows_of(asked.predict(batch, session_key=session))]
    screen.rows(rows, ("label", "scores", "version", "variant", "prediction_id"))


def feedback(
    context: typer.Context,
    prediction_id: Annotated[str, typer.Argument(help="as the gateway gave it with the answer")],
    label: Annotated[str | None, typer.Argument(help="of a generated text: good or bad")] = None,
    reference: Annotated[Path | None, typer.Option(help="a file with the text that would have been right")] = None,
) -> None:
    """The true label of one answer; it counts while the answer's rollout is under way."""
    screen = terminal(context)
    if (label is None) == (reference is None):
        refuse("give a label or --reference, exactly one of them")
    with screen.client() as client:
        answer = client.give_feedback(prediction_id, label, reference=_read(reference) if reference else None)
    if screen.as_json:
        screen.print_json(answer)
    else:
        screen.write("counted" if answer.counted else "kept, and not counted: its rollout is over, or it had none")


def address_of(screen: Terminal, deployment: str) -> str:
    """From the file that `graftwork up` writes; exit 2 when there is none of this deployment."""
    with screen.client() as client:
        client.get_deployment(deployment)  # a name that nothing has is refused by the API, not for want of a file
    file = screen.settings.home / "gateways.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
    if deployment not in known:
        refuse(f"{file} names no gateway of {deployment!r}: give its address with --gateway http://host:port")
    return known[deployment]


def batches(text: str | None, file: Path | None) -> Iterator[list[str]]:
    """The texts, so many as one request may ask."""
    if text is not None and file is not None:
        refuse("give a text or --file, not both")
    if text is not None and not text.strip():
        refuse(f"expected a text, got {text!r}")
    lines = [text] if text is not None else [line for line in _read(file).splitlines() if line.strip()]
    if not lines:
        refuse("nothing to ask: every line is empty")
    for start in range(0, len(lines), IN_ONE_REQUEST):
        yield lines[start : start + IN_ONE_REQUEST]


def rows_of(answer: PredictAnswer) -> Iterator[dict[str, Any]]:
    for one in answer.predictions:
        version = f"{answer.model}/{answer.version}"
        yield {**one.model_dump(), "version": version, "variant": answer.variant, "rollout_id": answer.rollout_id}


def _read(file: Path | None) -> str:
    try:
        return sys.stdin.read() if file is None else file.read_text()
    except UnicodeDecodeError:
        refuse(f"{file or 'stdin'}: expected text in UTF-8")
