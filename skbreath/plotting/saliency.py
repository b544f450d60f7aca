"""Draw which parts of a clip led a network to its prediction, by Grad-CAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..ensemble.mixture import FoldAverage
from .axes import INK, ORANGE, TitledDisplay

if TYPE_CHECKING:
    from typing import Any, Self

    import torch
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["SaliencyDisplay", "grad_cam"]


def grad_cam(
    network: torch.nn.Module,
    x: torch.Tensor,
    layer: torch.nn.Module,
    *,
    output: int = 0,
    sign: float = 1.0,
) -> np.ndarray:
    """Compute Grad-CAM maps of a layer, of shape ``(n_clips, ...)``, for one logit.

    The channels of the layer's output ``(n_clips, n_channels, ...)`` are added, each
    weighted by its mean gradient; negative sums become 0. With a `sign` of -1 the maps
    are for the other one of two classes. The tests compare them with captum, which is
    not a dependency for these few lines.
    """
    import torch

    kept = []
    hook = layer.register_forward_hook(lambda module, given, made: kept.append(made))
    try:
        with torch.enable_grad():
            # The input requires gradients, as all weights may be frozen.
            logits = network(x.detach().clone().requires_grad_())
            (maps,) = kept
            (slopes,) = torch.autograd.grad(sign * logits[:, output].sum(), maps)
    finally:
        hook.remove()
    places = tuple(range(2, maps.ndim))
    weighted = slopes.mean(dim=places, keepdim=True) * maps
    return weighted.sum(dim=1).clamp_min(0).detach().cpu().numpy()


class SaliencyDisplay(TitledDisplay):
    """Grad-CAM saliency map of a clip for one class.

    It shows the mel spectrogram, with lines where the saliency reaches 50 % and 80 % of
    its maximum, and above it the mean saliency of each frame. A network over time
    (:class:`~skbreath.ResidualCNN1d`) combines all channels of a frame, so that it has
    only the latter.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    saliency : ndarray of shape (n_bands, n_frames)
        From 0 to 1, the largest; one row of a network over time.
    power : ndarray of shape (n_channels, n_frames)
        Mel bands, drawn beneath.
    times : ndarray of shape (n_frames,)
        Centres of the frames in s.
    frequencies : ndarray of shape (n_channels,) or None
        Centres of the mel bands in Hz; None if the channels are not mel bands.
    label : label
        The class that is explained.
    probability : float
        Its probability, as the network predicts it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the spectrogram.
    time_ax_ : matplotlib Axes
        Axes of the mean saliency of each frame.
    figure_ : matplotlib Figure
        Their figure.

    References
    ----------
    Selvaraju R. R. et al. (2017). Grad-CAM: Visual explanations from deep networks
    via gradient-based localization. ICCV, 618-626.
    """

    def __init__(
        self,
        saliency: np.ndarray,
        power: np.ndarray,
        times: np.ndarray,
        frequencies: np.ndarray | None,
        label: Any,
        probability: float,
    ) -> None:
        self.saliency = saliency
        self.power = power
        self.times = times
        self.frequencies = frequencies
        self.label = label
        self.probability = probability

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        waveform: ArrayLike,
        *,
        label: Any = None,
        layer: str | None = None,
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Explain the prediction of a network for one clip.

        Parameters
        ----------
        estimator : Pipeline
            Fitted: :class:`~skbreath.BreathFeatures`, other transformers, a
            :class:`~skbreath.ResidualCNNClassifier`; such as a member of a vote. Of a
            member that averages the models of folds, the mean of their maps is drawn.
        waveform : array-like of shape (n_samples,)
            One clip.
        label : label, default=None
            The class to explain; None means the predicted one.
        layer : str, default=None
            Part of the network whose maps are used, such as ``"blocks.1"``: deeper
            parts are more specific to the class, and coarser. None means the last
            residual block.
        title : str, default=None
            Title of the axes; None names class and probability.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SaliencyDisplay

        Raises
        ------
        ValueError
            If `estimator` is not such a pipeline, or the label or layer is unknown.

        Examples
        --------
        >>> from skbreath import make_breath_sounds
        >>> from skbreath import SaliencyDisplay
        >>> from skbreath import make_spectrogram_member
        >>> sounds = make_breath_sounds(60, random_state=0)
        >>> member = make_spectrogram_member(max_epochs=2, random_state=0)
        >>> member = member.fit(sounds.waveforms, sounds.target)
        >>> display = SaliencyDisplay.from_estimator(member, sounds.waveforms[0])
        >>> display.saliency.shape, display.power.shape
        ((64, 63), (64, 63))
        """
        models = [estimator]
        if isinstance(estimator, FoldAverage):
            models = estimator.estimators
        features, net = _ends(models[0])
        classes = net.classes_.tolist()
        (probabilities,) = estimator.predict_proba([waveform])
        index = int(probabilities.argmax()) if label is None else _index(label, classes)
        maps = np.mean([_map(m, waveform, index, layer) for m in models], axis=0)
        (unscaled,) = features.transform([waveform])
        power, frequencies = _mel_bands(features, unscaled)
        n_bands, n_frames = power.shape
        saliency = _stretch(maps, n_bands if len(maps) > 1 else 1, n_frames)
        display = cls(
            saliency / max(saliency.max(), 1e-12),
            power,
            np.arange(n_frames) * features.hop_length / features.sample_rate,
            frequencies,
            classes[index],
            float(probabilities[index]),
        )
        return display.plot(ax=ax, title=title)

    def _draw(self, ax, title):
        from matplotlib import patheffects

        rows = np.arange(len(self.power))
        ax.pcolormesh(
            *(self.times, rows, self.power),
            shading="nearest",
            cmap="gray",
            rasterized=True,
        )
        if len(self.saliency) > 1 and self.saliency.any():
            lines = ax.contour(
                *(self.times, rows, self.saliency),
                levels=(0.5, 0.8),
                colors=ORANGE,
                linewidths=(1.5, 3),
            )
            # A black edge makes the lines visible on light and on dark.
            halo = patheffects.Stroke(linewidth=5, foreground="black")
            lines.set_path_effects([halo, patheffects.Normal()])
        ax.set(xlabel="Time (s)", ylabel="Channel")
        if self.frequencies is not None:
            ticks = np.linspace(0, len(rows) - 1, 7).round().astype(int)
            ax.set_yticks(ticks, [f"{self.frequencies[i]:.0f}" for i in ticks])
            ax.set_ylabel("Mel band (Hz)")
        share = ax.inset_axes([0, 1.03, 1, 0.22], sharex=ax)
        moments = self.saliency.mean(axis=0)
        share.fill_between(self.times, moments, color=ORANGE, edgecolor=INK)
        share.set(ylim=(0, max(moments.max() * 1.1, 1e-6)), yticks=[])
        share.set_ylabel("Saliency", rotation=0, ha="right", va="center")
        share.tick_params(axis="x", labelbottom=False)
        share.spines[["top", "right", "left"]].set_visible(False)
        if title is None:
            title = f"Saliency for {self.label} (probability {self.probability:.2f})"
        share.set_title(title, parse_math=False)
        self.time_ax_ = share


