"""Everything that we refuse on purpose: the docstring is the title, the class says which HTTP status it is."""

from typing import Any, ClassVar

from pydantic import ValidationError

from schemas.faults import FAULTS_OF_A_LINE, FieldFault, in_words


class GraftworkError(Exception):
    """Something was refused"""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "error"
    retry_after: int = 1
    """Seconds, for those that say "later"."""

    hint: str = ""
    """What the caller may have meant, to stand behind the detail: for whoever may read the names of things."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").strip()

    @property
    def in_words(self) -> str:
        """The detail with the field that it is about, named once, and the hint."""
        is_named = self.field is None or self.detail.startswith((f"{self.field}:", f"{self.field} "))
        return self.detail + self.hint if is_named else f"{self.field}: {self.detail}{self.hint}"


class Unauthorized(GraftworkError):
    """No valid token came with the request"""

    status = 401
    slug = "unauthorized"


class Forbidden(GraftworkError):
    """This token's role may not do that"""

    status = 403
    slug = "forbidden"


class AnotherPersonNeeded(Forbidden):
    """It takes another person to do that"""

    slug = "another-person-needed"


class NotFound(GraftworkError):
    """There is no such thing"""

    status = 404
    slug = "not-found"

    def __init__(self, detail: str, *, field: str | None = None, hint: str = "") -> None:
        super().__init__(detail, field=field)
        self.hint = hint


class Conflict(GraftworkError):
    """The state of the thing does not allow that"""

    status = 409
    slug = "conflict"


class LostLease(Conflict):
    """Another attempt owns this job, or none does"""

    slug = "lost-lease"


class Gone(GraftworkError):
    """That has been pruned"""

    status = 410
    slug = "gone"


class PreconditionFailed(GraftworkError):
    """Somebody else moved it first"""

    status = 412
    slug = "precondition-failed"


class PayloadTooLarge(GraftworkError):
    """The body is larger than what we accept"""

    status = 413
    slug = "payload-too-large"


class UnsupportedMedia(GraftworkError):
    """The body is in a form that this route does not read"""

    status = 415
    slug = "unsupported-media-type"


class Invalid(GraftworkError):
    """The request is understood and wrong"""

    status = 422
    slug = "invalid"


class InvalidDocument(Invalid):
    """The request is understood and wrong"""

    def __init__(self, error: ValidationError, document: Any, prefix: str = "") -> None:
        self.faults: list[FieldFault] = in_words(error, document, prefix)
        super().__init__("; ".join(str(fault) for fault in self.faults[:FAULTS_OF_A_LINE]), field=self.faults[0].field)


class PreconditionRequired(GraftworkError):
    """This change needs If-Match or If-None-Match"""

    status = 428
    slug = "precondition-required"


class TooManyFailures(GraftworkError):
    """Too many failed sign-ins from here"""

    status = 429
    slug = "too-many-failures"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Busy(GraftworkError):
    """The database is busy: try again"""

    status = 503
    slug = "busy"


class SchemaTooOld(GraftworkError):
    """The database's schema is older than this code: run `graftwork db upgrade`"""

    status = 503
    slug = "schema-too-old"


class SchemaTooNew(GraftworkError):
    """The database no longer supports code this old: upgrade this process"""

    status = 503
    slug = "schema-too-new"
