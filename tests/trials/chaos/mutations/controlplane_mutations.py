"""Mutations of what the control plane promises about jobs, events, keys and pointers."""

from typing import Final

from tests.trials.chaos.mutations.mutation import Edit, Mutation

EVENTS: Final = (
    Mutation(
        "outbox-outside-the-transaction",
        "Facts are written in the transaction of the state that they announce; here state is committed first.",
        (
            Edit(
                "controlplane/store/unit_of_work.py",
                "        self.session.flush()\n        if self._events or self._notes:\n",
                "        self.session.flush()\n        self.session.commit()\n"
                "        if self._events or self._notes:\n",
            ),
        ),
        hit_by=("kill api", "kill everything", "kill postgres", "kill supervisor"),
    ),
    Mutation(
        "seq-before-the-commit-lock",
        "A fact draws its seq under the commit lock: seq order is commit order; here it draws it when it is recorded.",
        (
            Edit(
                "controlplane/store/unit_of_work.py",
                "                data=body,\n            )\n        )\n        return event_id\n",
                "                data=body,\n                time=self.now(),\n            )\n        )\n"
                "        self.session.add(self._events[-1])\n        self.session.flush()\n        return event_id\n",
            ),
            Edit(
                "controlplane/store/unit_of_work.py",
                "        return cast(datetime, self.session.execute(TAKE_TURN).scalar_one()).astimezone(UTC)\n",
                "        return self.now()\n",
            ),
        ),
        topologies=("kafka",),
    ),
    Mutation(
        "inbox-not-checked",
        "An event that comes again has no second effect; here nobody looks into the inbox.",
        (
            Edit(
                "controlplane/commands/inbox.py",
                "    return insert_once(uow, InboxRow(",
                "    return None is not insert_once(uow, InboxRow(",
            ),
        ),
    ),
    Mutation(
        "offset-before-the-effect",
        "A consumer commits its offset after the effect; here before it.",
        (
            Edit(
                "controlplane/reactions/consumer.py",
                "        taken = self._taken(deliveries)\n",
                "        for delivery in deliveries:\n            self.source.done(delivery)\n"
                "        self.source.commit()\n        taken = self._taken(deliveries)\n",
            ),
        ),
        hit_by=("kill reactions", "kill everything"),
    ),
    Mutation(
        "relay-marks-before-it-sends",
        "The relay's cursor moves after the broker's acknowledgement; here before the facts are sent.",
        (
            Edit(
                "controlplane/relay.py",
                "        refusals = self._publish(sendable)\n",
                "        with self._singleton.begin(fence) as uow:\n"
                "            move_cursor(uow, RELAY, facts[-1].seq, fence)\n"
                "        refusals = self._publish(sendable)\n",
            ),
        ),
        topologies=("kafka",),
        hit_by=("kill relay", "kill broker", "stop broker"),
    ),
    Mutation(
        "relay-asks-for-no-acknowledgement",
        "The relay waits until every replica has a fact; here the producer is fire and forget (acks=0).",
        (
            Edit(
                "controlplane/transport/kafka.py",
                '        "acks": "all",\n        "enable_idempotence": True,\n',
                '        "acks": 0,\n        "enable_idempotence": False,\n',
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
                "controlplane/relay.py",
                "        outcomes = self._publisher.publish([(fact.topic, fact.message) for fact in facts])\n",
                "        outcomes: list[str | None] = [None] * len(facts)\n        try:\n"
                "            outcomes = self._publisher.publish([(fact.topic, fact.message) for fact in facts])\n"
                '        except Unavailable as error:\n            log.warning("relay: passed over: %s", error)\n',
            ),
        ),
        topologies=("kafka",),
        hit_by=("kill broker", "restart broker", "stop broker"),
    ),
)

JOBS: Final = (
    Mutation(
        "no-fencing-check",
        "Only the attempt that holds the lease may write; here any attempt may, as long as the job runs.",
        (
            Edit(
                "controlplane/commands/claims.py",
                ' == "Running", col(JobRow.attempt) == attempt, col(JobRow.owner) == owner)\n',
                ' == "Running",)\n',
            ),
        ),
        hit_by=("stop worker",),
    ),
    Mutation(
        "reclaimed-under-the-same-fence",
        "Every claim increases the fencing token; here a reclaimed job keeps the one that it had.",
        (
            Edit(
                "controlplane/commands/claims.py",
                "            attempt=col(JobRow.attempt) + 1,\n",
                "            attempt=func.coalesce(func.nullif(col(JobRow.attempt), 0), 1),\n",
            ),
        ),
        hit_by=("kill worker", "stop worker", "restart worker", "kill everything", "kill supervisor"),
    ),
    Mutation(
        "lease-by-the-worker's-clock",
        "The database's clock alone says when a lease ends; here a worker sends its time and is believed.",
        (
            Edit(
                "schemas/claims.py",
                "from pydantic import Field, JsonValue\n",
                "from pydantic import AwareDatetime, Field, JsonValue\n",
            ),
            Edit(
                "schemas/claims.py",
                "class Heartbeat(Strict):\n    attempt: int\n",
                "class Heartbeat(Strict):\n    now: AwareDatetime | None = None\n    attempt: int\n",
            ),
            Edit("workers/runtime/attempt.py", "import time\n", "import time\nfrom datetime import UTC, datetime\n"),
            Edit(
                "workers/runtime/attempt.py",
                "            beat = Heartbeat(\n",
                "            beat = Heartbeat(\n                now=datetime.now(UTC),\n",
            ),
            Edit(
                "controlplane/commands/claims.py",
                "    now = uow.now()\n    news: dict[str, Any]",
                "    now = beat.now or uow.now()\n    news: dict[str, Any]",
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
                "controlplane/api/call.py",
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
                "controlplane/commands/aliases.py",
                "    here = (col(AliasRow.model) == row.model, col(AliasRow.alias) == row.alias,"
                " col(AliasRow.history_id) == expected)\n",
                "    here = (col(AliasRow.model) == row.model, col(AliasRow.alias) == row.alias)\n",
            ),
        ),
    ),
    Mutation(
        "feedback-as-often-as-it-is-sent",
        "A label is accepted once for one prediction id; here each time that it comes.",
        (
            Edit(
                "controlplane/commands/feedback.py",
                "    digest = hashlib.sha256(feedback.prediction_id.encode()).hexdigest()\n",
                '    digest = hashlib.sha256(f"{feedback.prediction_id} {uow.now()}".encode()).hexdigest()\n',
            ),
        ),
    ),
)
