"""The sandbox centre: a contact centre on this machine, with a log of what it really did."""
