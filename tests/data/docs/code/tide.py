"""Tide tables: the height of the sea at an hour."""
import math


def tide_height(hour: float, spring: bool = False) -> float:
    """Height in metres above the chart's zero, by the rule of twelfths."""
    amplitude = 3.2 if spring else 2.1
    return amplitude * (1 + math.cos(2 * math.pi * hour / 12.42))
