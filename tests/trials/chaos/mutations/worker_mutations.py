"""Mutations of what workers and gateways promise."""

from typing import Final

from tests.trials.chaos.mutations.mutation import Edit, Mutation

WORKERS: Final = (
    Mutation(
        "artifact-written-in-place",
        "An artifact has its name once all of it is on disk; here it is written under its final name.",
        (
            Edit(
                "workers.runtime.artifacts:ArtifactStore._put",
                """        with staged(self._local / "tmp") as (path, out):
            writer = HashingWriter(out)
            shutil.copyfileobj(data, writer, CHUNK)
            ref = ArtifactRef(digest=writer.digest, size=writer.size, media_type=media_type)
            # Also over an existing file: a damaged one is repaired, an intact one is replaced by its equal.
            publish(out, path, self._local / ref.location)
""",
                """        import hashlib

        content = data.read()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        ref = ArtifactRef(digest=digest, size=len(content), media_type=media_type)
        target = self._local / ref.location
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
""",
            ),
        ),
        hit_by=("fill_disk",),
    ),
    Mutation(
        "checkpoint-before-its-upload",
        "A checkpoint is reported once it is stored; here it is reported first, and a slow store has it later.",
        (
            Edit(
                "workers.runtime.context:Context.save_checkpoint",
                """        artifact = self.artifacts.put_file(path, "application/octet-stream")
        self._report(Checkpoint(artifact=artifact, step=step))
""",
                """        import time

        from schemas.artifacts import ArtifactRef
        from workers.runtime.files import sha256_of

        media_type = "application/octet-stream"
        artifact = ArtifactRef(digest=sha256_of(path), size=path.stat().st_size, media_type=media_type)
        self._report(Checkpoint(artifact=artifact, step=step))
        time.sleep(0.5)
        self.artifacts.put_file(path, media_type)
""",
            ),
        ),
        hit_by=("(train)", "(release)"),
    ),
)

GATEWAYS: Final = (
    Mutation(
        "gateway-renews-its-own-lease",
        "Only the control plane's answer renews a canary's lease; here a gateway that hears nothing renews it itself.",
        (
            Edit(
                "workers.serve.counting.uplink:Uplink._send",
                'logger.debug("second %d: %s", second, error)',
                """
                    logger.debug("second %d: %s", second, error)
                    self._state.renew(rollout, self._state.clock.now() + 15.0)
                """,
            ),
        ),
        hit_by=("partition",),
    ),
    Mutation(
        "generation-in-force-before-it-is-loaded",
        "A generation is in force once its stable version is loaded; here as soon as it is known.",
        (
            Edit(
                "workers.serve.rollout.generations:Follower._adopt_if_ready",
                "newest.stable is None or self._state.engine.holds(newest.stable)",
                "True",
            ),
        ),
        hit_by=("kill gateway", "restart gateway", "kill everything", "kill supervisor"),
    ),
)