def _map(model, waveform, index, layer):
    """Compute the saliency map of a class, of shape (n_rows, n_columns), maximum 1."""
    import torch

    _, net = _ends(model)
    x = model[:-1].transform([waveform])
    network = net.net_.module_.eval()
    two = len(net.classes_) == 2
    (map_,) = grad_cam(
        network,
        torch.as_tensor(x, device=net.net_.device),
        _layer(network, layer),
        output=0 if two else index,
        sign=1.0 if index or not two else -1.0,
    )
    map_ = map_.reshape(-1, map_.shape[-1])
    return map_ / max(map_.max(), 1e-12)


def _ends(estimator):
    """Get the first and last step of a pipeline from waveforms to a network."""
    from ..features.breath_features import BreathFeatures
    from ..networks.classifier import ResidualCNNClassifier

    if isinstance(estimator, Pipeline):
        first, last = estimator[0], estimator[-1]
        if isinstance(first, BreathFeatures) and isinstance(
            last, ResidualCNNClassifier
        ):
            check_is_fitted(last, "net_")
            return first, last
    raise ValueError(
        "Expected a fitted pipeline from BreathFeatures to ResidualCNNClassifier, such "
        f"as a member of a vote, got a {type(estimator).__name__}."
    )


def _index(label, classes):
    """Get the index of a label."""
    if label not in classes:
        raise ValueError(f"Expected one of the classes {classes}, got label={label!r}.")
    return classes.index(label)


def _layer(network, name):
    """Get a layer of a network by name; None means the last residual block."""
    if name is None:
        name = "blocks" if hasattr(network, "blocks") else "block2"
    try:
        return network.get_submodule(name)
    except AttributeError:
        parts = ", ".join(part for part, _ in network.named_children())
        raise ValueError(
            f"Expected layer to be a part of the {type(network).__name__}, such as "
            f"{parts}, got {name!r}."
        ) from None


def _mel_bands(features, x):
    """Get the mel bands and their centres in Hz; all channels if there are none."""
    if "mel" not in features.groups:
        return x, None
    import librosa

    fmax = features.sample_rate / 2 if features.fmax is None else features.fmax
    edges = librosa.mel_frequencies(features.n_mels + 2, fmin=features.fmin, fmax=fmax)
    return x[: features.n_mels], edges[1:-1]


def _stretch(maps, n_rows, n_columns):
    """Resize a map bilinearly."""
    import torch
    from torch.nn.functional import interpolate

    image = torch.from_numpy(maps)[None, None]
    stretched = interpolate(image, (n_rows, n_columns), mode="bilinear")
    return stretched[0, 0].numpy()
