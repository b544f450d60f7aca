"""Find the phases of whole recordings, compute statistics of them, and compare them."""

from ._breath_statistics import breath_statistics
from ._phase_metrics import (
    boundary_errors,
    event_scores,
    rate_errors,
    segment_scores,
)
from ._phase_stream import PhaseStream
from .segmentation import PhaseSegmenter

__all__ = [
    "PhaseSegmenter",
    "PhaseStream",
    "boundary_errors",
    "breath_statistics",
    "event_scores",
    "rate_errors",
    "segment_scores",
]
