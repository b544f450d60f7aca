"""
Saliency maps of a network
==========================

Grad-CAM shows which parts of a spectrogram increase the score of a label.
"""

# %%
# A network over frequency and time, as in the default preset, trained briefly.

import matplotlib.pyplot as plt
import numpy as np

from skbreath import SaliencyDisplay, make_breath_sounds, make_spectrogram_member

sounds = make_breath_sounds(400, n_subjects=20, difficulty=0.2, random_state=0)
test = np.isin(sounds.subject, np.unique(sounds.subject)[:4])
member = make_spectrogram_member(hidden_channels=8, max_epochs=15, random_state=0)
member.fit(
    sounds.waveforms[~test], sounds.target[~test], net__groups=sounds.subject[~test]
)
print(f"accuracy {member.score(sounds.waveforms[test], sounds.target[test]):.2f}")

# %%
# Two clips of test subjects. The thin line encloses the points with at least half of
# the maximum saliency, and the thick line those with at least four fifths. The curve
# above is the saliency over time. Saliency shows which parts are used, not why. A
# network with another seed may use other parts.

probability = member.predict_proba(sounds.waveforms[test])
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, column, label in zip(axes, (1, 0), ("I", "E")):
    right = np.where(sounds.target[test] == label, probability[:, column], 0)
    SaliencyDisplay.from_estimator(
        member, sounds.waveforms[test][right.argmax()], ax=ax
    )
plt.show()

# %%
# Saliency of both labels for a clip with a wrong label:

wrong = np.flatnonzero(member.predict(sounds.waveforms[test]) != sounds.target[test])
if len(wrong):
    clip = wrong[probability[wrong].max(axis=1).argmax()]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for ax, label in zip(axes, ("I", "E")):
        SaliencyDisplay.from_estimator(
            member, sounds.waveforms[test][clip], label=label, ax=ax
        )
    figure.suptitle(f"True label {sounds.target[test][clip]}, predicted incorrectly")
    plt.show()
