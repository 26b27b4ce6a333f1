"""The closed table of imagined worlds: every row of the specification's section 8, and what may go wrong besides."""

from dataclasses import replace
from functools import partial
from typing import Final

from controlplane.simulation.drifts import (
    climbing,
    creeping,
    daily,
    incident,
    step_change,
    swinging,
    with_load,
)
from controlplane.simulation.scenario import Adapt, Bound, LabelChances, Late, Outage, Scenario
from schemas.rollouts import AbandonedMetric, CanaryPolicy
from schemas.serving import CanaryMetricName

ERROR: Final[frozenset[CanaryMetricName]] = frozenset({"error"})
WRONG: Final[frozenset[CanaryMetricName]] = frozenset({"wrong"})
HOUR: Final = 3600


def errors_alone(policy: CanaryPolicy) -> CanaryPolicy:
    return policy.model_copy(update={"metrics": tuple(one for one in policy.metrics if one.name == "error")})


def by_session(policy: CanaryPolicy) -> CanaryPolicy:
    return errors_alone(policy).model_copy(update={"randomize": "session"})


def by_request(policy: CanaryPolicy) -> CanaryPolicy:
    return errors_alone(policy).model_copy(update={"randomize": "request"})


def sessions_with_labels(policy: CanaryPolicy) -> CanaryPolicy:
    return policy.model_copy(update={"randomize": "session"})


def waiting(seconds: float) -> Adapt:
    """A policy whose owner has looked how late labels come."""
    return partial(_with, "label_wait_seconds", seconds)


def noisy(share: float) -> Adapt:
    return partial(_with, "label_noise", share)


def _with(name: str, value: float, policy: CanaryPolicy) -> CanaryPolicy:
    return policy.model_copy(update={name: value})


def watching_hang_ups(policy: CanaryPolicy) -> CanaryPolicy:
    """A policy whose owner has said how many more callers may be driven away."""
    others = (one for one in policy.metrics if one.name != "abandoned")
    return policy.model_copy(update={"metrics": (*others, AbandonedMetric(name="abandoned", margin=0.01))})


def blind_to_hang_ups(policy: CanaryPolicy) -> CanaryPolicy:
    return policy.model_copy(update={"metrics": tuple(one for one in policy.metrics if one.name != "abandoned")})


def flat_tenth(policy: CanaryPolicy) -> CanaryPolicy:
    """One metric at 10 % for ever."""
    return errors_alone(policy).model_copy(update={"steps": (0.1, 0.5), "step_seconds": 1e9})


EQUAL: Final = Scenario(name="equal", description="the canary is the stable version under another name", kind="healthy")
BAD_ERRORS: Final = Scenario(
    name="errors-1-to-5", description="errors rise from 1 % to 5 %", kind="harm", error=(0.01, 0.05), needs=ERROR
)
BY_USERS: Final = replace(
    EQUAL, name="users-by-session", description="2,000 users of whom 1 % always fail, drawn by session (cut at 15 min)",
    users=2000, failing_users=0.01, error=(0.0, 0.0), adapt=by_session, fold_seconds=10, seconds=900,
    needs=ERROR,
)  # fmt: skip

