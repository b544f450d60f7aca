"""Recordings of phones and the sound of videos."""

import shutil
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skbreath import (
    AudioError,
    AudioReader,
    AudioWarning,
    check_audio_files,
    clips_from_recordings,
    find_audio_files,
    inspect_audio_files,
    load_audio,
    make_breath_recording,
    read_label_track,
    write_label_track,
)
from skbreath.cli import main

av = pytest.importorskip("av", reason='needs the extra "media"')

# Encoders by name of the file; of the sound of a video, and of a sound alone.
KINDS = {
    "a.m4a": ("aac", 44100),
    "low.m4a": ("aac", 8000),
    "lossless.m4a": ("alac", 44100),
    "raw.aac": ("aac", 44100),
    "video.mp4": ("aac", 44100),
    "video.mov": ("aac", 48000),
    "pcm.mov": ("pcm_s16le", 44100),
    "coarse.mov": ("pcm_u8", 44100),
    "a.webm": ("libopus", 48000),
    "video.mkv": ("libopus", 48000),
    "a.3gp": ("libopencore_amrnb", 8000),
    "b.3gp": ("aac", 16000),
    "a.amr": ("libopencore_amrnb", 8000),
    "a.mp3": ("libmp3lame", 44100),
    "a.wma": ("wmav2", 48000),
}


def encode(path, sound, codec="aac", rate=44100, layout="mono", **options):
    """Write a sound with FFmpeg; files whose name begins with "video" get a picture."""
    pcm = np.round(np.reshape(sound, (1, -1)) * 32767).astype(np.int16)
    with av.open(str(path), "w", options=options) as out:
        out.metadata["title"] = "Atem"
        video = None
        if path.name.startswith("video"):
            video = out.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
            picture = np.zeros((32, 32, 3), np.uint8)
        track = out.add_stream(codec, rate=rate, layout=layout)
        if codec == "wmav2":
            track.bit_rate = 64000
        if video:
            for number in range(10):
                frame = av.VideoFrame.from_ndarray(picture)
                frame.pts, frame.time_base = number, Fraction(1, 10)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return path


def burst(rate, seconds=3.0):
    """Silence, with noise from 1.5 to 1.7 s."""
    sound = np.zeros(round(seconds * rate))
    part = slice(round(1.5 * rate), round(1.7 * rate))
    sound[part] = np.random.default_rng(0).uniform(-0.5, 0.5, len(sound[part]))
    return sound


@pytest.mark.parametrize("name", KINDS)
def test_times_agree_with_those_of_the_sound(name, tmp_path):
    codec, rate = KINDS[name]
    try:
        path = encode(tmp_path / name, burst(rate), codec, rate)
    except (ValueError, av.error.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write it: {error}")
    found, found_rate = load_audio(path)
    assert found_rate == rate and found.dtype == np.float32
    assert len(found) / rate == pytest.approx(3, abs=0.05)
    # Not its first sample: some encoders blur the noise by 50 ms to either side.
    power = np.square(found - np.median(found), dtype=np.float64)
    middle = np.arange(len(found)) @ power / power.sum() / rate
    # The encoder for WMA delays by one block (43 ms), and decoders expect two.
    assert middle == pytest.approx(1.6, abs=0.05)
    assert check_audio_files([path]) == pytest.approx(len(found) / rate, abs=0.05)
    assert find_audio_files(tmp_path) == [str(path)]


def test_samples_are_those_of_a_wav_file(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2))
    path = encode(tmp_path / "a.m4a", sound, "alac", layout="stereo")
    soundfile.write(tmp_path / "a.wav", np.round(sound * 32767) / 32768, 44100)
    expected, _ = load_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(load_audio(path)[0], expected)
    clips = AudioReader(duration=0.7).fit_transform([tmp_path / "a.wav", path])
    np.testing.assert_array_equal(clips[0], clips[1])
    content = path.read_bytes()
    assert b"Atem" in content
    # Known by its content, with a title in another encoding.
    (tmp_path / "phone.wav").write_bytes(content.replace(b"Atem", b"\xc4tem"))
    np.testing.assert_array_equal(load_audio(tmp_path / "phone.wav")[0], expected)


