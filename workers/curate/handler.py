"""Curates: raw rows in, an immutable dataset version out, and every row that was left out with its reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.artifacts import DatasetManifest, Split
from schemas.jobs.curate import CurateResult, CurateSpec
from workers.curate.advice import of_labels, of_rejects, of_splits
from workers.curate.formats.reading import read_records
from workers.curate.manifest import COLUMNS, dataset_digest, write_parts
from workers.curate.operators.deduplicate import deduplicate
from workers.curate.operators.draw import draw
from workers.curate.operators.split import divide, join
from workers.curate.operators.validity import Validity
from workers.curate.parent import Parent, read_parent
from workers.curate.rejects import Rejects, rejects_in
from workers.curate.rows import Place, Reject, Row, Unreadable, digest_of
from workers.model.dataset import rows_digest
from workers.runtime.context import Context
from workers.runtime.errors import JobError

REPORT_EVERY = 10_000
MAX_ROWS = 5_000_000
"""Rows of one source: they are held in memory."""
MAX_LABELS = 100
"""As many as `CurateSpec.labels` may name."""


@dataclass
class Curation:
    """What one run has found so far."""

    spec: CurateSpec
    context: Context
    rejects: Rejects
    read: int = 0
    truncated: int = 0

    @property
    def steps(self) -> int:
        return len(self.spec.sources) + 2


def handle(spec: CurateSpec, context: Context) -> CurateResult:
    _check(spec)
    parent = read_parent(spec.parent, context.artifacts)
    with rejects_in(context.workdir) as rejects:
        run = Curation(spec, context, rejects)
        drawn = [row for index in range(len(spec.sources)) for row in _draw_source(run, index)]
        labels = _labels(spec, parent, drawn)
        added = _divide(run, drawn, parent, labels)
        context.progress(run.steps - 1, run.steps, "writing")
        return _publish(run, parent, added, labels)


def _check(spec: CurateSpec) -> None:
    for index, source in enumerate(spec.sources):
        if source.label_thresholds is None:
            continue
        low, high = source.label_thresholds
        if len(spec.labels) != 2 or low > high:
            raise JobError(
                f"sources[{index}].label_thresholds ({low:g}, {high:g}) needs low <= high and two labels; "
                f"labels has {len(spec.labels)}"
            )
    if len(set(spec.labels)) != len(spec.labels):
        raise JobError(f"labels {', '.join(spec.labels)}: one is named twice")


def _draw_source(run: Curation, index: int) -> list[Row]:
    source = run.spec.sources[index]
    run.context.stage(f"source {index}: reading")
    path = run.context.sources.fetch(source.uri)
    validity = Validity.of(run.spec, index)
    valid: list[Row] = []
    count = 0
    for count, record in enumerate(read_records(path, source), 1):
        row = (
            Reject(Place(index, record.line), record.reason, digest_of(record.raw))
            if isinstance(record, Unreadable)
            else validity.row(record)
        )
        if isinstance(row, Row):
            valid.append(row)
        else:
            run.rejects.add(row)
        if count > MAX_ROWS:
            raise JobError(f"source {source.uri}: it has more than {MAX_ROWS} rows; divide it")
        if count % REPORT_EVERY == 0:
            run.context.progress(index, run.steps, f"source {index}: {count} rows read")
    run.read += count
    run.truncated += validity.truncated
    kept, rejects = deduplicate(valid)
    run.rejects.extend(rejects)
    drawn = draw(kept, run.spec.seed, source.offset, source.limit)
    run.context.progress(index + 1, run.steps, f"source {index}: {len(drawn)} rows")
    run.context.log(f"source {index}: read {count}, valid {len(valid)}, distinct {len(kept)}, drawn {len(drawn)}")
    return drawn


def _divide(run: Curation, drawn: Sequence[Row], parent: Parent, labels: Sequence[str]) -> Mapping[Split, list[Row]]:
    distinct, repeated = deduplicate(drawn, parent.label_of)
    free, bound, held_out = join(distinct, parent.split_of)
    run.rejects.extend([*repeated, *held_out])
    if not run.read:
        raise JobError("no row was read: the sources are empty, or hold a header alone")
    if not distinct or not (free or bound):
        raise JobError(
            f"no row was accepted; rejected: {_in_words(run.rejects.reasons) or 'none'}; {len(drawn)} rows were drawn"
            + "".join(f"; {warning}" for warning in of_rejects(run.rejects.reasons, run.read))
        )
    # A split that the parent has is not filled up: its rows are what every version is measured on.
    splits = run.spec.splits.model_copy(update={name: 0.0 for name in ("validation", "test") if parent.rows[name]})
    division = divide(free, splits, labels, run.spec.seed)
    run.rejects.extend(division.rejects)
    division.rows["train"].extend(bound)
    return division.rows


def _labels(spec: CurateSpec, parent: Parent, drawn: Sequence[Row]) -> tuple[str, ...]:
    """The parent's, in its order (a head's rows are named by it), then new ones."""
    new = spec.labels or tuple(sorted({row.label for row in drawn}))
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
    spec, artifacts = run.spec, run.context.artifacts
    rows: dict[Split, list[Row]] = {split: [*parent.rows[split], *added[split]] for split in added}
    _check_train(rows["train"], labels)
    digest = dataset_digest(rows, labels, spec)
    manifest = DatasetManifest(
        digest=digest,
        columns=dict(COLUMNS),
        labels=tuple(labels),
        parts=(*parent.parts, *write_parts(added, artifacts, run.context.workdir)),
        parent=spec.parent.id if spec.parent else None,
        operators=_operators(spec),
    )
    rejected = run.rejects.written()
    counts = {str(split): len(rows[split]) for split in rows}
    run.context.log(
        f"{_in_words(counts)} rows; rejected: {_in_words(run.rejects.reasons) or 'none'}; truncated: {run.truncated}"
    )
    run.context.progress(run.steps, run.steps, f"{_in_words(counts)} rows")
    return CurateResult(
        dataset=spec.dataset,
        manifest=artifacts.put_bytes(manifest.model_dump_json().encode(), "application/json"),
        digest=digest,
        rows=counts,
        split_digests={split: rows_digest((row.text, row.label) for row in rows[split]) for split in rows},
        rejected=run.rejects.reasons,
        rejects=artifacts.put_file(rejected, "application/jsonl") if rejected else None,
        truncated=run.truncated,
        warnings=(*of_rejects(run.rejects.reasons, run.read), *of_splits(rows, labels), *of_labels(rows, spec.labels)),
    )


def _check_train(train: Sequence[Row], labels: Sequence[str]) -> None:
    counts = Counter(row.label for row in train)
    lacking = ", ".join(repr(label) for label in labels if not counts[label])
    if lacking:
        raise JobError(
            f"labels {lacking} have no row left to train on; give more of them, or lower the sizes in splits"
        )


def _operators(spec: CurateSpec) -> tuple[str, ...]:
    splits = spec.splits
    return (
        f"valid: {spec.min_words} words or more, {_long(spec)}, labels {', '.join(spec.labels) or 'as found'}",
        "deduplicate: equal by NFKC, case-folding, without sentence marks, invisible characters and runs of space; "
        "none of those whose labels differ",
        *(
            f"draw: source {index}, seed {spec.seed}, offset {source.offset}, limit {source.limit or 'none'}"
            for index, source in enumerate(spec.sources)
        ),
        f"split: seed {spec.seed}, validation {splits.validation:g}, test {splits.test:g}, "
        f"{'balanced' if splits.balanced else 'as drawn'}, by group, the parent's rows stay",
    )


def _long(spec: CurateSpec) -> str:
    return "of any length" if spec.max_words is None else f"above {spec.max_words}: {spec.long_texts}"


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
