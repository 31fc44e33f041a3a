"""The groups of the command line: one module a group."""
