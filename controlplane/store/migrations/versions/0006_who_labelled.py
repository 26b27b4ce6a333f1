"""who labelled an answer"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NOBODY = "00000000000000000000000000000000"


def upgrade() -> None:
    with op.batch_alter_table("label") as batch_op:
        batch_op.add_column(sa.Column("actor", sa.String(), nullable=False, server_default="unknown"))
        batch_op.add_column(sa.Column("token_id", sa.Uuid(), nullable=False, server_default=NOBODY))
    with op.batch_alter_table("label") as batch_op:
        batch_op.alter_column("actor", server_default=None)
        batch_op.alter_column("token_id", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("label") as batch_op:
        batch_op.drop_column("token_id")
        batch_op.drop_column("actor")
