"""Words out of telephone audio, behind one interface; what was not heard is unknown."""
