"""One module a form of the database, each naming the one before."""
