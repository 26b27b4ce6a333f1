"""What an API says of itself."""

from pydantic import BaseModel


class Info(BaseModel):
    version: str
    schema_version: int
    source: str
    mode: str
    artifacts_url: str
