"""The bet of a closed block: made from the blocks before it, and tempered by how much its counts vary."""

from controlplane.domain.analysis.dispersion import Dispersion, dispersion_of
from controlplane.domain.analysis.eprocess import Counts, Forecast, harm_factors, harm_log_e, safe_factor
from controlplane.domain.analysis.state import Block, LabelledShare, MetricState
from schemas.rollouts import CanaryMetric, CanaryPolicy

SHARE_PRIOR = (1.0, 1.0)
"""Beta(a, b) of the forecast share of answers that get a label: nobody knows it before."""
HIGHEST_SHARE = 1 - 1e-4
"""Most answers may well have a label; no metric is forecast to happen so often."""


def block_of(generation: int, seconds: tuple[int, int], windows: list[Counts]) -> Block:
    total = Counts()
    for window in windows:
        total = total.plus(window)
    return Block(generation, *seconds, total, dispersion_of(windows))


def add_block(policy: CanaryPolicy, state: MetricState, block: Block) -> MetricState:
    """The metric with one more closed block. Nothing that the block says of itself but its counts is believed."""
    metric: CanaryMetric = next(one for one in policy.metrics if one.name == state.name)
    counts, rate = block.counts, state.forecast.rate(metric.prior)
    forecast, dispersion = _after(policy, state.forecast, state.dispersion, block)
    phi = dispersion.phi()
    harm = _times(state.harm, harm_factors(counts, rate), phi)
    return state.model_copy(
        update={
            "forecast": forecast,
            "dispersion": dispersion,
            "harm": harm,
            "harm_peak": max(state.harm_peak, harm_log_e(harm)),
            "safe": state.safe + safe_factor(counts, rate, policy.margin_of(metric)) / max(1.0, phi),
            "closed": (*state.closed, block._replace(phi=phi)),
        }
    )


def add_share(policy: CanaryPolicy, state: LabelledShare, block: Block) -> LabelledShare:
    """Both directions at once: nobody knows which arm would lose labels."""
    counts, rate = block.counts, state.forecast.rate(SHARE_PRIOR)
    forecast, dispersion = _after(policy, state.forecast, state.dispersion, block)
    phi = dispersion.phi()
    after = state.model_copy(
        update={
            "forecast": forecast,
            "dispersion": dispersion,
            "more": _times(state.more, harm_factors(counts, rate, HIGHEST_SHARE), phi),
            "fewer": _times(state.fewer, harm_factors(counts.swapped(), rate, HIGHEST_SHARE), phi),
            "closed": (*state.closed, block._replace(phi=phi)),
        }
    )
    return after.model_copy(update={"peak": max(state.peak, after.now())})


def remake(policy: CanaryPolicy, state: MetricState) -> MetricState:
    """The same metric with its evidence made anew from its closed blocks alone."""
    made = MetricState(name=state.name, waiting=state.waiting, steps=state.steps)
    for block in state.closed:
        made = add_block(policy, made, block)
    return made


def remake_share(policy: CanaryPolicy, state: LabelledShare) -> LabelledShare:
    made = LabelledShare()
    for block in state.closed:
        made = add_share(policy, made, block)
    return made


def _after(
    policy: CanaryPolicy, forecast: Forecast, dispersion: Dispersion, block: Block
) -> tuple[Forecast, Dispersion]:
    return forecast.after(block.counts, policy.forgetting), dispersion.plus(block.dispersion)


def _times(logs: tuple[float, ...], factors: tuple[float, ...], phi: float) -> tuple[float, ...]:
    return tuple(log + factor / max(1.0, phi) for log, factor in zip(logs, factors, strict=True))
