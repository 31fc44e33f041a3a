"""Show it: the run folder, the observations of its sessions, the summary on the terminal, the report."""
