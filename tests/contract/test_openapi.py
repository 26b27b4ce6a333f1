"""The committed OpenAPI document is what the code says."""

from controlplane.api.openapi import FILE, document


def test_the_committed_document_is_up_to_date() -> None:
    assert FILE.read_text() == document(), "run `make generate`"
