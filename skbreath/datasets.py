"""Data to learn from: label files, and breath sounds made from noise."""

from ._kaggle import (
    load_kaggle_breath,
    load_labelled_folder,
    write_submission,
)
from ._recording_clips import clips_from_recordings
from ._simulation import make_breath_recording
from ._synthetic import make_breath_sounds, write_breath_sounds

__all__ = [
    "clips_from_recordings",
    "load_kaggle_breath",
    "load_labelled_folder",
    "make_breath_recording",
    "make_breath_sounds",
    "write_breath_sounds",
    "write_submission",
]
