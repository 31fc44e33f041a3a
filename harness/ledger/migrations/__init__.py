"""How the ledger's database came to its form, step by step; Alembic walks these."""
