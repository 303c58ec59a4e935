#!/usr/bin/env python3
"""The figures' arithmetic on curves whose answers are plain."""
import unittest
import xml.dom.minidom

import figures


class Figures(unittest.TestCase):
    def test_envelope_drops_what_another_point_beats(self):
        points = [(0.9, 100), (0.95, 50), (0.93, 40), (0.91, 100), (0.99, 10), (0.98, 10)]
        self.assertEqual(figures.envelope(points), [(0.91, 100), (0.95, 50), (0.99, 10)])

    def test_speed_between_two_points_lies_on_the_line(self):
        points = [(0.90, 1000), (0.94, 800), (0.96, 600), (1.0, 100)]
        self.assertAlmostEqual(figures.at_recall(points, 0.95), 700)
        self.assertAlmostEqual(figures.at_recall(points, 0.94), 800)
        self.assertAlmostEqual(figures.at_recall(points, 1.0), 100)

    def test_a_recall_that_is_not_reached_has_no_speed(self):
        self.assertIsNone(figures.at_recall([(0.9, 1000), (0.94, 800)], 0.95))
        self.assertIsNone(figures.at_recall([], 0.95))

    def test_a_curve_that_begins_above_the_recall_gives_its_first_speed(self):
        self.assertEqual(figures.at_recall([(0.97, 300), (0.99, 200)], 0.95), 300)

    def test_ratios_are_taken_within_a_round(self):
        # The machine is half as fast in the second and third round; the ratio is the same in all three.
        def curve(speed):
            return [(0.9, 2 * speed), (0.96, 1.1 * speed), (1.0, speed / 2)]
        series = [{"name": "a", "peer": True, "rounds": [curve(100), curve(50), curve(50)]},
                  {"name": "b", "peer": True, "rounds": [curve(10), curve(60), curve(5)]},
                  {"name": "VecStore", "peer": False, "rounds": [curve(200), curve(120), curve(100)]}]
        figures.summarise(series)
        for level in figures.LEVELS:
            self.assertAlmostEqual(series[2]["ratio"][str(level)], 2.0)
        self.assertIn("| VecStore |", figures.table(series))

    def test_a_series_that_misses_a_recall_once_has_no_figure_there(self):
        series = [{"name": "a", "peer": True, "rounds": [[(0.96, 10)], [(0.94, 10)]]},
                  {"name": "VecStore", "peer": False, "rounds": [[(0.96, 10)], [(0.96, 10)]]}]
        figures.summarise(series)
        self.assertIsNone(series[0]["at"]["0.95"])
        self.assertIsNone(series[1]["ratio"]["0.95"])

    def test_the_drawing_is_well_formed_and_has_a_curve_for_each_series(self):
        series = [{"name": "a <1>", "peer": True, "rounds": [[(0.9, 1000), (0.99, 100)]]},
                  {"name": "VecStore & more", "peer": False, "rounds": [[(0.9, 2000), (0.99, 300)]]},
                  {"name": "never near", "peer": True, "rounds": [[(0.2, 9000)]]}]
        drawing = xml.dom.minidom.parseString(figures.svg(series, "100 x 4 < 5"))
        curves = [p for p in drawing.getElementsByTagName("path") if p.getAttribute("fill") == "none"]
        self.assertEqual(len(curves), 2)


if __name__ == "__main__":
    unittest.main()
