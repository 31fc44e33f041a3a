"""What may be concluded from counts, times and ratings, before, during and after they are taken.

scipy and statsmodels do the mathematics where they have it.
"""

from scoring.statistics.rates import ALPHA, LEVEL, Rate, Verdict, bounds, smallest_n, three_way

__all__ = ["ALPHA", "LEVEL", "Rate", "Verdict", "bounds", "smallest_n", "three_way"]
