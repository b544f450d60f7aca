"""``skbreath listen``."""

import json
import signal
import sys
import threading
from contextlib import ExitStack, closing, contextmanager

import click

from ..live import LIVE_MODEL, LONGEST_DELAY_S
from .annotation import load_segmenter
from .common.command import LinesCommand, plain, wants_json
from .common.files import check_outputs
from .common.options import TimeType, path_type

# Times a second that the line on a terminal is drawn, and s of sound until a machine
# is said to be slow.
_PER_S, _BEHIND_S = 8, 1.0
_WORDS = {"I": "inhale", "E": "exhale", None: "pause"}


@click.command(cls=LinesCommand)
@click.argument("source", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option("--list-devices", is_flag=True, help="List the microphones, and end.")
@click.option(
    "--device",
    help="Number or part of the name of a microphone.  [default: that of the system]",
)
@click.option(
    "--rate",
    type=click.IntRange(1),
    help="Rate in Hz: of raw sound on standard input, which needs it, or for the "
    "microphone.  [default: its own]",
)
@click.option(
    "--model",
    type=path_type,
    default=LIVE_MODEL,
    show_default=True,
    help="A model of the package, or a file written by `train-phases --live`.",
)
@click.option("--out", type=path_type, help="Label file to write as phases are found.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["audacity", "csv", "hf_lung", "raven"]),
    help="Format of --out.  [default: by its suffix]",
)
@click.option("--record", type=path_type, help="WAV file to write the sound to.")
@click.option(
    "--duration",
    type=TimeType(),
    help="Stop after so much sound, in s, m:ss or h:mm:ss.  [default: at Ctrl-C]",
)
@click.option("--overwrite", is_flag=True, help="Let --out replace a file.")
def listen(
    source, list_devices, device, rate, model, out, format_, record, duration, overwrite
):
    """Find inhales and exhales while they happen.

    The sound is that of a microphone, or, with -, that of standard input: WAV, or raw
    16-bit little-endian mono PCM. On a terminal one line shows phase, rate and I:E
    ratio of the last minute, and the time since the last breath. With --json or in a
    pipe each phase is a JSON object in a line of its own. Ctrl-C ends it; a second one
    at once.

    \b
    Examples:
      skbreath listen --out labels.txt --record sound.wav
      arecord -f S16_LE -r 44100 | skbreath listen - --json
      ffmpeg -i film.mp4 -f wav -ac 1 -ar 16000 - | skbreath listen -
    """
    if list_devices:
        _print_devices()
        return
    if source is not None and device is not None:
        raise click.UsageError(
            "- and --device are two sources of sound; leave one out."
        )
    _check_files(out, record, model, overwrite)
    from ..live.sources import find_microphone
    from ..utils.contexts import one_thread

    if device is not None and device.isdigit():
        device = int(device)
    if source is None:
        find_microphone(device)
    segmenter = load_segmenter(model)
    with ExitStack() as stack:
        labels, keep = _open_labels(out, format_, stack), None
        sound = stack.enter_context(closing(_open_source(source, device, rate)))
        if record is not None:
            from ..live.growing_files import SoundFile

            keep = stack.enter_context(closing(SoundFile(record, sound.rate)))
        stream = segmenter.partial(sound.rate)
        if stream.latency > LONGEST_DELAY_S:
            click.echo(
                f"Warning: phases of {model} come {stream.latency:.1f} s after their "
                "end. Leave --model out, or train one by `train-phases --live`.",
                err=True,
            )
        stack.enter_context(one_thread(user_api=None))
        show = stack.enter_context(_display())
        _Session(sound, stream, show, labels, keep).run(duration)


class _Session:
    """Find the phases of a source until it ends, and show and write them."""

    def __init__(self, sound, stream, show, labels, record):
        self._sound, self._stream, self._show = sound, stream, show
        self._labels, self._record = labels, record
        self.n_samples = self.n_phases = 0
        self._note, self._is_behind, self._last_end = "", False, None

    def run(self, duration):
        """Run until the end of the source, `duration` or Ctrl-C."""
        most = None if duration is None else round(duration * self._sound.rate)
        try:
            with _first_interrupt() as interrupted:
                for block in self._sound.blocks():
                    if interrupted.is_set():
                        break
                    if block is not None:
                        block = block[: None if most is None else most - self.n_samples]
                        self._take(block)
                    self._warn()
                    self._show.update(self)
                    if most is not None and self.n_samples >= most:
                        break
        finally:
            # Also where the microphone is gone: what was found so far is kept.
            self._add(self._stream.finish())
            self._warn(done=True)

    def _take(self, block):
        if self._record is not None:
            self._record.write(block)
        self.n_samples += len(block)
        self._add(self._stream.push(block))

    def _add(self, phases):
        if self._labels is not None and len(phases):
            self._labels.write(phases)
        for phase in phases.itertuples(index=False):
            self.n_phases += 1
            self._last_end = phase.end_s
            self._show.add(phase, self)

    def _warn(self, done=False):
        """Print what is wrong with the sound, once."""
        while self._sound.warnings:
            self._say(self._sound.warnings.pop(0))
        note = self._stream.note
        # The figures in a note change all the time.
        if note and note[:12] != self._note[:12]:
            what = "the whole sound" if done else "the sound"
            self._say(f"{what} {note}.")
        self._note = note
        behind = self._sound.backlog_s
        if behind > _BEHIND_S and not self._is_behind:
            self._say(
                f"this machine is {behind:.0f} s behind: nothing is lost, but phases "
                "come late; end other programs."
            )
        self._is_behind = behind > _BEHIND_S / 2

    def _say(self, what):
        self._show.say(f"Warning: {self.time:.1f} s: {what}")

    @property
    def time(self):
        """Length of the sound so far in s."""
        return self.n_samples / self._sound.rate

    @property
    def summary(self):
        """Statistics of the last minute."""
        return self._stream.recent.summary

    def line(self):
        """Describe the present as one line."""
        label, start = self._stream.current or (None, 0.0)
        phase = _WORDS.get(label, label)
        parts = [f"{_clock(self.time)}  {phase:<7}{self.time - start:5.1f} s"]
        rate, ratio = self.summary["rate_per_min"], self.summary["ie_ratio"]
        parts.append("-- /min" if rate != rate else f"{rate:.1f} /min")
        parts.append("I:E --" if ratio != ratio else f"I:E 1:{1 / ratio:.1f}")
        if self._last_end is not None:
            since = 0.0 if label is not None else self.time - self._last_end
            parts.append(f"last breath {since:.0f} s ago")
        if self._note:
            parts.append(self._note.split(":")[0])
        return " | ".join(parts)


class _Lines:
    """Print phases as JSON, one in a line, and the rest on standard error."""

    def add(self, phase, session):
        """Print a phase."""
        summary = session.summary
        values = {
            "start_s": round(phase.start_s, 6),
            "end_s": round(phase.end_s, 6),
            "label": phase.label,
            "probability": round(phase.probability, 6),
            "rate_per_min": round(summary["rate_per_min"], 3),
            "ie_ratio": round(summary["ie_ratio"], 4),
        }
        click.echo(json.dumps(plain(values), allow_nan=False))
        sys.stdout.flush()

    def say(self, what):
        """Print a message."""
        click.echo(what, err=True)

    def update(self, session):
        """Print nothing: only phases are printed."""


class _Line:
    """Show one line on a terminal."""

    def __init__(self, live):
        self._live = live

    def add(self, phase, session):
        """Show nothing: phases are shown while they last."""

    def say(self, what):
        """Print a message above the line."""
        self._live.console.print(what, markup=False, highlight=False)

    def update(self, session):
        """Draw the line."""
        from rich.text import Text

        self._live.update(Text(session.line(), no_wrap=True, overflow="ellipsis"))


@contextmanager
def _display():
    """Yield what shows phases: lines of JSON, or one line on a terminal."""
    if wants_json() or not sys.stdout.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(soft_wrap=False, markup=False, highlight=False)
    with Live(console=console, refresh_per_second=_PER_S) as live:
        yield _Line(live)


@contextmanager
def _first_interrupt():
    """Yield an event that the first Ctrl-C sets; the second one ends the program."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number, _frame):
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_files(out, record, model, overwrite):
    """Raise an error if files cannot be written, or would be replaced."""
    check_outputs({"--out": out, "--record": record}, [model])
    if out is not None and out.exists() and not overwrite:
        raise click.UsageError(
            f"--out {out} exists; name another file, or add --overwrite."
        )
    if record is not None and record.suffix.lower() != ".wav":
        raise click.UsageError(f"--record must end in .wav, got {record}.")


def _open_labels(out, format_, stack):
    if out is None:
        return None
    from ..live.growing_files import LabelFile

    return stack.enter_context(closing(LabelFile(out, format_)))


def _open_source(source, device, rate):
    from ..live.sources import Microphone, Pipe

    if source is None:
        return Microphone(device, rate)
    stdin = sys.stdin.buffer
    if stdin.isatty():
        raise click.UsageError("- reads sound from a pipe, such as `arecord ... |`.")
    return Pipe(stdin, rate)


def _print_devices():
    """Print the microphones."""
    from ..live.sources import list_microphones

    devices = list_microphones()
    if not devices:
        click.echo("no microphone was found.", err=True)
    for one in devices:
        if wants_json():
            click.echo(json.dumps(one))
            continue
        mark = "*" if one["default"] else " "
        channels = (
            "1 channel" if one["channels"] == 1 else f"{one['channels']} channels"
        )
        click.echo(
            f"{mark} {one['number']}  {one['name']}  {channels}, {one['rate']} Hz"
        )


def _clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
