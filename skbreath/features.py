"""Features of breath sounds: from waveforms to channels over time, and onwards.

:class:`BreathFeatures` turns waveforms into channels over time, 3-D;
:class:`ChannelScaler` standardises the channels; :class:`SummaryPooling` makes one
row per clip of them, for classifiers that take a plain table.
"""

from ._breath_features import BreathFeatures
from ._channel_scaler import ChannelScaler
from ._summary_pooling import SummaryPooling

__all__ = ["BreathFeatures", "ChannelScaler", "SummaryPooling"]
