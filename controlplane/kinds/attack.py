"""Attack, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.claims import Claim, at_most, same
from controlplane.kinds.kind import Kind, Registry
from controlplane.kinds.on_rows import asked, caveats, learnt
from schemas.jobs.attack import AttackResult, AttackSpec


def _claims(spec: AttackSpec, result: AttackResult, registry: Registry) -> Iterator[Claim]:
    yield from asked(spec, result)
    for field in ("recipe", "queries_per_word", "query_budget", "seed"):
        yield same(field, getattr(result, field), getattr(spec, field))
    attacked = result.succeeded + result.failed + result.out_of_budget
    yield at_most("clean_accuracy.n", result.clean_accuracy.n, spec.rows)
    yield learnt(spec, result, result.clean_accuracy.n)
    yield same("skipped", result.skipped, result.clean_accuracy.n - attacked)
    yield same("success_rate.n", result.success_rate.n, attacked)
    yield same("worst_success_rate.n", result.worst_success_rate.n, attacked)
    yield same("accuracy_under_attack.n", result.accuracy_under_attack.n, result.clean_accuracy.n)
    yield at_most("success_rate", result.success_rate.value, result.worst_success_rate.value)
    if spec.query_budget is not None:
        yield at_most("mean_queries", result.mean_queries, spec.query_budget)
    if result.paired is not None:
        yield at_most("paired.n", result.paired.n, attacked)


def _summary(result: AttackResult) -> str:
    worst = result.worst_success_rate
    return (
        f"{result.recipe} on {result.split}: {result.succeeded} succeeded, {result.failed} failed, "
        f"{result.out_of_budget} out of budget, {result.skipped} skipped; success rate "
        f"{result.success_rate.value:.2f}, at worst {worst.value:.2f} [{worst.low:.2f}, {worst.high:.2f}], "
        f"{result.mean_queries:.0f} queries a row{caveats(result)}"
    )


KIND = Kind(_claims, _summary, unit="rows")
