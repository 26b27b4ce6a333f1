"""which rollback made a generation's stable version what it is"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generation") as batch_op:
        batch_op.add_column(sa.Column("rollback_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("generation") as batch_op:
        batch_op.drop_column("rollback_id")
