"""how far inbound partitions are read"""

import sqlalchemy as sa
from alembic import op

from controlplane.store import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OFFSET = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "partition",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=249), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", OFFSET, nullable=False),
        sa.Column("end", OFFSET, nullable=False),
        sa.Column("high_watermark", OFFSET, nullable=False),
        sa.Column("moved_at", columns.UtcDateTime(), nullable=False),
        sa.Column("at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition"),
    )


def downgrade() -> None:
    op.drop_table("partition")
