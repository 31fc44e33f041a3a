"""Script it: scenarios, personas and the catalogue of scripts."""
