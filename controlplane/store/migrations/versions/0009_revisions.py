"""revisions of deployments, pipelines and triggers; a rollout says by which of them it goes"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from controlplane.store import columns

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TYPES: dict[str, Any] = {
    "policy": columns.JSON_DOCUMENT,
    "spec": columns.JSON_DOCUMENT,
    "revision": sa.Integer(),
    "created_at": columns.UtcDateTime(),
    "updated_at": columns.UtcDateTime(),
}


def upgrade() -> None:
    revisions = op.create_table(
        "revision",
        sa.Column("noun", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("spec", columns.JSON_DOCUMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("noun", "name", "revision"),
    )
    for table, column in (("deployment", "revision"), ("trigger", "revision"), ("rollout", "policy_revision")):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column(column, sa.Integer(), nullable=False, server_default="1"))
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column(column, server_default=None)
    for noun in ("deployment", "pipeline", "trigger"):
        _begin_history(revisions, noun)


def _begin_history(revisions: sa.Table, noun: str) -> None:
    """What is there already is the first that its history tells of."""
    whole = ("model", "alias", "policy") if noun == "deployment" else ("spec",)
    stamp = ("created_at",) if noun == "deployment" else ("updated_at", "updated_by")
    wanted = (sa.column(name, TYPES.get(name, sa.String())) for name in ("name", "revision", *whole, *stamp))
    for row in op.get_bind().execute(sa.select(*wanted).select_from(sa.table(noun))).mappings().all():
        spec = {name: row[name] for name in whole} if noun == "deployment" else row["spec"]
        kept = {"noun": noun, "name": row["name"], "revision": row["revision"], "spec": spec}
        op.execute(revisions.insert().values(**kept, actor=row.get("updated_by", "unknown"), at=row[stamp[0]]))


def downgrade() -> None:
    for table, column in (("rollout", "policy_revision"), ("trigger", "revision"), ("deployment", "revision")):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column(column)
    op.drop_table("revision")
