"""Settings from the environment: a pydantic model whose fields are read from `GRAFTWORK_…` where nobody gave them.

pydantic-settings does this and much more, and takes as long to import as pydantic itself: each verb of the CLI paid.
"""

import os
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

PREFIX: Final = "GRAFTWORK_"


class Environment(BaseModel):
    """Every field that was not given is the variable of its name in capitals, with the prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _with_what_the_environment_says(cls, given: dict[str, Any]) -> dict[str, Any]:
        variables = {name: PREFIX + name.upper() for name in cls.model_fields}
        return {name: os.environ[key] for name, key in variables.items() if key in os.environ} | given
