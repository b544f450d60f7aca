"""Read, check and summarise tables of phases, with one row per inhale or exhale.

In: label tracks (Audacity, Praat, Raven, JSON, CSV), or tables with the columns
start_s, end_s and label. Out: such tables, breathing rate and other statistics, and
scores of found against labelled phases.

May import: utils, audio.
Tests: ``pytest tests/phases``.
"""
