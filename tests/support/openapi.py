"""OpenAPI's own validator, asked about a document that a running server answers."""

from typing import Any


def faults(document: dict[str, Any]) -> list[str]:
    """Where the document is not what the specification says."""
    from openapi_spec_validator import OpenAPIV31SpecValidator  # takes seconds, which collecting tests must not

    assert len(document["paths"]) > 3
    return [
        f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
