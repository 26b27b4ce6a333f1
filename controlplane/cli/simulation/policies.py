"""A policy from the file that `graftwork deployment apply` takes, or from its `policy` alone."""

from pathlib import Path

from pydantic import ValidationError

from controlplane.cli import documents
from controlplane.cli.output import refuse
from schemas import faults
from schemas.rollouts import CanaryPolicy, DeploymentSpec, RolloutPolicy


def read_policy(file: Path) -> CanaryPolicy:
    """Exit 2 with the file, the field and what was expected, when it is not one that the product would take."""
    document = documents.load(file)
    try:
        if "model" in document or "policy" in document:
            document.pop("name", None)
            return DeploymentSpec.model_validate(document).policy.canary
        return RolloutPolicy.model_validate(document).canary
    except ValidationError as error:
        refuse(f"{file}: {faults.line(error, document)}")
