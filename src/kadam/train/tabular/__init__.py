"""Tables in, models out: reading, telling types, encoding, a network that needs no tuning, a report.

A table goes through `reading` (files in pieces), `columns` (what a column holds), `target` (what is predicted, and the
test rows), `encoding` (columns to numbers), `network`, `linear` and `fitting` (what learns them, in `rounds`),
`scoring`, `report`, `folder`. `job` is all of it, in order.
"""
