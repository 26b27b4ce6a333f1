"""`graftwork dataset …`: versions, and a file of one's own."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.cli import dataset_rows
from controlplane.cli.jobs import Wait, follow
from controlplane.cli.output import refuse, terminal

dataset = typer.Typer(no_args_is_help=True, help="Datasets: immutable versions with splits that do not leak.")


def register(app: typer.Typer) -> None:
    dataset_rows.register(dataset)
    app.add_typer(dataset, name="dataset")


@dataset.command("list")
def list_(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(list(client.list_datasets()), ("name", "newest", "versions"), empty="no datasets")


@dataset.command()
def versions(context: typer.Context, name: str) -> None:
    """Newest first."""
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(list(client.list_dataset_versions(name)), ("version", "id", "rows", "rejected", "created_at"))


@dataset.command()
def get(context: typer.Context, reference: Annotated[str, typer.Argument(help="id, name/3 or name@latest")]) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.get_dataset_version(reference))


@dataset.command("import")
def import_(
    context: typer.Context,
    name: str,
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet on this machine")],
    text: Annotated[str, typer.Option(help="the column with the text")] = "text",
    label: Annotated[str, typer.Option(help="the column with the label")] = "label",
    parent: Annotated[str | None, typer.Option(help="a version whose rows keep their splits: name@latest")] = None,
    test: Annotated[float, typer.Option(help="a fraction below 1, else a count of rows")] = 0.2,
    validation: Annotated[float, typer.Option(help="a fraction below 1, else a count of rows")] = 0.1,
    wait: Wait = True,
) -> None:
    """Curate a file of your own: it is copied into the home folder, from where workers on this machine may read."""
    screen = terminal(context)
    if not file.is_file():
        refuse(f"{file}: no such file")
    folder = screen.settings.data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / file.name
    if copy.resolve() != file.resolve():
        shutil.copyfile(file, copy)
    spec: dict[str, Any] = {
        "dataset": name,
        "sources": [{"uri": copy.as_uri(), "text": text, "label": label}],
        "splits": {"test": test, "validation": validation},
        "parent": parent,
    }
    with screen.client() as client:
        asked = client.request_job("curate", spec)
        if wait:
            follow(screen, client, asked)
        else:
            screen.show(asked)
