"""holds of rollouts and deployments; why a rollout is Paused gets a name of its own"""

import sqlalchemy as sa
from alembic import op

from controlplane.store import columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("rollout") as batch_op:
        batch_op.alter_column("hold", new_column_name="paused_for")
    op.create_table(
        "hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=True),
        sa.Column("model_version_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("at", columns.UtcDateTime(), nullable=False),
        sa.Column("released_at", columns.UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(), nullable=True),
        sa.Column("released_token", sa.Uuid(), nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.name"]),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_hold_deployment", "hold", ["deployment"], unique=False)
    op.create_index("ix_hold_rollout_id", "hold", ["rollout_id"], unique=False)


def downgrade() -> None:
    op.drop_table("hold")
    with op.batch_alter_table("rollout") as batch_op:
        batch_op.alter_column("paused_for", new_column_name="hold")
