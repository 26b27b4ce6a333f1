"""Curates: raw rows in, an immutable dataset version out, and every row that was left out with its reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.artifacts import Split
from schemas.data.manifest import DatasetManifest
from schemas.data.operators import Labels, resolved
from schemas.data.rows import ROW_SCHEMAS, RowSchema
from schemas.jobs.curate import CurateResult, CurateSpec
from workers.curate.advice import of_labels, of_rejects, of_splits
from workers.curate.formats.reading import read_records
from workers.curate.operators.operator import Given
from workers.curate.parent import Parent, read_parent
from workers.curate.pipeline import Pipeline
from workers.curate.rejects import Rejects, rejects_in
from workers.curate.rows import Reject, Unreadable, digest_of
from workers.curate.shapes.recognise import recognise
from workers.data.manifest import dataset_digest, write_manifest
from workers.data.parts import write_parts
from workers.data.rows import Place, Row, canonical, rows_digest
from workers.runtime.context import Context
from workers.runtime.errors import JobError

REPORT_EVERY = 10_000
MAX_ROWS = 5_000_000
"""Rows of one source: they are held in memory."""
MAX_LABELS = 100
"""As many as the operator `labels` may name."""


@dataclass
class Curation:
    """What one run has found so far."""

    spec: CurateSpec
    context: Context
    rejects: Rejects
    pipeline: Pipeline
    read: int = 0

    @property
    def steps(self) -> int:
        return len(self.spec.sources) + 2

    @property
    def schema(self) -> RowSchema:
        return ROW_SCHEMAS[self.spec.row_schema]

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that the spec asks for; none: every label that occurs."""
        asked = [operator.labels for operator in self.spec.operators if isinstance(operator, Labels)]
        return tuple(dict.fromkeys(label for labels in asked for label in labels))


def handle(spec: CurateSpec, context: Context) -> CurateResult:
    parent = read_parent(spec.parent, context.artifacts)
    with rejects_in(context.workdir) as rejects:
        run = Curation(spec, context, rejects, Pipeline.of(spec.operators, rejects))
        drawn = [row for index in range(len(spec.sources)) for row in _read_source(run, index)]
        labels = _labels(run, parent, drawn)
        added = _divide(run, drawn, parent, labels)
        context.progress(run.steps - 1, run.steps, "writing")
        return _publish(run, parent, added, labels)


def _read_source(run: Curation, index: int) -> Sequence[Row]:
    source = run.spec.sources[index]
    run.context.stage(f"source {index}: reading")
    path = run.context.sources.fetch(source.uri)
    reader = recognise(path, source, index, run.spec.row_schema)
    of_each_row, of_all_rows = run.pipeline.of_source(index)
    given = Given(run.spec.seed)
    valid: list[Row] = []
    count = 0
    for count, record in enumerate(read_records(path, reader.source), 1):
        row = (
            Reject(Place(index, record.line), None, record.reason, digest_of(record.raw))
            if isinstance(record, Unreadable)
            else reader.row_of(record)
        )
        if isinstance(row, Reject):
            run.rejects.add(row)
        else:
            valid.extend(run.pipeline.run(of_each_row, [row], given))
        if count > MAX_ROWS:
            raise JobError(f"source {source.uri}: it has more than {MAX_ROWS} rows; divide it")
        if count % REPORT_EVERY == 0:
            run.context.progress(index, run.steps, f"source {index}: {count} rows read")
    run.read += count
    drawn = run.pipeline.run(of_all_rows, valid, given)
    run.context.progress(index + 1, run.steps, f"source {index}: {len(drawn)} rows")
    run.context.log(f"source {index}: read {count}, valid {len(valid)}, drawn {len(drawn)}")
    return drawn


def _divide(run: Curation, drawn: Sequence[Row], parent: Parent, labels: Sequence[str]) -> Mapping[Split, list[Row]]:
    if not run.read:
        raise JobError("no row was read: the sources are empty, or hold a header alone")
    given = Given(run.spec.seed, labels, parent.label_of, parent.split_of)
    rows = run.pipeline.run(run.pipeline.of_dataset(), drawn, given)
    if not rows:
        raise JobError(
            f"no row was accepted; rejected: {_in_words(run.rejects.reasons) or 'none'}; {len(drawn)} rows were drawn"
            + "".join(f"; {warning}" for warning in of_rejects(run.rejects.reasons, run.read))
        )
    added: dict[Split, list[Row]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        added[row.split or "train"].append(row)
    return added


def _labels(run: Curation, parent: Parent, drawn: Sequence[Row]) -> tuple[str, ...]:
    """The parent's, in its order (a head's rows are named by it), then new ones; none where rows have no labels."""
    if not run.schema.is_labelled:
        return ()
    new = run.labels or tuple(sorted({row.label for row in drawn if row.label is not None}))
    labels = (*parent.labels, *(label for label in new if label not in parent.labels))
    if len(labels) > MAX_LABELS:
        raise JobError(
            f"labels: found {len(labels)} different labels; expected at most {MAX_LABELS}: is it the right column?"
        )
    if drawn and len(labels) < 2:
        raise JobError(f"labels: every accepted row has the label {labels[0]!r}; expected at least two labels")
    return labels


def _publish(
    run: Curation, parent: Parent, added: Mapping[Split, Sequence[Row]], labels: Sequence[str]
) -> CurateResult:
    spec, artifacts, schema = run.spec, run.context.artifacts, run.schema
    rows: dict[Split, list[Row]] = {split: [*parent.rows[split], *added[split]] for split in added}
    _check_train(rows["train"], labels)
    operators = tuple(resolved(spec.operators, spec.seed))
    digest = dataset_digest(rows, schema, labels, operators)
    manifest = DatasetManifest(
        digest=digest,
        row_schema=schema.name,
        columns=schema.stored,
        labels=tuple(labels),
        parts=(*parent.parts, *write_parts(added, schema, artifacts, run.context.workdir)),
        parent=spec.parent.id if spec.parent else None,
        operators=operators,
    )
    rejected = run.rejects.written()
    counts = {str(split): len(rows[split]) for split in rows}
    truncated = run.pipeline.changed["truncate"]
    run.context.log(
        f"{_in_words(counts)} rows; rejected: {_in_words(run.rejects.reasons) or 'none'}; truncated: {truncated}"
    )
    run.context.progress(run.steps, run.steps, f"{_in_words(counts)} rows")
    return CurateResult(
        dataset=spec.dataset,
        row_schema=schema.name,
        manifest=write_manifest(artifacts, manifest),
        digest=digest,
        rows=counts,
        split_digests={split: rows_digest(canonical(row, schema) for row in rows[split]) for split in rows},
        rejected=run.rejects.reasons,
        rejects=artifacts.put_file(rejected, "application/jsonl") if rejected else None,
        truncated=truncated,
        warnings=(*of_rejects(run.rejects.reasons, run.read), *of_splits(rows, labels), *of_labels(rows, run.labels)),
    )


def _check_train(train: Sequence[Row], labels: Sequence[str]) -> None:
    if not train:
        raise JobError("no row is left to train on; give more of them, or lower the sizes in the operator split")
    counts = Counter(row.label for row in train)
    lacking = ", ".join(repr(label) for label in labels if not counts[label])
    if lacking:
        raise JobError(
            f"labels {lacking} have no row left to train on; give more of them, or lower the sizes in the operator "
            "split"
        )


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