HEALTHY: Final = (
    EQUAL,
    replace(EQUAL, name="equal-few-labels", description="equal; 20 % of the answers get a label",
            labels=LabelChances(0.2, 0.2, 0.2, 0.2), needs=WRONG),
    replace(EQUAL, name="equal-climbing", description="equal; errors climb 1 to 3 %, wrong 18 to 30 % in 10 min",
            error_drift=climbing(0.03), wrong_drift=climbing(0.30)),
    replace(EQUAL, name="equal-falling", description="equal; errors fall from 4 to 1 % in 10 min",
            error=(0.04, 0.04), error_drift=climbing(0.01)),
    replace(EQUAL, name="equal-swinging", description="equal; both rates swing by 80 % every 5 min",
            error_drift=swinging, wrong_drift=swinging),
    replace(EQUAL, name="equal-incident", description="equal; a shared incident makes errors fourfold for 100 s",
            error_drift=incident),
    replace(EQUAL, name="equal-step", description="equal; from second 90 on errors are threefold for both",
            error_drift=step_change),
    replace(EQUAL, name="equal-daily", description="equal; traffic and errors follow a day that lasts an hour",
            traffic=daily, error_drift=with_load),
    replace(EQUAL, name="equal-1rps", description="equal at 1 request/s (cut at 3 h)",
            requests_per_second=1, seconds=3 * HOUR, fold_seconds=10),
    replace(EQUAL, name="equal-5rps", description="equal at 5 requests/s (cut at 2 h)",
            requests_per_second=5, seconds=2 * HOUR),
    replace(EQUAL, name="equal-2000rps", description="equal at 2,000 requests/s, labels on 1 %",
            requests_per_second=2000, labels=LabelChances(0.01, 0.01, 0.01, 0.01)),
    replace(EQUAL, name="wrong-better", description="3 points fewer wrong answers", wrong=(0.18, 0.15), needs=WRONG),
    replace(EQUAL, name="equal-late-labels", description="equal; labels come 5 min late (exponential)",
            label_delay=300.0, needs=WRONG),
    replace(EQUAL, name="equal-biased-labels",
            description="equal; a wrong answer is labelled three times as often as a right one, on both arms",
            labels=LabelChances(0.3, 0.9, 0.3, 0.9), needs=WRONG),
    replace(EQUAL, name="equal-hanging", description="equal; 0.5 % of either arm's requests hang until the deadline",
            hanging=(0.005, 0.005)),
    replace(EQUAL, name="equal-hanging-up", adapt=watching_hang_ups, abandoned=(0.02, 0.02),
            description="equal; 2 % of either arm's callers hang up before the first token, which is compared"),
    replace(EQUAL, name="equal-short-outage", description="equal; no observation arrives for 40 s",
            lags=(0, 0), outages=(Outage(100, 140),), gateways_matter=True),
    replace(EQUAL, name="equal-long-outage", description="equal; no observation arrives for 3 min",
            outages=(Outage(100, 280),)),
    replace(EQUAL, name="equal-one-cut-off", description="equal; one of two gateways is not heard of for 60 s",
            lags=(0, 0), outages=(Outage(100, 160, gateway=1),), gateways_matter=True),
    replace(EQUAL, name="equal-generation-apart", description="equal; one of two gateways is 8 s behind a change",
            lags=(0, 8), gateways_matter=True),
    replace(EQUAL, name="equal-clocks-apart", description="equal; the gateways' clocks are 7 s apart",
            lags=(0, 0), clocks=(0, 7), gateways_matter=True),
    replace(EQUAL, name="equal-gateway-dies", description="equal; the machine kills one of three gateways once",
            lags=(0, 0, 0), deaths=((1, 100),), gateways_matter=True),
    replace(EQUAL, name="users-by-request",
            description="2,000 users, few of them busy, of whom 1 % always fail, drawn by request",
            users=2000, failing_users=0.01, uneven_users=True, adapt=by_request, needs=ERROR),
    BY_USERS,
)  # fmt: skip

LATE_ANSWERS: Final = Late(stable_wrong=600.0, canary_wrong=600.0)
"""Both versions' wrong answers are labelled ten minutes late, …"""
LATE_ON_CANARY: Final = Late(canary_wrong=600.0)
"""… or the canary's alone."""
UNSAFE: Final = Bound("SAFE", at_most=0.05)

LABELS: Final = (
    replace(EQUAL, name="late-wrong", description="equal; wrong answers are labelled 10 min late",
            late=LATE_ANSWERS, needs=WRONG),
    replace(EQUAL, name="late-wrong-canary", description="equal; the canary's wrong answers are labelled 10 min late",
            late=LATE_ON_CANARY, needs=WRONG),
    replace(EQUAL, name="late-canary", wrong=(0.30, 0.30), wrong_drift=climbing(0.10),
            description="equal; wrong falls 30 to 10 % in 10 min, the canary's labels come 2 min later than the others",
            late=Late(canary_right=120.0, canary_wrong=120.0), needs=WRONG),
    replace(EQUAL, name="late-canary-waited", wrong=(0.30, 0.30), wrong_drift=climbing(0.10),
            description="… and `label_wait_seconds` is 150",
            late=Late(canary_right=120.0, canary_wrong=120.0), needs=WRONG, adapt=waiting(150)),
    replace(EQUAL, name="late-wrong-waited", description="equal; wrong labels come 10 min late, and are waited for",
            late=LATE_ANSWERS, needs=WRONG, adapt=waiting(600), fold_seconds=10),
    replace(EQUAL, name="late-labels-waited", needs=WRONG, adapt=waiting(900), label_delay=300.0,
            description="equal at 10 requests/s; labels 5 min late (exponential), waited for (p95; cut at 2 h)",
            requests_per_second=10, seconds=2 * HOUR, fold_seconds=10),
    replace(EQUAL, name="canary-adds-class", unknown=(0.13, 0.0), needs=WRONG,
            description="13 % of the rows are of a class that only the canary knows"),
    replace(EQUAL, name="noisy-labels", description="equal; 20 % of the labels are wrong", label_noise=0.2,
            needs=WRONG),
    replace(EQUAL, name="noisy-labels-stated", description="… and the policy says `label_noise: 0.2`",
            label_noise=0.2, needs=WRONG, adapt=noisy(0.2)),
    replace(EQUAL, name="margin-noisy-stated", kind="margin", wrong_margins=1.0, label_noise=0.2, needs=WRONG,
            description="wrong one margin more, 20 % of the labels are wrong, stated", adapt=noisy(0.2)),
    replace(EQUAL, name="margin-noisy", kind="other", wrong_margins=1.0, label_noise=0.2, needs=WRONG,
            description="… and not stated: the margin is one of labelled answers"),
    replace(EQUAL, name="margin-late-waited", kind="margin", wrong_margins=1.0, late=LATE_ANSWERS, needs=WRONG,
            description="wrong one margin more, wrong labels come 10 min late, and are waited for", adapt=waiting(600)),
    replace(EQUAL, name="margin-late-labels-waited", kind="margin", wrong_margins=1.0, label_delay=300.0, needs=WRONG,
            description="wrong one margin more, labels 5 min late (exponential), waited for", adapt=waiting(900),
            fold_seconds=10),
    replace(EQUAL, name="harm-late-wrong", kind="other", bound=UNSAFE, wrong=(0.18, 0.26), late=LATE_ANSWERS,
            description="wrong 18 to 26 %; wrong answers are labelled 10 min late", needs=WRONG),
    replace(EQUAL, name="harm-late-wrong-canary", kind="other", bound=UNSAFE, wrong=(0.18, 0.26), late=LATE_ON_CANARY,
            description="wrong 18 to 26 %; the canary's wrong answers are labelled 10 min late", needs=WRONG),
    replace(EQUAL, name="canary-lacks-class", kind="harm", unknown=(0.0, 0.33), needs=WRONG,
            description="33 % of the rows are of a class that the canary does not know"),
)  # fmt: skip


