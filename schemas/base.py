"""The two bases of the contract: what readers must tolerate, and what they must refuse."""

from pydantic import BaseModel, ConfigDict


class Tolerant(BaseModel):
    """A frozen message whose readers ignore fields that they do not know (events, results, answers)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Strict(BaseModel):
    """A frozen message that is refused when it has a field that we do not know (specs, requests).

    An ignored field of a job's spec could be `privacy`: an old worker must refuse it, not train without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
