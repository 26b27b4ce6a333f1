"""curves of jobs: what one measured as it went"""

import sqlalchemy as sa
from alembic import op

from controlplane.store import columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as batch_op:
        batch_op.add_column(sa.Column("curve_points", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "job_curve",
        sa.Column("seq", columns.SEQUENCE, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("measured", columns.JSON_DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_curve_at", "job_curve", ["at"])
    op.create_index("ix_job_curve_job_id", "job_curve", ["job_id"])


def downgrade() -> None:
    op.drop_table("job_curve")
    with op.batch_alter_table("job") as batch_op:
        batch_op.drop_column("curve_points")
