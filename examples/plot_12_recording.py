"""
A whole recording: phases, rate and a pause
===========================================

From annotated recordings to the timeline of a new one.
"""

# %%
# :func:`~skbreath.make_breath_recording` makes recordings whose phases are known to
# the sample. Three of them teach the segmenter.

import matplotlib.pyplot as plt

from skbreath import (
    PhaseSegmenter,
    PhaseTimelineDisplay,
    breath_statistics,
    event_scores,
    make_breath_recording,
)

known = [make_breath_recording(40, rate=12 + 4 * i, random_state=i) for i in range(3)]
segmenter = PhaseSegmenter(fmax=2000, random_state=0).fit(
    [recording.waveform for recording in known],
    [recording.phases for recording in known],
)

# %%
# The fourth breathes at another rate, and holds its breath for a while.

new = make_breath_recording(60, rate=18, pauses=[(25, 12)], random_state=9)
(phases,) = segmenter.predict([new.waveform])
phases.head().round(2)

# %%

figure = plt.figure(figsize=(10, 6), layout="constrained")
PhaseTimelineDisplay.from_recording(
    new.waveform, phases, max_frequency=2000, figure=figure
)
plt.show()

# %%
# What it says about the breathing. The pause is longer than 10 s, an apnoea.

statistics = breath_statistics(phases, duration=60)
statistics.summary.round(2)

# %%
# As the truth is known: how many phases were found, with at least half of the time
# that either covers in common?

event_scores(new.phases, phases).round(3)
