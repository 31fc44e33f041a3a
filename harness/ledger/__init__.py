"""The ledger of attempts: rows, the database behind them, its migrations."""
