"""What the harness costs and how well it measures, against the sandbox."""
