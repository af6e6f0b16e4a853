"""Lessons: short programs that explain as they run. `kadam run -m kadam.lessons.linear_fit` runs the first."""
