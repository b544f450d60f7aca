"""Serve the page, and answer its sound with phases."""

import asyncio
import json
import re
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from .. import __version__
from ..audio.files import RATES, AudioError
from ..audio.inputs import as_recordings
from .sound import Sound, peaks

__all__ = ["open_port", "serve"]

_ADDRESS = "127.0.0.1"
_TYPES = {
    "page.html": "text/html",
    "page.js": "text/javascript",
    "microphone.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
# Of streams at once; of one message and one file in bytes.
_MAX_STREAMS, _MAX_MESSAGE, _MAX_FILE = 16, 2**20, 2**31
# A stream without a message, or that does not read its answers, ends after this.
_PATIENCE_S = 30.0
# Parts of a file that are processed at once; other streams wait for one of them.
_PART_S = 5
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src blob:; connect-src 'self' {sockets}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def open_port(port):
    """Open a port of this computer for `serve`; 0 opens any that is free."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # or a server that ended would block its port for a minute
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(
            f"Port {port} cannot be opened ({error.strerror}), perhaps as another "
            "`skbreath monitor` runs: end that, or choose another --port, or 0 for any "
            "that is free."
        ) from error
    return listener


def serve(listener, segmenter, name):
    """Serve the page for a segmenter until the process is interrupted."""
    port = listener.getsockname()[1]
    streams = _Streams(segmenter)
    routes = [*_page(port, name, segmenter), WebSocketRoute("/stream", streams.answer)]
    config = uvicorn.Config(
        _OwnPageOnly(Starlette(routes=routes), port),
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=4 * _MAX_STREAMS,
        timeout_graceful_shutdown=1,
        ws_max_size=_MAX_MESSAGE,
        ws_per_message_deflate=False,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        streams.close()


def _page(port, name, segmenter):
    """Make the routes of the files of the page."""
    sockets = " ".join(f"ws://{host}" for host in _hosts(port))
    headers = _HEADERS | {"Content-Security-Policy": _POLICY.format(sockets=sockets)}
    values = {
        "model": escape(str(name)),
        "latency": f"{segmenter.latency_:.1f}",
        "version": __version__,
    }
    folder = files(__package__) / "page"
    routes = []
    for file, kind in _TYPES.items():
        text = (folder / file).read_text("utf-8")
        if file == "page.html":
            text = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)
        response = Response(text, headers=headers, media_type=kind)
        path = "/" if file == "page.html" else f"/{file}"
        routes.append(Route(path, _answer_with(response)))
    return routes


def _answer_with(response):
    """Make an endpoint that always gives the same response."""

    async def answer(_request):
        return response

    return answer


def _hosts(port):
    """List the names by which browsers may know this server."""
    return [f"{name}:{port}" for name in (_ADDRESS, "localhost")]


class _OwnPageOnly:
    """Refuse requests of other pages, and by other names of this computer.

    Other pages in the same browser may send requests here, and by a name of their own
    that leads to this computer they could even read the answers.
    """

    def __init__(self, app, port):
        self._app = app
        self._hosts = {host.encode() for host in _hosts(port)}

    async def __call__(self, scope, receive, send):
        found = {b"host": [], b"origin": []}
        for name, value in scope["headers"]:
            found.setdefault(name, []).append(value)
        hosts, origins = found[b"host"], found[b"origin"]
        is_socket = scope["type"] == "websocket"
        allowed = len(hosts) == 1 and hosts[0] in self._hosts
        # Browsers leave out the origin where a user opens a page, but not of a socket.
        if origins or is_socket:
            allowed = allowed and origins == [b"http://" + hosts[0]]
        if allowed:
            await self._app(scope, receive, send)
        elif is_socket:
            await send({"type": "websocket.close", "code": 1008})
        else:
            refuse = PlainTextResponse(
                "Only this computer's own page is served here.\n", 403, _HEADERS
            )
            await refuse(scope, receive, send)


class _Streams:
    """Answer the sound of each stream with phases."""

    def __init__(self, segmenter):
        self._segmenter, self._n_open = segmenter, 0
        # One thread: streams take turns, and the page is served meanwhile.
        self._worker = ThreadPoolExecutor(1)
        # The first stream of all is slow, as it loads and compiles.
        self._worker.submit(segmenter.partial, 48000)

    def close(self):
        """End the thread."""
        self._worker.shutdown(cancel_futures=True)

    async def answer(self, socket):
        """Answer one connection, and close it if anything in it is wrong."""
        await socket.accept()
        self._n_open += 1
        try:
            if self._n_open > _MAX_STREAMS:
                raise ValueError(
                    f"Expected at most {_MAX_STREAMS} streams at once; close other "
                    "pages of this monitor."
                )
            request = _read_json(await _receive(socket))
            if "file" in request:
                await self._answer_file(socket, *_file_request(request))
            else:
                await self._answer_microphone(socket, *_sound_request(request))
            await socket.close()
        except WebSocketDisconnect:
            pass
        except TimeoutError as error:
            await _end(socket, error, 1013)  # the page connects again
        except (ValueError, OSError) as error:
            await _end(socket, error, 1008)
        finally:
            self._n_open -= 1

    async def _run(self, function, *args):
        """Run a function in the thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *args)

    async def _answer_microphone(self, socket, rate, start_s):
        """Answer each block of 16-bit samples, until the page ends the sound."""
        sound = await self._run(Sound, self._segmenter, rate, start_s)
        while isinstance(message := await _receive(socket), bytes):
            if len(message) % 2:
                raise ValueError(
                    f"Expected samples of 2 bytes each, got {len(message)} bytes."
                )
            block = np.frombuffer(message, "<i2").astype(np.int16, copy=False)
            await _send(socket, await self._run(sound.push, block))
        if _read_json(message) != {"finish": True}:
            raise ValueError('Expected samples or {"finish": true}, got other text.')
        await _send(socket, await self._run(sound.finish))

    async def _answer_file(self, socket, name, size):
        """Receive a file, and answer each part of it."""
        with tempfile.TemporaryDirectory(prefix="skbreath-") as folder:
            path = Path(folder, name)
            with path.open("wb") as file:
                while (missing := size - file.tell()) > 0:
                    message = await _receive(socket)
                    if not isinstance(message, bytes) or len(message) > missing:
                        raise ValueError(f"Expected {missing} more bytes of the file.")
                    file.write(message)
            try:
                await self._answer_recording(socket, str(path))
            except AudioError as error:
                raise ValueError(f"{name} {error.problems[0][1]}.") from error

    async def _answer_recording(self, socket, path):
        """Answer each part of a recording in a file."""
        (recording,) = as_recordings([path], self._segmenter.sample_rate)
        blocks, sound, n_samples = recording.blocks(), None, 0
        try:
            while (item := await self._run(next, blocks, None)) is not None:
                rate, block = item
                sound = sound or Sound(self._segmenter, rate)
                for first in range(0, len(block), _PART_S * rate):
                    part = block[first : first + _PART_S * rate]
                    answer = await self._run(sound.push, part)
                    answer["peaks"] = peaks(part, rate, n_samples)
                    n_samples += len(part)
                    await _send(socket, answer)
        finally:
            await self._run(blocks.close)
        await _send(socket, await self._run(sound.finish))


