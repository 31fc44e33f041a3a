"""What would fail in an audit, found before it: checks of the machine, the files and the lines, each with its cure."""