def _stalls(seconds: int, every: int) -> Scenario:
    return replace(
        EQUAL,
        name=f"stalls-{seconds}s-{every}",
        description=f"equal; either lane stalls for {seconds} s in {every:,} requests",
        stall_seconds=seconds,
        stall_every=every,
        fold_seconds=10,
    )


TOGETHER: Final = (
    *(_stalls(seconds, every) for every in (2000, 20_000) for seconds in (1, 3, 5)),
    replace(EQUAL, name="groups-of-five", description="equal; errors come in groups of five", group=5),
    replace(BAD_ERRORS, name="harm-groups-of-five", description="errors 1 to 5 %, in groups of five", group=5,
            kind="other", bound=UNSAFE),
    replace(BAD_ERRORS, name="harm-stalls", description="errors 1 to 5 %, and lanes that stall for 3 s in 20,000",
            stall_seconds=3, stall_every=20_000, kind="other", bound=UNSAFE),
)  # fmt: skip

LABELLED_SESSIONS: Final = replace(
    EQUAL, name="sessions-labelled", description="20,000 users by session, both metrics (cut at 15 min)",
    users=20_000, adapt=sessions_with_labels, needs=WRONG, fold_seconds=10, seconds=900,
)  # fmt: skip
BY_SESSION: Final = (
    LABELLED_SESSIONS,
    replace(LABELLED_SESSIONS, name="sessions-late-canary", wrong=(0.30, 0.30), wrong_drift=climbing(0.10),
            description="… wrong falls 30 to 10 %, the canary's labels come 2 min later",
            late=Late(canary_right=120.0, canary_wrong=120.0)),
    replace(LABELLED_SESSIONS, name="sessions-late-wrong", late=LATE_ON_CANARY,
            description="… the canary's wrong answers are labelled 10 min late"),
    replace(LABELLED_SESSIONS, name="sessions-stalls-3s-2000", stall_seconds=3, stall_every=2000,
            description="… either lane stalls for 3 s in 2,000 requests"),
    replace(LABELLED_SESSIONS, name="sessions-groups-of-five", group=5,
            description="… errors come in groups of five"),
    replace(LABELLED_SESSIONS, name="sessions-margin", kind="margin", wrong_margins=1.0,
            description="… wrong one margin more"),
    replace(LABELLED_SESSIONS, name="sessions-harm-late-wrong", kind="other", bound=UNSAFE, wrong=(0.18, 0.26),
            description="… wrong 18 to 26 %, the canary's wrong answers are labelled 10 min late",
            late=LATE_ON_CANARY),
)  # fmt: skip

MARGINS: Final = (
    replace(EQUAL, name="error-margin", description="errors exactly one margin higher", kind="margin",
            error_margins=1.0, needs=ERROR),
    replace(EQUAL, name="wrong-margin", description="wrong answers exactly one margin more", kind="margin",
            wrong_margins=1.0, needs=WRONG),
    replace(EQUAL, name="half-margins", description="half of every margin: neither safe nor a disaster", kind="other",
            error_margins=0.5, wrong_margins=0.5),
)  # fmt: skip

