"""Do it: sessions, channels, the conversation engine, hearing and speaking."""
