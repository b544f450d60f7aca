"""
Another microphone
==================

Models are equally confident on out-of-distribution audio. The reader warns of such
audio.
"""

# %%
# With ``drift="warn"``, :class:`~skbreath.AudioReader` stores the levels of the
# training clips in a dozen frequency bands.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import butter, sosfilt

from skbreath import AudioReader, AudioWarning, make_breath_sounds

sounds = make_breath_sounds(300, n_subjects=15, random_state=0)
train, other = sounds.waveforms[:200], sounds.waveforms[200:]
reader = AudioReader(drift="warn").fit(train)

# %%
# Clips of the same kind give no warning. Clips changed as by a small speaker or a wrong
# gain do, and the warning names the difference.

muffled = butter(4, 200, "lowpass", fs=16000, output="sos")
changed = {
    "unchanged": other,
    "a quarter of the level": other / 4,
    "a hundredth of the level": other / 100,
    "muffled above 200 Hz": sosfilt(muffled, other, axis=1).astype("float32"),
    "with hiss": (
        other + np.random.default_rng(0).normal(scale=0.1, size=other.shape)
    ).astype("float32"),
}
for name, clips in changed.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        reader.transform(clips)
    message = str(caught[0].message) if caught else "no warning"
    print(f"{name}:\n    {message}\n")

# %%
# The mean spectra show the differences.

figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
frequencies = np.fft.rfftfreq(1024, 1 / 16000)[1:]
looks = [
    ("black", "-"),
    ("#0072b2", "--"),
    ("#009e73", "-."),
    ("#d55e00", ":"),
    ("#cc79a7", (0, (7, 2, 1, 2, 1, 2))),
]
for (name, clips), (color, style) in zip(changed.items(), looks):
    frames = clips[:, :15360].reshape(len(clips), 15, 1024) * np.hanning(1024)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=(0, 1))[1:]
    ax.semilogx(
        frequencies, 10 * np.log10(power), color=color, linestyle=style, label=name
    )
ax.set(xlabel="Frequency (Hz)", ylabel="Power (dB)", xlim=(20, 8000))
ax.legend(fontsize=9)
plt.show()
