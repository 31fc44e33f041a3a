"""What Alembic runs: each revision in the transaction that ``harness.ledger.migration`` has begun."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
