"""Mutations of what the control plane promises about jobs, events, keys and pointers."""

from typing import Final

from tests.trials.chaos.mutations.mutation import Edit, Mutation

LONG_OUTAGES: Final = tuple(f"kill broker for {seconds}." for seconds in range(11, 19))
"""Longer than our producers try by themselves."""
EVENTS: Final = (
    Mutation(
        "outbox-outside-the-transaction",
        "Facts are written in the transaction of the state that they announce; here state is committed first.",
        (
            Edit(
                "controlplane.store.unit_of_work:UnitOfWork.commit",
                "self._take_turn()",
                "(self.session.commit(), self._take_turn())[1]",
            ),
        ),
        hit_by=("kill api", "kill everything", "kill postgres", "kill supervisor"),
    ),
    Mutation(
        "seq-before-the-commit-lock",
        "A fact draws its seq under the commit lock: seq order is commit order; here it draws it when it is recorded.",
        (
            Edit(
                "controlplane.store.unit_of_work:UnitOfWork.record",
                "return event_id",
                """
                    self._events[-1].time = self.now()
                    self.session.add(self._events[-1])
                    self.session.flush()
                    return event_id
                """,
            ),
            Edit(
                "controlplane.store.unit_of_work:UnitOfWork._take_turn",
                "return cast(datetime, self.session.execute(TAKE_TURN).scalar_one()).astimezone(UTC)",
                "return self.now()",
            ),
        ),
        topologies=("kafka",),
    ),
    Mutation(
        "inbox-not-checked",
        "An event that comes again has no second effect; here nobody looks into the inbox.",
        (
            Edit(
                "controlplane.commands.spine.inbox:is_first_time",
                "insert_once",
                "lambda *given: insert_once(*given) or True",
            ),
        ),
    ),
    Mutation(
        "offset-before-the-effect",
        "A consumer commits its offset after the effect; here before it.",
        (
            Edit(
                "controlplane.reactions.consumer:Consumer.step",
                "taken = self._taken(deliveries)",
                """
                    for delivery in deliveries:
                        self.source.done(delivery)
                    self.source.commit()
                    taken = self._taken(deliveries)
                """,
            ),
        ),
        hit_by=("kill reactions", "kill everything"),
    ),
    Mutation(
        "relay-marks-before-it-sends",
        "The relay's cursor moves after the broker's acknowledgement; here before the facts are sent.",
        (
            Edit(
                "controlplane.relay:Relay._relay_batch",
                "refusals = self._publish(sendable)",
                """
                    with self._singleton.begin(fence) as uow:
                        move_cursor(uow, RELAY, facts[-1].seq, fence)
                    refusals = self._publish(sendable)
                """,
            ),
        ),
        topologies=("kafka",),
        hit_by=("kill relay", "kill broker", "stop broker", *LONG_OUTAGES),
    ),
    Mutation(
        "relay-asks-for-no-acknowledgement",
        "The relay waits until every replica has a fact; here the producer is fire and forget (acks=0).",
        (
            Edit(
                "controlplane.transport.kafka:producer_config",
                "'all'",
                "0",
            ),
            Edit(
                "controlplane.transport.kafka:producer_config",
                "True",
                "False",
            ),
        ),
        topologies=("kafka",),
        hit_by=("kill broker", "restart broker"),
    ),
    Mutation(
        "relay-passes-over-a-failure",
        "What the broker did not take is sent again, in order; here the relay goes on with the next facts.",
        (
            Edit(
                "controlplane.relay:Relay._publish",
                "outcomes = self._publisher.publish([(fact.topic, fact.message) for fact in facts])",
                """
                    outcomes: list[str | None] = [None] * len(facts)
                    try:
                        outcomes = self._publisher.publish([(fact.topic, fact.message) for fact in facts])
                    except Unavailable as error:
                        log.warning("relay: passed over: %s", error)
                """,
            ),
        ),
        topologies=("kafka",),
        hit_by=("kill broker", "restart broker", "stop broker", *LONG_OUTAGES),
    ),
)

