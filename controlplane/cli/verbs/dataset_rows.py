"""`graftwork dataset labels | head | export | rejects`: a version's rows, for who may read the artifact store."""

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from controlplane.cli.output import Terminal, refuse, terminal
from controlplane.cli.verbs.stored_rows import Row, StoredRows, shown
from schemas.artifacts import SPLITS, Split
from schemas.data.manifest import DatasetManifest
from schemas.data.rows import ROW_SCHEMAS

Reference = Annotated[str, typer.Argument(help="id, name/3 or name@latest")]
OneSplit = Annotated[Split | None, typer.Option(help="one split; default: all")]
REJECTED = ("source", "line", "operator", "reason")
FORMATS = (".jsonl", ".csv")


def register(dataset: typer.Typer) -> None:
    for verb in (labels, head, export, rejects):
        dataset.command()(verb)


def labels(context: typer.Context, reference: Reference) -> None:
    """How many rows of each label stand in each split."""
    screen = terminal(context)
    stored, manifest = _version(screen, reference)
    if not ROW_SCHEMAS[manifest.row_schema].is_labelled:
        refuse(f"{reference}: its rows are {manifest.row_schema}, which have no labels")
    counts = Counter((row["label"], row["split"]) for row in stored.rows(manifest, columns=("label",)))
    told = [_label(label, counts) for label in manifest.labels]
    screen.rows(told, ("label", *SPLITS, "rows"), empty="no labels")


def head(
    context: typer.Context,
    reference: Reference,
    split: OneSplit = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="of each split")] = 5,
) -> None:
    """The first rows of each split, texts included: read from the artifact store, which you must have access to."""
    screen = terminal(context)
    stored, manifest = _version(screen, reference)
    first = (islice(stored.rows(manifest, (one,)), rows) for one in _splits(split))
    screen.rows(list(chain.from_iterable(first)), ("split", *shown(manifest)), empty="no rows")


def export(
    context: typer.Context,
    reference: Reference,
    file: Annotated[Path, typer.Argument(help="a new file, .jsonl or .csv; -: JSONL to stdout")],
    split: OneSplit = None,
) -> None:
    """Every row with its split, texts included, to a file of yours alone."""
    screen = terminal(context)
    if str(file) != "-" and file.suffix not in FORMATS:
        refuse(f"{file}: expected a name that ends in {' or '.join(FORMATS)}, or - for JSONL on stdout")
    stored, manifest = _version(screen, reference)
    rows = stored.rows(manifest, _splits(split))
    if str(file) == "-":
        _write_jsonl(sys.stdout, rows)
        return
    with _new(file) as out:
        count = _write_csv(out, rows, shown(manifest)) if file.suffix == ".csv" else _write_jsonl(out, rows)
    screen.show({"file": str(file), "rows": count})


def rejects(
    context: typer.Context,
    reference: Reference,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="how many at most")] = 20,
    reason: Annotated[str | None, typer.Option(help="only those of this reason")] = None,
) -> None:
    """Which rows of the sources were left out: source (0 is the first), line from 1 (row, in Parquet) and reason.

    Without an operator it was no row when it was read.
    """
    screen = terminal(context)
    with screen.client() as client:
        found = client.get_dataset_version(reference)
    if reason is not None and reason not in found.rejected:
        refuse(f"--reason: no row was rejected as {reason!r}; expected one of {', '.join(found.rejected) or 'none'}")
    kept = StoredRows(screen.settings.resolved_artifacts_url()).rejects(found.rejects) if found.rejects else iter(())
    wanted = (row for row in kept if reason in (None, row["reason"]))
    shown = [{name: row[name] for name in REJECTED} for row in islice(wanted, rows)]
    screen.rows(shown, REJECTED, empty="no row was rejected")
    total = found.rejected[reason] if reason else sum(found.rejected.values())
    if len(shown) < total:
        screen.tell(f"{len(shown):,} of {total:,}: -n {total} shows all")


def _version(screen: Terminal, reference: str) -> tuple[StoredRows, DatasetManifest]:
    with screen.client() as client:
        found = client.get_dataset_version(reference)
    stored = StoredRows(screen.settings.resolved_artifacts_url())
    return stored, stored.manifest(found.manifest)


def _label(label: str, counts: Counter[tuple[str | None, str | None]]) -> dict[str, Any]:
    by_split: dict[str, int] = {split: counts[label, split] for split in SPLITS}
    return {"label": label, **by_split, "rows": sum(by_split.values())}


def _splits(split: str | None) -> tuple[str, ...]:
    return (split,) if split else SPLITS


@contextmanager
def _new(file: Path) -> Iterator[IO[str]]:
    """Mode 0600, never over a file that is there, and gone again when what should stand in it cannot be read."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        refuse(f"{file}: it cannot be made: {error.strerror}")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as out:
            yield out
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _write_jsonl(out: IO[str], rows: Iterable[Row]) -> int:
    return sum(out.write(json.dumps(row, ensure_ascii=False) + "\n") > 0 for row in rows)


def _write_csv(out: IO[str], rows: Iterator[Row], columns: Sequence[str]) -> int:
    """A conversation is JSON in its field, as a curation reads it."""
    writer = csv.DictWriter(out, ("split", *columns))
    writer.writeheader()
    return sum(writer.writerow({name: _field(value) for name, value in row.items()}) > 0 for row in rows)


def _field(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
