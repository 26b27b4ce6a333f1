"""Merges model versions of one base and one task into one."""

from schemas.jobs.merge import MergeResult, MergeSource, MergeSpec
from workers.adapters.files import MEDIA_TYPE, Adapter, read_adapter, serialize_adapter
from workers.merge.methods import METHODS
from workers.runtime.context import Context
from workers.runtime.errors import JobError


def handle(spec: MergeSpec, context: Context) -> MergeResult:
    context.stage(f"reading {len(spec.sources)} versions")
    adapters = [_read(source, context) for source in spec.sources]
    change = METHODS[spec.merge_method](
        [adapter.low_rank for adapter in adapters], [source.weight for source in spec.sources]
    )
    identity = spec.identity()
    merged = Adapter(identity, change, adapters[0].head)
    ref = context.artifacts.put_bytes(serialize_adapter(merged), MEDIA_TYPE)
    context.log(f"merged by {spec.merge_method}: r {change.r}, {len(change.factors)} linear layers")
    context.progress(1, 1)
    return MergeResult(model=spec.model, adapter=ref, identity=identity)


def _read(source: MergeSource, context: Context) -> Adapter:
    """The spec compared the references; the files must say the same."""
    ref = source.model_version
    adapter = read_adapter(context.artifacts.fetch(ref.adapter))
    if adapter.identity != ref.identity:
        raise JobError(
            f"the adapter file of {ref.model}/{ref.version} says {adapter.identity!r}, "
            f"its registration says {ref.identity!r}"
        )
    return adapter
