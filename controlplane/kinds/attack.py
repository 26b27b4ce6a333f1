"""Attack, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.result_claims import Claim, at_most, same
from controlplane.kinds.kind import Kind, Registry
from controlplane.kinds.on_rows import asked, caveats, learnt, measurement
from schemas.jobs.attack import AttackResult, AttackSpec


def _claims(spec: AttackSpec, result: AttackResult, registry: Registry) -> Iterator[Claim]:
    yield from asked(spec, result, "attack_success_rate_at_worst", "accuracy_under_attack", "clean_accuracy")
    worst = measurement(result, "attack_success_rate_at_worst")
    clean, under_attack = measurement(result, "clean_accuracy"), measurement(result, "accuracy_under_attack")
    attacked = result.succeeded + result.failed + result.out_of_budget
    yield at_most("measurements.clean_accuracy.n", clean.n, spec.rows)
    yield learnt(spec, result, clean.n)
    yield same("skipped", result.skipped, clean.n - attacked)
    yield same("success_rate.n", result.success_rate.n, attacked)
    yield same("measurements.attack_success_rate_at_worst.n", worst.n, attacked)
    yield same("measurements.accuracy_under_attack.n", under_attack.n, clean.n)
    for one in (worst, under_attack):
        yield same(f"measurements.{one.metric}.unknown", one.unknown, result.out_of_budget)
    yield at_most("success_rate", result.success_rate.value, worst.value)
    if spec.query_budget is not None:
        yield at_most("mean_queries", result.mean_queries, spec.query_budget)
    if worst.paired is not None:
        yield at_most("measurements.attack_success_rate_at_worst.paired.n", worst.paired.n, attacked)


def _summary(result: AttackResult) -> str:
    worst = measurement(result, "attack_success_rate_at_worst")
    return (
        f"{result.conditions.recipe} on {result.conditions.split}: {result.succeeded} succeeded, "
        f"{result.failed} failed, {result.out_of_budget} out of budget, {result.skipped} skipped; success rate "
        f"{result.success_rate.value:.2f}, at worst {worst.value:.2f} [{worst.low:.2f}, {worst.high:.2f}], "
        f"{result.mean_queries:.0f} queries a row{caveats(result, worst)}"
    )


KIND = Kind(_claims, _summary, unit="rows")