def test_all_bad_files_are_named_with_the_reason(tmp_path):
    whole = encode(tmp_path / "a.m4a", burst(44100)).read_bytes()
    lossless = encode(tmp_path / "b.m4a", burst(44100), "alac").read_bytes()
    damaged = bytearray(lossless)
    middle = lossless.index(b"mdat") + len(lossless) // 2
    damaged[middle : middle + 3000] = bytes(3000)
    content = {
        "text.m4a": (
            b"Dear diary",
            "not readable as audio: its content is in no known",
        ),
        "no index.m4a": (whole[:2000], "truncated or damaged: its index"),
        "protected.m4a": (whole.replace(b"mp4a", b"drms"), "protected against copies"),
        "damaged.m4a": (damaged, "is damaged: a part of it is lost"),
        "empty.m4a": (b"", "is empty, 0 bytes"),
        "playlist.m4a": (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n", "no known"),
    }
    for name, (bad, _) in content.items():
        (tmp_path / name).write_bytes(bad)
    with av.open(str(tmp_path / "silent.mp4"), "w") as out:
        video = out.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        out.mux([*video.encode(picture), *video.encode(None)])
    content["silent.mp4"] = (b"", "is a video without sound")
    files = find_audio_files(tmp_path)
    _, problems = inspect_audio_files(files)
    found = {path.removeprefix(f"{tmp_path}/"): why for path, why in problems}
    assert found.keys() == content.keys()
    for name, (_, why) in content.items():
        assert why in found[name]
    with pytest.raises(AudioError, match="7 audio files cannot be used"):
        AudioReader(duration=None).fit(files)


@pytest.mark.parametrize("options", ({"movflags": "faststart"}, None), ids=str)
def test_what_is_there_of_a_cut_file_is_read_with_a_warning(options, tmp_path):
    if options:
        path = encode(tmp_path / "a.m4a", burst(44100), **options)
    else:
        path = encode(tmp_path / "a.webm", burst(48000), "libopus", 48000)
    whole, rate = load_audio(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with pytest.warns(
        AudioWarning, match=r"a\.\w+' is cut short.* its first [12]\.\d s"
    ):
        part, _ = load_audio(path)
    assert 1 < len(part) / rate < 2.5
    np.testing.assert_array_equal(part, whole[: len(part)])


def test_without_the_extra_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    paths = [encode(tmp_path / name, burst(44100)) for name in ("a.m4a", "b.mp4")]
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match="2 audio files") as caught:
        check_audio_files(paths)
    text = str(caught.value)
    assert text.count('pip install -c constraints.txt ".[media]"') == 2
    assert str(paths[1]) in text and "ffmpeg -i b.mp4 b.wav" in text


@pytest.mark.slow
def test_commands_take_recordings_of_phones(tmp_path):
    def run(*args):
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exit_code == 0, result.output
        return result

    data = tmp_path / "data"
    data.mkdir()
    for seed, name in enumerate(("a.m4a", "video.mp4", "c.wav")):
        made = make_breath_recording(20, 12 + seed, random_state=seed)
        if name == "c.wav":
            soundfile.write(data / name, made.waveform, 16000)
        else:
            encode(data / name, made.waveform, rate=16000)
        write_label_track(data / f"{name.split('.')[0]}.txt", made.phases)
    model = tmp_path / "phases.skb"
    run("train-phases", data, "--out", model)
    shutil.copy(data / "a.m4a", tmp_path / "a.m4a")
    soundfile.write(tmp_path / "b.wav", *load_audio(data / "a.m4a"), "FLOAT")
    (tmp_path / "bad.m4a").write_bytes(b"Dear diary")
    files = [tmp_path / name for name in ("a.m4a", "b.wav", "bad.m4a")]
    out = tmp_path / "out"
    run("annotate", *files, "--model", model, "--out", out, "--skip-bad")
    labels = (out / "a.txt").read_text(encoding="utf-8")
    assert labels == (out / "b.txt").read_text(encoding="utf-8") and labels
    track = read_label_track(data / "a.txt")
    clips = clips_from_recordings([data / "a.m4a"], [track])
    assert len(clips.waveforms) > 4
    result = run("predict", data / "video.mp4", files[2], "--skip-bad")
    assert "video.mp4" in result.stdout


def test_files_of_hours_are_decoded_in_little_memory(tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    path = encode(tmp_path / "a.m4a", np.zeros(16000 * 600), rate=16000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_audio_files([path])  # import everything
        tracemalloc.start()
        assert inspect_audio_files([path])[0] == pytest.approx(600, abs=0.1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6  # all samples take 38 MB
