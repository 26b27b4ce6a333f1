"""labels are folded by the time of serving, and a fold that fails is a state of its rollout"""

import sqlalchemy as sa
from alembic import op

from controlplane.store import columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTED = {"sqlite_where": sa.text("counted"), "postgresql_where": sa.text("counted")}


def upgrade() -> None:
    with op.batch_alter_table("label", schema=None) as batch_op:
        batch_op.add_column(sa.Column("keyed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("second", BIG, nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("stored_second", BIG, nullable=False, server_default="0"))
        batch_op.drop_index("ix_label_one_a_unit", **COUNTED)
        batch_op.create_index("ix_label_one_a_unit", ["rollout_id", "step", "unit", "second"], unique=True, **COUNTED)
        batch_op.create_index("ix_label_served", ["rollout_id", "second"], unique=False)
        batch_op.create_index("ix_label_stored", ["rollout_id", "stored_second"], unique=False)
    with op.batch_alter_table("label", schema=None) as batch_op:
        batch_op.alter_column("keyed", server_default=None)
        batch_op.alter_column("second", server_default=None)
        batch_op.alter_column("stored_second", server_default=None)
    with op.batch_alter_table("rollout", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fold_error", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("fold_failures", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("fold_failed_at", columns.UtcDateTime(), nullable=True))
    with op.batch_alter_table("rollout", schema=None) as batch_op:
        batch_op.alter_column("fold_failures", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("rollout", schema=None) as batch_op:
        batch_op.drop_column("fold_failed_at")
        batch_op.drop_column("fold_failures")
        batch_op.drop_column("fold_error")
    with op.batch_alter_table("label", schema=None) as batch_op:
        batch_op.drop_index("ix_label_stored")
        batch_op.drop_index("ix_label_served")
        batch_op.drop_index("ix_label_one_a_unit", **COUNTED)
        batch_op.create_index("ix_label_one_a_unit", ["rollout_id", "step", "unit"], unique=True, **COUNTED)
        batch_op.drop_column("stored_second")
        batch_op.drop_column("second")
        batch_op.drop_column("keyed")
