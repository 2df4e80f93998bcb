"""Attacks on the wire: bytes and messages of the student's own, sent to where the grader listens."""

# ruff: noqa: E501  (the cells are text: lines that say one thing are left whole)

from __future__ import annotations

from tests.hostile.notebooks import SPEAK, answering, attack, cell, speaking


def _when_probed(strike: str) -> dict[str, str]:
    """A solution cell that strikes while the grader waits for observations."""
    return {"gradient_profile": f"def gradient_slope(delta_norms):\n    {strike}\n    raise NotImplementedError"}


SPEECHES = (
    attack(
        "garbage",
        "Random bytes instead of a reply, then text, then nothing but zeros.",
        speaking(r"""
            write(os.urandom(1000))
            write(b"HTTP/1.1 200 OK\r\n\r\n")
            write(bytes(1000))
        """),
        answers=_when_probed("write(os.urandom(100))"),
    ),
    attack(
        "lengths-that-lie",
        "Frames that announce four gigabytes, more than follows, less than follows, and nothing at all.",
        speaking("write(struct.pack('>I', 2**32 - 1) + b'x')"),
        speaking("write(struct.pack('>I', 2**31) + b'x' * 100)"),
        speaking("write(struct.pack('>I', 2) + msgpack.packb({'outputs': []}))"),
        speaking("for _ in range(10_000):\n    write(struct.pack('>I', 0))"),
        answers=_when_probed("write(struct.pack('>I', 2**32 - 1))"),
    ),
    attack(
        "half-a-frame",
        "Half a frame, then silence: the grader would wait for the rest for ever.",
        speaking(r"""
            import signal
            signal.setitimer(signal.ITIMER_REAL, 0)
            write(struct.pack(">I", 1000) + b"x" * 10)
            try:
                time.sleep(50)
            except BaseException:
                time.sleep(50)
        """),
        answers=_when_probed("write(bytes(3)); time.sleep(50)"),
    ),
    attack(
        "drop-by-drop",
        "A frame that comes a byte at a time, each a little sooner than a reader gives up.",
        speaking(r"""
            import signal
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            for byte in frame(bytes(200)):
                write(bytes([byte]))
                time.sleep(0.25)
        """),
    ),
    attack(
        "bombs",
        "A few bytes that unpack to very much: lists that claim 2**32 items, nests, millions of nils, long texts.",
        speaking(r"""
            bombs = [
                b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
                b"\xc9\xff\xff\xff\xff\x01", b"\x91" * 100_000, b"\x91" * 1000 + b"\xc0", b"\x81\xa1x" * 1000 + b"\xc0",
                b"\xdd\x00\x7a\x12\x00" + b"\xc0" * 8_000_000, b"\xdd\x00\x01\x86\xa0" + b"\x90" * 100_000,
                b"\x9f" + (b"\xdd\x00\x00\xea\x60" + b"\x93\xc0\xc0\xc0" * 60_000) * 15,
                b"\xdf\x00\x01\x86\xa0" + b"".join(b"\xd2" + struct.pack(">i", n) + b"\xc0" for n in range(100_000)),
            ]
            for bomb in bombs:
                write(frame(bomb))
                write(frame(b"\x81\xa7outputs" + bomb))
                write(frame(b"\x81\xacobservations" + bomb))
                say({"observations": [{"values": {"slope": bomb}, "end": b"\x80"}]})
        """),
        answers=_when_probed("[write(frame(b'\\x81\\xacobservations' + bomb)) for bomb in bombs]"),
    ),
    attack(
        "outputs-with-markup",
        "Displays that the worker would have left out: HTML, scripts, SVG, widgets, and pictures that are markup.",
        speaking(r"""
            script = "<script>alert('hostile-page')</script>"
            bundles = [{mime: script} for mime in (
                "text/html", "application/javascript", "image/svg+xml", "text/markdown", "application/pdf",
                "application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json", "image/jpeg", "image/gif",
                "video/mp4", "TEXT/HTML", "text/html ", "text/html; charset=utf-8", "../../text/html")]
            bundles.append({"image/png": '"><img src=x onerror="alert(\'hostile-page\')">'})
            bundles.append({"text/latex": "$</script>" + script + "$"})
            outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in bundles]
            outputs += [{"output_type": "stream", "name": script, "text": script},
                        {"output_type": "error", "ename": script, "evalue": script, "traceback": [script]}]
            say({"outputs": outputs})
        """),
        speaking("say({'outputs': outputs})"),
    ),
    attack(
        "outputs-without-number",
        "Ninety thousand outputs in one reply, and megabytes of text and picture in the next.",
        speaking("say({'outputs': [{'output_type': 'stream', 'name': 'stdout', 'text': 'x'}] * 90_000})"),
        speaking("say({'outputs': [{'output_type': 'stream', 'name': 'stdout', 'text': 'x' * (15 * 2**20)}]})"),
        cell(
            "say({'outputs': [{'output_type': 'display_data', 'data': {'image/png': 'A' * (15 * 2**20)}, "
            "'metadata': {}}]})",
            SPEAK,
        ),
    ),
    attack(
        "observations-deep",
        "Values nested almost as deep as a message may be: whatever looks at them calls itself a thousand times.",
        speaking(r"""
            def observed(value):
                part = b"\xc6" + struct.pack(">I", len(value)) + value
                one = b"\x82\xa6values\x82\xa5slope" + part + b"\xa5norms" + part + b"\xa3end\xc4\x01\x80"
                return b"\x81\xacobservations\xdc\x00\x24" + one * 36
            deep = [b"\x91" * n + b"\x90" for n in (60, 64, 100, 500, 900, 990, 1000, 1010)]
            deep += [b"\x81\xa1k" * n + b"\xc0" for n in (100, 900, 1000)]
            def strike(n):
                write(frame(observed(deep[n])))
        """),
        answers=_when_probed("strike(6)")
        | {
            "clip_gradients": "def clip_gradients(layers, max_norm=1.0):\n    strike(4)\n    raise NotImplementedError",
            "depth_study": "def depth_study(*args, **settings):\n    strike(10)\n    raise NotImplementedError",
        },
    ),
    attack(
        "observations-huge",
        "Values that fill a message: arrays of two million numbers, names and texts of megabytes, which "
        "messages repeat.",
        speaking(r"""
            array = msgpack.ExtType(1, struct.pack("<4sB2q", b"<f8", 2, 1000, 1000) + bytes(8 * 10**6))
            text = "m" * (4 * 2**20)
            raised = msgpack.ExtType(4, msgpack.packb(
                [text[:9], msgpack.ExtType(3, msgpack.packb([text[:9]])), text, 10**9, text]))
            turns = iter([array, text, raised, {text: 1}, [text, text], {"loss": array}, 1e308, -(2**63), 2**64 - 1] * 100)
            def strike():
                one = {"values": {name: msgpack.packb(next(turns)) for name in ("slope", "result")}, "end": b"\x80"}
                say({"observations": [one] + [{"values": {}, "end": b"\x80"}] * 35})
        """),
        answers=_when_probed("strike()")
        | {
            "depth_study": "def depth_study(*args, **settings):\n    strike()\n    raise NotImplementedError",
            "gradient_monitor": "def GradientMonitor():\n    strike()\n    raise NotImplementedError",
        },
    ),
    attack(
        "flood-of-frames",
        "A hundred thousand valid frames ahead of their questions: replies and questions no longer belong together.",
        speaking(r"""
            import threading
            flood = frame(msgpack.packb({"outputs": [], "observations": [], "ready": True})) * 1000
            def pour():
                deadline = time.monotonic() + 30
                while time.monotonic() < deadline:
                    write(flood)
            threading.Thread(target=pour, daemon=True).start()
            time.sleep(1)
        """),
    ),
    attack(
        "line-cut",
        "The connection is shut, closed, exchanged for another descriptor, or filled and never read.",
        speaking(r"""
            import fcntl, socket
            for fd in list(lines()):
                tried("size", fcntl.fcntl, fd, 1031, 4096)
                tried("buffer", lambda: socket.socket(fileno=os.dup(fd)).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1))
                tried("exchange", os.dup2, os.open("/dev/null", os.O_RDWR), fd)
            time.sleep(3)
        """),
        speaking(r"""
            import socket
            for fd in list(lines()):
                tried("shutdown", lambda: socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR))
                tried("close", os.close, fd)
        """),
        speaking(r"""
            import socket
            for fd in list(lines()):
                tried("shut reading", lambda: socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RD))
                tried("rights", lambda: socket.send_fds(socket.socket(fileno=os.dup(fd)), [bytes(4)], [0] * 200))
                tried("urgent", lambda: socket.socket(fileno=os.dup(fd)).send(b"x", socket.MSG_OOB))
        """),
        answers=_when_probed("[os.close(fd) for fd in list(lines())]"),
    ),
    attack(
        "questions-taken",
        "A thread reads the grader's next questions from the connection before the worker does, and answers "
        "with nothing.",
        speaking(r"""
            import threading
            def listen(fd):
                while True:
                    try:
                        print(os.read(fd, 2**16)[:200])
                    except OSError:
                        time.sleep(0.01)
            for fd in lines():
                threading.Thread(target=listen, args=(fd,), daemon=True).start()
            time.sleep(1)
        """),
        "print('is anybody there?')",
    ),
    attack(
        "errors-without-measure",
        "The class that carries exceptions to the grader is replaced: names, texts and lines are megabytes long.",
        cell(r"""
            from autograder.checks import values

            def of(cls, error):
                return cls("T" * 10**5, ("T", "RuntimeError") * 2000, "m" * 3 * 10**6, 1, "s" * 10**6)

            values.Raised.of = classmethod(of)
        """),
        answers=answering("1 / 0", "gradient_profile", "depth_study"),
    ),
)
