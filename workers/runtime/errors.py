"""What a handler raises when a job cannot go on for a reason that we know."""


class JobError(Exception):
    """The job fails for this reason; `retryable` says whether another attempt may end better."""

    def __init__(self, reason: str, retryable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable


class ArtifactError(JobError):
    """An artifact is missing, is not what its digest says, or its store cannot be reached."""


class SourceError(JobError):
    """A source URI is malformed, not allowed, not there, or not what its hash says."""
