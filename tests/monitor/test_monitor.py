"""The server of ``skbreath monitor``: who may connect, and what it answers."""

import http.client
import json
import socket
import sys
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skbreath import (
    PhaseSegmenter,
    breath_statistics,
    make_breath_recording,
    save_model,
)
from skbreath.cli import main

pytest.importorskip("starlette", reason='needs the extra "monitor"')
pytest.importorskip("uvicorn", reason='needs the extra "monitor"')
client = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def port(start_monitor, live_model):
    with start_monitor(live_model) as (_, port):
        yield port


@pytest.fixture
def connect(port):
    """Return a function that opens a stream as the page does."""
    with ExitStack() as opened:

        def connect(request=None):
            address = f"ws://127.0.0.1:{port}/stream"
            origin = f"http://127.0.0.1:{port}"
            stream = client.connect(address, origin=origin, proxy=None)
            stream = opened.enter_context(stream)
            if request is not None:
                stream.send(json.dumps(request))
            return stream

        yield connect


def answers(stream):
    """Read all answers of a stream until it is closed."""
    found = []
    try:
        while True:
            found.append(json.loads(stream.recv(timeout=60)))
    except exceptions.ConnectionClosed:
        return found


def phases(found):
    return [tuple(phase[:3]) for answer in found for phase in answer["phases"]]


def expected(table):
    return [tuple(row) for row in table.round(6).to_numpy()[:, :3].tolist()]


def error(stream):
    (answer,) = answers(stream)
    return answer["error"]


