"""`graftwork dataset …`: versions, and a file of one's own."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from controlplane.cli.output import FAILED, REFUSED, Terminal, refuse, terminal
from controlplane.cli.progress import Pace, of_job
from controlplane.cli.verbs import dataset_rows
from controlplane.cli.verbs.jobs import show_end
from controlplane.cli.watching import watch
from controlplane.client import Client
from controlplane.client.imports import keep_copy
from schemas.data.operators import Operator, Splits, Truncate, WordCount, pipeline
from schemas.data.rows import RowSchemaName
from schemas.views.jobs import JobView

LongTexts = Literal["keep", "truncate", "reject"]
FIELD: Final = re.compile(r"\bfield (text|label|group|header|format|delimiter|encoding|quote|row_schema)\b")
"""A field of a curation's spec that is an option of `import`."""

dataset = typer.Typer(no_args_is_help=True, help="Datasets: immutable versions with splits that do not leak.")


def register(app: typer.Typer) -> None:
    dataset_rows.register(dataset)
    app.add_typer(dataset, name="dataset")


def _name_rejects(screen: Terminal, client: Client, ended: JobView) -> None:
    """Which verb shows the rows that were left out."""
    if (ended.result or {}).get("rejected") and ended.outputs:
        made = client.get_dataset_version(ended.outputs["dataset"])
        screen.tell(f"rejected rows, with their lines: graftwork dataset rejects {made.dataset}/{made.version}")


def _follow(screen: Terminal, client: Client, asked: JobView, file: Path, uri: str) -> None:
    """To its end; one line and a bad exit unless it succeeds."""
    look = of_job(Pace())
    ended = watch(
        screen,
        lambda seen: client.wait_for_job(asked.id, seen=seen),
        lambda job: look(job.model_copy(update={"reason": None}) if job.phase == "Failed" else job),
    )
    if ended.phase == "Failed":  # told once, in the words of whoever typed the file's name and the options
        # Where attempts are left the worker has said that none of them helps: then it is the file, or an option.
        refuse(_reason(ended, file, uri), REFUSED if ended.failures < ended.max_attempts else FAILED)
    show_end(screen, ended)
    if ended.phase != "Succeeded":
        raise typer.Exit(FAILED)
    _name_rejects(screen, client, ended)


def _reason(ended: JobView, file: Path, uri: str) -> str:
    reason = (ended.reason or "it failed").replace(f"source {uri}", str(file))
    named = FIELD.sub(lambda found: "--" + found[1].replace("_", "-"), reason)
    return named if named.startswith(str(file)) else f"{file}: {named}"


def _kind(path: Path) -> str:
    """What a path names that exists and is no file, in words."""
    return (
        "a folder"
        if path.is_dir()
        else "a pipe: write to a file what comes out of it"
        if path.is_fifo()
        else "a device"
    )


def _operators(max_words: int | None, long_texts: LongTexts, test: float, validation: float) -> list[dict[str, Any]]:
    """The default ones, with these settings."""
    changes: list[Operator] = [Splits(test=test, validation=validation)]
    if max_words is not None:
        changes.append(Truncate(max_words=max_words) if long_texts == "truncate" else WordCount(max_words=max_words))
    return [operator.model_dump(mode="json") for operator in pipeline(*changes)]


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
    row_schema: Annotated[
        RowSchemaName, typer.Option(help="what a row is; prompt_completion and messages are known by their columns")
    ] = "text_label",
    text: Annotated[str, typer.Option(help="the column with the text")] = "text",
    label: Annotated[str, typer.Option(help="the column with the label")] = "label",
    parent: Annotated[str | None, typer.Option(help="a version whose rows keep their splits: name@latest")] = None,
    group: Annotated[str | None, typer.Option(help="a column whose rows of one value stay in one split")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, tsv, jsonl, json or parquet; default: by the ending")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help=r"between two fields, such as ';' or '\t'; default: found out")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="such as utf-16 or windows-1252; default: UTF-8 or found out")
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="around fields; '' where a quote is a character; default: found out")
    ] = None,
    header: Annotated[bool, typer.Option(help="the first line names the columns; without: they are 0, 1, …")] = True,
    max_words: Annotated[
        int | None, typer.Option(min=1, help="from which length on --long-texts says what becomes")
    ] = None,
    long_texts: Annotated[LongTexts, typer.Option(help="what becomes of texts above --max-words")] = "keep",
    test: Annotated[float, typer.Option(help="a fraction below 1, else a count of rows")] = 0.2,
    validation: Annotated[float, typer.Option(help="a fraction below 1, else a count of rows")] = 0.1,
    wait: Annotated[
        bool, typer.Option("--watch/--no-watch", help="follow it to its end; exit 2: the file or an option is wrong")
    ] = True,
) -> None:
    """Curate a file of your own: it is copied into the home folder, from where workers on this machine may read."""
    screen = terminal(context)
    if not file.is_file():
        refuse(f"{file}: expected a file, and it is {_kind(file)}" if file.exists() else f"{file}: no such file")
    if not os.access(file, os.R_OK):
        refuse(f"{file}: it cannot be read")
    if (max_words is None) != (long_texts == "keep"):
        refuse("--max-words: give it with --long-texts truncate or --long-texts reject, and only then")
    operators = _operators(max_words, long_texts, test, validation)
    source = {
        "text": text,
        "label": label,
        "group": group,
        "header": header,
        "format": form,
        "delimiter": "\t" if delimiter == "\\t" else delimiter,
        "encoding": encoding,
        "quote": quote,
    }
    spec: dict[str, Any] = {
        "dataset": name,
        "row_schema": row_schema,
        "sources": [source],
        "operators": operators,
        "parent": parent,
    }
    with screen.client() as client:
        source["uri"] = uri = keep_copy(file, screen.settings.data_folder())
        asked = client.request_job("curate", spec)
        if wait:
            _follow(screen, client, asked, file, uri)
        else:
            screen.show(asked)
