"""What a caller, an agent or a queue lets be heard: speech and music at 8 kHz."""
