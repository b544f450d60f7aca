"""Find phases while the sound is made: sources of sound, and files that grow.

In: a microphone, or sound on standard input. Out: blocks for a PhaseStream, label
tracks and WAV files that are complete whenever the program ends.

May import: utils, audio, phases.
Tests: ``pytest tests/live``.
"""

__all__ = ["LIVE_MODEL", "LONGEST_DELAY_S"]

LIVE_MODEL = "nose-live"
"""Name of the model of the package whose phases come soon after their end."""
LONGEST_DELAY_S = 0.5
"""A model with a longer latency is not for a live display."""
