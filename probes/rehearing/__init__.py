"""The measuring pass: what was heard in a run, computed again with everything that is known by then."""
