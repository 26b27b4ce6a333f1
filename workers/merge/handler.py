"""Merges model versions of one base, feature recipe and frozen head into one."""

from collections.abc import Sequence

from schemas.jobs.merge import MergeResult, MergeSource, MergeSpec
from workers.merge.methods import METHODS
from workers.model.adapter import MEDIA_TYPE, Adapter, AdapterMetadata, head_digest, read_adapter, serialize_adapter
from workers.runtime.context import Context
from workers.runtime.errors import JobError


def handle(spec: MergeSpec, context: Context) -> MergeResult:
    context.stage(f"reading {len(spec.sources)} versions")
    adapters = [read_adapter(context.artifacts.fetch(source.model_version.adapter)) for source in spec.sources]
    for source, adapter in zip(spec.sources, adapters, strict=True):
        _check_is_what_it_claims(source, adapter)
    merged = _merge(spec, adapters)
    ref = context.artifacts.put_bytes(serialize_adapter(merged), MEDIA_TYPE)
    context.log(
        f"merged by {spec.merge_method}: r {merged.metadata.r}, {len(merged.metadata.target_modules)} target modules"
    )
    context.progress(1, 1)
    return MergeResult(
        model=spec.model,
        adapter=ref,
        base_model=spec.sources[0].model_version.base_model,
        base_digest=merged.metadata.base_digest,
        feature_recipe=merged.metadata.feature_recipe,
        target_modules=merged.metadata.target_modules,
        head_digest=head_digest(merged.head, merged.metadata.labels),
        labels=merged.metadata.labels,
        max_length=merged.metadata.max_length,
        r=merged.metadata.r,
    )


def _merge(spec: MergeSpec, adapters: Sequence[Adapter]) -> Adapter:
    factors = METHODS[spec.merge_method](adapters, [source.weight for source in spec.sources])
    # A method answers factors with scaling 1, and alpha / r is 1 when alpha is r.
    r = next((module.a.shape[0] for module in factors.values()), 0)
    first = adapters[0].metadata
    metadata = AdapterMetadata(
        base_digest=first.base_digest,
        feature_recipe=first.feature_recipe,
        r=r,
        lora_alpha=float(r or 1),
        use_rslora=False,
        target_modules=tuple(sorted({name for adapter in adapters for name in adapter.metadata.target_modules})),
        labels=first.labels,
        max_length=max(adapter.metadata.max_length for adapter in adapters),
    )
    return Adapter(metadata, factors, adapters[0].head)


def _check_is_what_it_claims(source: MergeSource, adapter: Adapter) -> None:
    """The spec compared the references; the files must say the same."""
    ref = source.model_version
    found = (
        adapter.metadata.base_digest,
        adapter.metadata.feature_recipe,
        head_digest(adapter.head, adapter.metadata.labels),
    )
    if found != (ref.base_digest, ref.feature_recipe, ref.head_digest):
        raise JobError(
            f"the adapter file of {ref.model}/{ref.version} has base, recipe and head {found}, "
            f"its registration says {(ref.base_digest, ref.feature_recipe, ref.head_digest)}"
        )
