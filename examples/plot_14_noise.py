"""
Breathing rate in noise
=======================

The phases of simulated recordings are exact, so errors can be measured at any level of
noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from skbreath import PhaseSegmenter, event_scores, make_breath_recording, rate_errors

levels = [30, 20, 10, 5, 0, -5]
known = [
    make_breath_recording(30, rate=10 + 3 * i, noise=noise, random_state=i)
    for i, noise in enumerate([30, 20, 10, 0])
]
segmenter = PhaseSegmenter(fmax=2000, emission_weight=0.4, random_state=0).fit(
    [recording.waveform for recording in known],
    [recording.phases for recording in known],
)

# %%
# Four recordings at each level, with other rates than the training recordings.

errors, found = [], []
for noise in levels:
    made = [
        make_breath_recording(40, rate=11 + 3 * i, noise=noise, random_state=100 + i)
        for i in range(4)
    ]
    predicted = segmenter.predict([recording.waveform for recording in made])
    truth = [recording.phases for recording in made]
    errors.append(np.abs(rate_errors(truth, predicted)))
    found.append(event_scores(truth, predicted).f1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for label, name, color, style in [
    ("I", "Inhale", "#0072b2", "o-"),
    ("E", "Exhale", "#d55e00", "s--"),
]:
    left.plot(
        levels, [scores[label] for scores in found], style, color=color, label=name
    )
left.set(xlabel="Signal-to-noise ratio (dB)", ylabel="F1 of phases", ylim=(0, 1.03))
left.legend()
right.boxplot(errors, positions=levels, widths=2, manage_ticks=False)
right.set(
    xlabel="Signal-to-noise ratio (dB)", ylabel="Error of the rate (breaths / min)"
)
for ax in (left, right):
    ax.invert_xaxis()
    ax.grid(alpha=0.3)
plt.show()
