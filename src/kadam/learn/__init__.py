"""Lessons: Markdown with code cells, run as they are shown.

A lesson is a text in which every number, diagram and answer is computed when it is read. `kadam.learn.lesson` reads
one, `running` runs its cells, `terminal` and `paper` show it.
"""
