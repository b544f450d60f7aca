"""
Phases from a live stream
=========================

From blocks of sound to phases, with a delay of less than half a second.
"""

# %%
# The stream returns each phase as soon as possible. The phases are identical to those
# of :meth:`~skbreath.PhaseSegmenter.predict` for the whole recording.
# (``emission_weight`` is set here to avoid the cross-validation that would choose it.)

import matplotlib.pyplot as plt
import numpy as np

from skbreath import PhaseSegmenter, make_breath_recording

known = [make_breath_recording(40, rate=14 + 3 * i, random_state=i) for i in range(3)]
segmenter = PhaseSegmenter(fmax=2000, emission_weight=0.4, random_state=0).fit(
    [recording.waveform for recording in known],
    [recording.phases for recording in known],
)
new = make_breath_recording(30, rate=15, random_state=7)
stream = segmenter.partial(sample_rate=16000)

block = 1600  # 100 ms, as delivered by a sound card
returned = []
for start in range(0, len(new.waveform), block):
    time_s = (start + block) / 16000
    for phase in stream.push(new.waveform[start : start + block]).itertuples():
        returned.append((phase.label, phase.start_s, phase.end_s, time_s))
stream.finish()

# %%
# Every phase as a bar, and the time at which it was returned.

figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
for label, start, end, at in returned:
    color, row = {"I": ("#0072b2", 1), "E": ("#d55e00", 0)}[label]
    ax.barh(row, end - start, left=start, height=0.5, color=color)
    ax.plot([end, at], [row + 0.36, row + 0.36], color="black", linewidth=1)
    ax.plot(at, row + 0.36, "k|")
ax.set(
    xlabel="Time (s)",
    yticks=[0, 1],
    yticklabels=["Exhale", "Inhale"],
    xlim=(0, 30),
    title="Phases, and the delay after their end",
)
plt.show()

# %%
# The delay is bounded by the latency of the stream and the length of a block.

delays = np.array([at - end for _, _, end, at in returned])
print(
    f"longest delay {delays.max():.2f} s, at most {stream.latency + 0.1:.2f} s expected"
)
