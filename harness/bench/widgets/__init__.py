"""Chat widgets of other people on pages of this machine, one talk behind all of them, and how well they are read."""