JOBS: Final = (
    Mutation(
        "no-fencing-check",
        "Only the attempt that holds the lease may write; here any attempt may, as long as the job runs.",
        (
            Edit(
                "controlplane.commands.jobs.claims:is_held",
                'return (col(JobRow.phase) == "Running", col(JobRow.attempt) == attempt, col(JobRow.owner) == owner)',
                'return (col(JobRow.phase) == "Running",)',
            ),
        ),
        hit_by=("stop worker",),
    ),
    Mutation(
        "reclaimed-under-the-same-fence",
        "Every claim increases the fencing token; here a reclaimed job keeps the one that it had.",
        (
            Edit(
                "controlplane.commands.jobs.claims:_grant",
                "col(JobRow.attempt) + 1",
                "func.coalesce(func.nullif(col(JobRow.attempt), 0), 1)",
            ),
        ),
        hit_by=("kill worker", "stop worker", "restart worker", "kill everything", "kill supervisor"),
    ),
    Mutation(
        "lease-by-the-worker's-clock",
        "The database's clock alone says when a lease ends; here a worker sends its time and is believed.",
        (
            Edit(
                "schemas.claims:Heartbeat",
                "attempt: int",
                """
                    now: AwareDatetime | None = None
                    attempt: int
                """,
                imports="from pydantic import AwareDatetime",
            ),
            Edit(
                "workers.runtime.attempt:Attempt._beat",
                "Heartbeat",
                "partial(Heartbeat, now=datetime.now(UTC))",
                imports="from datetime import UTC, datetime\nfrom functools import partial",
            ),
            Edit(
                "controlplane.commands.jobs.claims:heartbeat",
                "now = uow.now()",
                "now = beat.now or uow.now()",
            ),
        ),
        hit_by=("(+90)", "(+7200)", "(+86400)"),
    ),
)

COMMANDS: Final = (
    Mutation(
        "idempotency-key-after-the-commit",
        "A key is taken before the effect and answered in its transaction; here it is stored afterwards, in another.",
        (
            Edit(
                "controlplane.api.request_context:Call.write",
                """        with self.site.database.begin(self.principal.name) as uow:
            if attempt and (row := take_key(uow, attempt)):
                return self._response(row.status, {**row.headers, "idempotent-replayed": "true"}, row.body)
            reply, code = self._audited(uow, effect, status)
            body = "" if reply.body is None else ANY.dump_json(reply.body).decode()
            if attempt:
                keep_answer(uow, attempt, code, reply.headers, body)
            return self._response(code, reply.headers, body)
""",
                """        from controlplane.store.spine_tables import IdempotencyRow

        if attempt:
            with self.site.database.read() as session:
                row = session.get(IdempotencyRow, (attempt.principal, attempt.route, attempt.key))
            if row is not None:
                return self._response(row.status, {**row.headers, "idempotent-replayed": "true"}, row.body)
        with self.site.database.begin(self.principal.name) as uow:
            reply, code = self._audited(uow, effect, status)
            body = "" if reply.body is None else ANY.dump_json(reply.body).decode()
        if attempt:
            with self.site.database.begin(self.principal.name) as uow:
                if take_key(uow, attempt) is None:
                    keep_answer(uow, attempt, code, reply.headers, body)
        return self._response(code, reply.headers, body)
""",
            ),
        ),
    ),
    Mutation(
        "alias-moves-without-compare-and-swap",
        "A move names the move before it, and of two only one is accepted; here both are.",
        (
            Edit(
                "controlplane.commands.registry.aliases:_swap",
                """
                    here = (col(AliasRow.model) == row.model, col(AliasRow.alias) == row.alias,
                            col(AliasRow.history_id) == expected)
                """,
                "here = (col(AliasRow.model) == row.model, col(AliasRow.alias) == row.alias)",
            ),
        ),
    ),
    Mutation(
        "feedback-as-often-as-it-is-sent",
        "A label is accepted once for one prediction id; here each time that it comes.",
        (
            Edit(
                "controlplane.commands.serving.feedback:take_feedback",
                "feedback.prediction_id.encode()",
                'f"{feedback.prediction_id} {uow.now()}".encode()',
            ),
        ),
    ),
)