async def _receive(socket):
    """Return the next message as text or bytes."""
    try:
        message = await asyncio.wait_for(socket.receive(), _PATIENCE_S)
    except TimeoutError:
        raise TimeoutError(f"No sound came for {_PATIENCE_S:.0f} s.") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    text, data = message.get("text"), message.get("bytes")
    return data if text is None else text


async def _send(socket, answer):
    """Send an answer; an error if it is not read."""
    await asyncio.wait_for(socket.send_json(answer), _PATIENCE_S)


async def _end(socket, error, code):
    """Send what is wrong, and close the connection."""
    try:
        text = getattr(error, "strerror", None) or str(error)
        await _send(socket, {"error": text[:500]})
        await socket.close(code)
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        pass  # it is closed already


def _read_json(message):
    """Return the object in a message of text."""
    try:
        found = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("Expected text with a JSON object, got something else.")
    return found


def _sound_request(request):
    """Return the rate and the start in s of the sound of a microphone."""
    rate, start = request.get("rate"), request.get("start", 0)
    numbers = type(rate) is int and type(start) in (int, float)
    if not numbers or not 0 <= start < 1e9 or not RATES[0] <= rate <= RATES[1]:
        raise ValueError(
            f"Expected a rate from {RATES[0]} to {RATES[1]} Hz, and a start in s."
        )
    return rate, float(start)


def _file_request(request):
    """Return a safe name, with the suffix of the file, and the size in bytes."""
    name, size = request["file"], request.get("size")
    if not isinstance(name, str) or type(size) is not int:
        raise ValueError("Expected a name and a size of the file.")
    if not 0 <= size <= _MAX_FILE:
        raise ValueError(
            f"Expected a file of at most {_MAX_FILE / 2**30:.0f} GiB, got "
            f"{size / 2**30:.1f} GiB; use `skbreath annotate` for it."
        )
    return re.sub(r"[^\w. -]", "_", name)[-100:].strip(". ") or "recording", size
