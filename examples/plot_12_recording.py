"""
A whole recording: phases, rate and a pause
===========================================

From annotated recordings to the timeline of a new one.
"""

# %%
# :func:`~skbreath.make_breath_recording` simulates recordings with exact phases. The
# segmenter is fitted on three of them.

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
# The fourth recording has another rate and a pause.

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
# Statistics of the breathing. The pause is longer than 10 s, so it is an apnoea.

statistics = breath_statistics(phases, duration=60)
statistics.summary.round(2)

# %%
# Scores of the found phases. A phase counts as found with an intersection over union of
# at least 0.5.

event_scores(new.phases, phases).round(3)
