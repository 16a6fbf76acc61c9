# undo: possible
import textwrap

import alembic.op
from alembic import op
from sqlalchemy import text, delete
import sqlalchemy as sa

revision = "sql"
down_revision = None

STATEMENTS = ["DROP TABLE first", "SELECT 1"]
NAME = "third"


def upgrade():
    op.execute("DROP TABLE users")  # finds drop-table
    op.execute("drop table if exists a, \"B\" cascade")  # finds drop-table drop-table
    op.execute(sa.text("ALTER TABLE users DROP COLUMN name, DROP age"))  # finds drop-column drop-column
    op.execute(text(f"DROP TABLE {NAME}"))  # finds drop-table
    op.execute("DROP TABLE " + NAME + "_old")  # finds drop-table
    op.execute("DROP TABLE %s" % NAME)  # finds drop-table
    op.execute("DROP TABLE {}".format(NAME))  # finds drop-table
    op.execute(  # finds drop-column
        """
        -- with a comment; and a semicolon
        ALTER TABLE IF EXISTS ONLY public.users
            DROP COLUMN IF EXISTS name;
        """
    )
    op.execute(textwrap.dedent("""TRUNCATE TABLE users, accounts"""))  # finds raw-sql-destructive
    op.execute("DELETE FROM users")  # finds raw-sql-destructive
    op.execute("DROP SCHEMA old CASCADE; DROP VIEW v")  # finds raw-sql-destructive
    op.execute("DROP TYPE mood CASCADE")  # finds raw-sql-destructive
    op.execute("DROP TYPE mood")
    op.execute("DO $$ BEGIN IF true THEN DROP TABLE inner_one; END IF; END $$")  # finds drop-table
    op.execute("ALTER TABLE users RENAME TO people")  # finds rename-table
    op.execute("ALTER TABLE users RENAME name TO title")  # finds rename-column
    op.execute("ALTER TABLE users RENAME CONSTRAINT a TO b")
    op.execute("ALTER TABLE users ADD COLUMN a int NOT NULL")  # finds not-null-without-default
    op.execute("ALTER TABLE users ADD b int NOT NULL DEFAULT 0, ADD c bigserial NOT NULL")
    op.execute("ALTER TABLE users ALTER COLUMN d SET NOT NULL, ALTER e TYPE varchar(10) USING e::text")  # finds set-not-null type-narrowing
    op.execute("ALTER TABLE users ALTER f TYPE bigint, ALTER g SET DATA TYPE character varying, ALTER h TYPE timestamp with time zone")
    op.execute("ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0)")  # finds constraint-on-existing-rows
    op.execute("ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0) NOT VALID")
    op.execute("ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i")
    op.execute("CREATE UNIQUE INDEX i ON users (name)")  # finds index-without-concurrently
    op.execute("CREATE INDEX CONCURRENTLY i ON users (name)")  # finds concurrently-in-transaction
    op.execute("CREATE TABLE fresh (id int); CREATE INDEX ON fresh (id); DROP TABLE fresh; ")
    for statement in STATEMENTS:
        op.execute(statement)  # finds drop-table
    connection = op.get_bind()
    connection.execute(sa.text("DROP TABLE bound"))  # finds drop-table
    connection.exec_driver_sql(r"DROP TABLE driven")  # finds drop-table
    op.get_bind().execute("DROP TABLE chained")  # finds drop-table
    alembic.op.execute(sqltext="DROP TABLE keyword")  # finds drop-table
    users = sa.table("users", sa.column("id"))
    op.execute(users.delete())  # finds raw-sql-destructive
    op.execute(delete(users))  # finds raw-sql-destructive
    op.execute(users.delete().where(users.c.id == 1))
    op.execute("")
    op.execute("it's not 'SQL")


downgrade = upgrade
