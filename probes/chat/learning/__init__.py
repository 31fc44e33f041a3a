"""Finding out how an unknown chat page is opened, written into and read."""
