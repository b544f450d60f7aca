"""Check the parameters of the features, and name the channels."""

from typing import NamedTuple

import numpy as np

from . import filters

__all__ = ["ALL_GROUPS", "GROUPS", "SHORTEST_LOOP_S", "FeatureStack"]

GROUPS = ("mel", "rms", "zcr", "contrast", "mfcc", "delta", "delta2")
"""Channel groups computed by default, in the order of the channels."""

ALL_GROUPS = (*GROUPS, "loop")

SHORTEST_LOOP_S = 0.1
"""Repetitions with a shorter period in seconds are not taken for breaths."""


class FeatureStack(NamedTuple):
    """Parameters of :class:`~skbreath.BreathFeatures` that determine its values.

    `groups` is a tuple.
    """

    sample_rate: float
    groups: tuple
    n_mels: int
    n_fft: int
    hop_length: int
    fmin: float
    fmax: float | None
    n_mfcc: int
    n_contrast_bands: int
    log_scale: bool
    dtype: str

    def check(self):
        """Check all parameters but the number of mel bands."""
        self._check_frames()
        self._check_bands()
        unknown = [group for group in self.groups if group not in ALL_GROUPS]
        if not self.groups or unknown or len(set(self.groups)) < len(self.groups):
            raise ValueError(
                f"groups must name one or more of {ALL_GROUPS}, each at most once; got "
                f"{list(self.groups)}."
            )
        if "contrast" in self.groups:
            self._check_contrast()

    def _check_frames(self):
        if self.n_fft % 2:
            raise ValueError(f"n_fft must be even, got {self.n_fft}.")
        if self.hop_length > self.n_fft:
            raise ValueError(
                f"hop_length must be at most n_fft={self.n_fft}, or samples between "
                f"frames are lost; got {self.hop_length}."
            )

    def _check_bands(self):
        """Check the edges of the mel bands, and the number of coefficients."""
        nyquist = self.sample_rate / 2
        if self.fmax is not None and self.fmax > nyquist:
            raise ValueError(
                f"fmax must be at most half the sample rate, {nyquist:g} Hz; got "
                f"{self.fmax:g}."
            )
        fmax = nyquist if self.fmax is None else self.fmax
        if self.fmin >= fmax:
            raise ValueError(f"fmin must be below fmax={fmax:g} Hz, got {self.fmin:g}.")
        if self.n_mfcc > filters.N_MFCC_MELS:
            raise ValueError(
                f"n_mfcc must be at most {filters.N_MFCC_MELS}, the number of mel "
                f"bands of the MFCC; got {self.n_mfcc}."
            )

    @property
    def is_cepstral(self):
        """Whether groups need the mel bands of the MFCC."""
        return not {"mfcc", "delta", "delta2"}.isdisjoint(self.groups)

    def filter_shapes(self):
        """Get the shapes of the mel filters of the group "mel" and of the MFCC."""
        n_mels = self.n_mels if "mel" in self.groups else 0
        n_cepstral = filters.N_MFCC_MELS if self.is_cepstral else 0
        return [(n, self.n_fft // 2 + 1) for n in (n_mels, n_cepstral)]

    def mel_filters(self):
        """Compute the mel filters of the group "mel", and those of the MFCC.

        Both have shape (n_bands, n_fft // 2 + 1), without rows if no group needs them.
        """
        mel, mfcc = (
            filters.mel_filters(
                self.sample_rate, self.n_fft, shape[0], self.fmin, self.fmax
            )
            if shape[0]
            else np.zeros(shape)
            for shape in self.filter_shapes()
        )
        empty = np.flatnonzero(~mel.any(axis=1))
        if len(empty):
            fmax = self.sample_rate / 2 if self.fmax is None else self.fmax
            raise ValueError(
                f"n_mels={self.n_mels} is too many: {len(empty)} mel bands between "
                f"fmin={self.fmin:g} and fmax={fmax:g} Hz hold no bin of the spectrum, "
                f"whose {self.n_fft // 2 + 1} bins are "
                f"{self.sample_rate / self.n_fft:g} Hz apart. Lower n_mels or raise "
                "n_fft."
            )
        return mel, mfcc

    def _check_contrast(self):
        lowest = filters.CONTRAST_FMIN
        if self.sample_rate <= 2 * lowest or self.sample_rate / self.n_fft > lowest:
            raise ValueError(
                f"contrast needs a sample_rate above {2 * lowest:g} Hz and n_fft of at "
                f"least sample_rate / {lowest:g}; got sample_rate="
                f"{self.sample_rate:g}, n_fft={self.n_fft}. Leave contrast out of "
                "groups."
            )

    def n_frames(self, n_samples):
        """Count the frames of a clip: one at every `hop_length`-th sample."""
        return 1 + n_samples // self.hop_length

    def shortest_loop(self):
        """Get the shortest period of a loop, in samples."""
        return max(1, round(SHORTEST_LOOP_S * self.sample_rate))

    def channel_names(self):
        """List the names of the channels, in order."""
        return [
            name
            for group in ALL_GROUPS
            if group in self.groups
            for name in self.names_of(group)
        ]

    def names_of(self, group):
        """List the names of the channels of a group, whether it is used or not."""
        if group in ("rms", "zcr"):
            return [group]
        if group == "loop":
            return ["loop_position", "loop_period"]
        if group == "contrast":
            edges, _ = filters.contrast_bands(
                self.sample_rate, self.n_fft, self.n_contrast_bands
            )
            bands = zip(edges[:-1], edges[1:], strict=True)
            return [f"contrast_{low:g}_{high:g}hz" for low, high in bands]
        size = self.n_mels if group == "mel" else self.n_mfcc
        return [f"{group}_{i}" for i in range(size)]
