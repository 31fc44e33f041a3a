"""What may be concluded from counts and times: rates, waits, power. scipy and statsmodels do the mathematics."""

from scoring.statistics.rates import ALPHA, LEVEL, Rate, Verdict, bounds, smallest_n, three_way

__all__ = ["ALPHA", "LEVEL", "Rate", "Verdict", "bounds", "smallest_n", "three_way"]