HARMFUL: Final = (
    BAD_ERRORS,
    replace(BAD_ERRORS, name="errors-1-to-5-5rps", description="errors 1 to 5 % at 5 requests/s (cut at 2 h)",
            requests_per_second=5, seconds=2 * HOUR),
    replace(BAD_ERRORS, name="errors-1-to-5-flat",
            description="errors 1 to 5 % at a flat 10 %, one metric, in 300 units",
            requests_per_second=5, seconds=2 * HOUR, stop_at_units=300, adapt=flat_tenth,
            bound=Bound("HARM", at_least=0.88)),
    replace(BAD_ERRORS, name="errors-1-to-20", description="errors 1 to 20 %", error=(0.01, 0.20)),
    replace(BAD_ERRORS, name="errors-tenfold", description="errors 0.1 to 1 %, below the usual margin", kind="other",
            error=(0.001, 0.01)),
    replace(BAD_ERRORS, name="errors-creep", description="the canary's errors creep from 1 to 5 % in 5 min",
            error=(0.01, 0.01), error_drift=creeping(0.05, 300), kind="other"),
    replace(BAD_ERRORS, name="errors-in-incident", description="errors 1 to 5 % under a shared fourfold incident",
            error_drift=incident),
    replace(BAD_ERRORS, name="canary-hangs", description="4 % of the canary's requests hang until the deadline",
            error=(0.01, 0.01), hanging=(0.0, 0.04)),
    replace(EQUAL, name="canary-drives-away", kind="harm", abandoned=(0.01, 0.05), adapt=watching_hang_ups,
            description="a slow canary: callers who hang up before the first token rise from 1 to 5 %"),
    replace(EQUAL, name="canary-drives-away-unseen", kind="other", bound=Bound("HARM", at_most=0.04),
            abandoned=(0.01, 0.05), adapt=blind_to_hang_ups, needs=ERROR,
            description="… and the policy does not compare `abandoned`"),
    replace(BAD_ERRORS, name="harm-generation-apart", description="errors 1 to 5 %; one gateway is 8 s behind",
            lags=(0, 8), gateways_matter=True),
    replace(EQUAL, name="wrong-18-to-26", description="wrong answers rise from 18 to 26 %", kind="harm",
            wrong=(0.18, 0.26), needs=WRONG),
    replace(EQUAL, name="wrong-late-labels", description="wrong 18 to 26 %, labels come 5 min late", kind="harm",
            wrong=(0.18, 0.26), label_delay=300.0, needs=WRONG),
    replace(EQUAL, name="flipped-labels", description="the canary's classes are flipped: 18 to 80 %", kind="harm",
            wrong=(0.18, 0.80), needs=WRONG),
    replace(BY_USERS, name="users-fail-on-canary", description="5 % of 2,000 users fail on the canary alone",
            kind="harm", failing_users=0.0, failing_on_canary=0.05),
)  # fmt: skip

BROKEN: Final = (
    replace(EQUAL, name="ratio-mismatch", description="the router sends the canary 0.8 of the weight that it reports",
            kind="invalid", true_weight=0.8),
    replace(EQUAL, name="ratio-mismatch-twice", description="… and twice the weight up to 50 %, where it sends all",
            kind="invalid", true_weight=2.0),
    replace(EQUAL, name="missing-arm", description="nothing reaches the canary, though its weight is reported",
            kind="invalid", true_weight=0.0),
    replace(EQUAL, name="canary-kills", description="1 % of the canary's requests kill their gateway", kind="invalid",
            lags=(0, 0), kill=0.01, gateways_matter=True),
    replace(EQUAL, name="canary-kills-rarely", description="0.1 % of the canary's requests kill their gateway",
            kind="other", lags=(0, 0), kill=0.001, gateways_matter=True),
    replace(EQUAL, name="canary-not-loaded", description="the gateways cannot load the canary and apply weight 0",
            kind="other", canary_loads=False, gateways_matter=True,
            seconds=900),
    replace(EQUAL, name="labels-against-canary",
            description="equal, but wrong answers of the canary are labelled twice as often as any other", kind="other",
            labels=LabelChances(0.4, 0.4, 0.4, 0.8), needs=WRONG),
    replace(EQUAL, name="labels-for-canary",
            description="wrong 18 to 26 %, but wrong answers of the canary are labelled half as often", kind="other",
            wrong=(0.18, 0.26), labels=LabelChances(0.4, 0.4, 0.4, 0.2), needs=WRONG),
)  # fmt: skip

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*HEALTHY, *LABELS, *TOGETHER, *BY_SESSION, *MARGINS, *HARMFUL, *BROKEN)
}


def applicable(scenario: Scenario, policy: CanaryPolicy) -> bool:
    return scenario.needs <= set(policy.metric_names())