def ask(port, path="/", headers=(), method="GET"):
    """Send a request with exactly these headers; return the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.text = response.read() if response.status != 101 else b""
    connection.close()
    return response


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_page_has_its_files_and_a_strict_policy(port, name):
    host = ("Host", f"{name}:{port}")
    for path in ("/", "/page.js", "/microphone.js", "/page.css", "/icon.svg"):
        response = ask(port, path, [host])
        assert response.status == 200 and b"{{" not in response.text
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert ask(port, "/../app.py", [host]).status == 404
    assert ask(port, "/", [host], "POST").status == 405


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Host", "example.org")],
        [("Host", "127.0.0.1")],
        [("Host", "127.0.0.1:1")],
        [("Host", "example.org:{port}")],
        [("Host", "127.0.0.1.example.org:{port}")],
        [("Host", "127.0.0.1:{port}"), ("Origin", "http://example.org")],
        [("Host", "127.0.0.1:{port}"), ("Origin", "http://127.0.0.1:1")],
        [("Host", "127.0.0.1:{port}"), ("Origin", "https://127.0.0.1:{port}")],
        [("Host", "127.0.0.1:{port}"), ("Origin", "http://localhost:{port}")],
        [("Host", "127.0.0.1:{port}"), ("Origin", "null")],
    ],
)
def test_other_hosts_and_origins_are_refused(port, headers):
    headers = [(name, value.format(port=port)) for name, value in headers]
    # A server may answer a request without a host in its own way.
    refused = 400 if not headers else 403
    assert ask(port, "/", headers).status == refused
    assert ask(port, "/stream", [*headers, *UPGRADE.items()]).status == refused


def test_stream_needs_an_origin(port):
    host = ("Host", f"127.0.0.1:{port}")
    assert ask(port, "/stream", [host, *UPGRADE.items()]).status == 403
    own = ("Origin", f"http://127.0.0.1:{port}")
    assert ask(port, "/stream", [host, own, *UPGRADE.items()]).status == 101


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second local address")
def test_only_one_address_is_served(port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_blocks_give_the_phases_of_the_whole_recording(connect, segmenter, recording):
    samples, rate = soundfile.read(recording, dtype="int16")
    stream = connect({"rate": rate, "start": 0})
    found = []
    for first in range(0, len(samples), 1600):
        stream.send(samples[first : first + 1600].astype("<i2").tobytes())
        found.append(json.loads(stream.recv(timeout=60)))
    stream.send('{"finish": true}')
    found += answers(stream)
    (table,) = segmenter.predict([str(recording)])
    assert len(table) > 6 and phases(found) == expected(table)
    # Each phase is there in time.
    for answer in found[:-1]:
        for phase in answer["phases"]:
            assert answer["time"] - phase[1] <= segmenter.latency_ + 0.1
    assert {answer["now"] for answer in found[10:]} == {"I", "E", "pause"}
    assert max(answer["pause_s"] for answer in found) > 3
    wanted = breath_statistics(table, len(samples) / rate).summary
    last = found[-1]
    assert last["done"] and last["time"] == len(samples) / rate
    assert last["longest_pause_s"] == pytest.approx(wanted.longest_pause_s, abs=1e-3)
    for name in ("rate_per_min", "ie_ratio"):
        assert last[name] == pytest.approx(wanted[name], abs=0.01)


def test_later_stream_goes_on_in_time(connect, segmenter, recording):
    samples, rate = soundfile.read(recording, dtype="int16")
    stream = connect({"rate": rate, "start": 61.5})
    stream.send(samples.tobytes())
    stream.send('{"finish": true}')
    found = phases(answers(stream))
    (table,) = segmenter.predict([str(recording)])
    table[["start_s", "end_s"]] += 61.5
    assert found == expected(table)


def test_file_gives_the_phases_of_annotate(connect, live_model, recording):
    command = ["annotate", str(recording), "--model", str(live_model), "--json"]
    annotated = json.loads(CliRunner().invoke(main, command).stdout)["recordings"][0]
    data = recording.read_bytes()
    stream = connect({"file": "../../brèath.wav", "size": len(data)})
    for first in range(0, len(data), 2**18):
        stream.send(data[first : first + 2**18])
    found = answers(stream)
    wanted = [(p["start_s"], p["end_s"], p["label"]) for p in annotated["phases"]]
    assert phases(found) == wanted
    samples, rate = soundfile.read(recording)
    peaks = np.concatenate([answer["peaks"][1] for answer in found[:-1]])
    by_20_ms = np.abs(samples).reshape(-1, rate // 50).max(axis=1)
    np.testing.assert_allclose(peaks, by_20_ms, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("notes.txt", b"no sound " * 99, "notes.txt is not readable as audio"),
        ("empty.wav", b"", "empty.wav is empty, 0 bytes"),
        ("a/b\0c.wav", b"RIFF", "a_b_c.wav is not readable as audio"),
    ],
)
def test_file_that_is_not_sound_is_named(connect, name, data, message):
    stream = connect({"file": name, "size": len(data)})
    if data:
        stream.send(data)
    assert message in error(stream)


GARBAGE = {
    "no JSON": ["garbage"],
    "bytes first": [b"\0\0"],
    "deep": ["[" * 100_000],
    "list": ["[]"],
    "no rate": ["{}"],
    "rate of 1 Hz": ['{"rate": 1}'],
    "rate is text": ['{"rate": "48000"}'],
    "rate is huge": ['{"rate": 1' + "0" * 400 + "}"],
    "start is NaN": ['{"rate": 48000, "start": NaN}'],
    "negative start": ['{"rate": 48000, "start": -1}'],
    "half a sample": ['{"rate": 48000}', b"\0\0\0"],
    "other text": ['{"rate": 48000}', '{"finish": false}'],
    "file without a size": ['{"file": "a.wav"}'],
    "file is a number": ['{"file": 3, "size": 3}'],
    "negative size": ['{"file": "a.wav", "size": -1}'],
    "huge file": ['{"file": "a.wav", "size": 10000000000}'],
    "more than the file": ['{"file": "a.wav", "size": 2}', b"\0\0\0"],
    "text in the file": ['{"file": "a.wav", "size": 2}', "ab"],
}


@pytest.mark.parametrize("messages", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_error_of_that_stream(connect, messages):
    stream = connect()
    for message in messages:
        stream.send(message)
    text = error(stream)
    assert text.endswith((".", "?")) and len(text) < 200, text
    assert stream.close_code == 1008


def test_too_large_message_closes_its_stream(connect):
    stream = connect({"rate": 48000})
    stream.send(bytes(2**20 + 2))
    assert answers(stream) == []
    assert stream.close_code == 1009


def test_bad_streams_do_not_touch_the_others(connect, segmenter, recording):
    samples, rate = soundfile.read(recording, dtype="int16")
    (table,) = segmenter.predict([str(recording)])
    good = [connect({"rate": rate}) for _ in range(7)]
    connect({"rate": rate})  # silent
    garbage, stopped = connect({"rate": rate}), connect({"rate": rate})
    blocks = [samples[first : first + 16000] for first in range(0, len(samples), 16000)]
    for number, block in enumerate(blocks):
        for stream in good:
            stream.send(block.tobytes())
        if number == 3:
            garbage.send("{" * 1000)
            stopped.send(block.tobytes())
            stopped.socket.close()
    assert "error" in answers(garbage)[0]
    for stream in good:
        stream.send('{"finish": true}')
        assert phases(answers(stream)) == expected(table)


def test_number_of_streams_is_bounded(connect):
    streams = [connect({"rate": 16000}) for _ in range(16)]
    for stream in streams:
        stream.send(bytes(3200))
        assert json.loads(stream.recv(timeout=60))["time"] == 0.1
    assert "at most 16 streams" in error(connect())
    streams[0].close()
    stream = connect({"rate": 16000})
    stream.send(bytes(3200))
    assert "time" in json.loads(stream.recv(timeout=60))


def test_port_in_use_is_one_clear_error(port):
    result = CliRunner().invoke(main, ["monitor", "--port", str(port)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: Port {port} cannot be opened (Address")
    assert result.stderr.count("\n") == 1 and "--port" in result.stderr


def test_extra_that_is_missing_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("skbreath.monitor")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(main, ["monitor"])
    assert result.exit_code == 2
    assert 'pip install -c constraints.txt ".[monitor]"' in result.stderr


def test_model_of_other_labels_is_refused(tmp_path):
    made = make_breath_recording(10, random_state=0)
    names = {"I": "in", "E": "out"}
    table = made.phases.assign(label=made.phases["label"].map(names))
    segmenter = PhaseSegmenter(labels=("in", "out"), emission_weight=0.4)
    path = tmp_path / "other.skb"
    save_model(segmenter.fit([made.waveform], [table]), path)
    command = ["monitor", "--model", str(path), "--port", "0", "--no-browser"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "labels I and E, got in, out" in result.stderr
