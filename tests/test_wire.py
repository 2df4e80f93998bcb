"""Plain data survives the wire, odd data becomes plain or `Opaque`, and no message can do harm."""

import collections
import enum
import linecache
import struct
import time
from array import array as TypedArray

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.checks import encoding, values
from autograder.checks.encoding import WireError, pack, unpack
from autograder.checks.values import Opaque, Raised, simplify
from tests.fuzzing import fuzz, mutated, peak_of


def same(a, b):
    """Equal in type and value, where NaN equals NaN and an array's byte order does not count."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=") and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(same, a.items(), b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def sent(value):
    """What arrives of `value`."""
    return unpack(pack(simplify(value)))


# --- what is data arrives as it was ----------------------------------------------------------------------------------

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
)
numbers = st.one_of(st.none(), st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.floats(), st.complex_numbers())
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
scalars = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, ()).map(lambda array: array[()]))
raised = st.builds(Raised, texts, st.lists(texts, max_size=3).map(tuple), texts, st.integers(0, 10**6), texts)
leaves = st.one_of(numbers, texts, arrays, scalars, raised, st.builds(Opaque, texts))
keys = st.one_of(st.none(), st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False), texts)
data = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


@fuzz(100)
@given(data)
def test_what_is_data_arrives_as_it_was(value):
    assert same(sent(value), value)


BASE = np.arange(24.0).reshape(4, 6)
ARRAYS = {
    "Fortran order": np.asfortranarray(BASE),
    "every other column": BASE[:, ::2],
    "backwards": BASE[::-1, ::-1],
    "transposed": BASE.T,
    "broadcast": np.broadcast_to(np.arange(3), (2, 3)),
    "big-endian": BASE.astype(">f8"),
    "big-endian integers": np.arange(5, dtype=">i4"),
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "half": np.arange(3, dtype=np.float16),
    "read-only": np.frombuffer(bytes(16)),
    "not finite": np.array([np.nan, np.inf, -np.inf, -0.0]),
    "16 dimensions": np.ones((1,) * 16),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_any_layout_arrive(array):
    got = sent(array)
    np.testing.assert_array_equal(got, array)
    assert (got.shape, got.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert got.flags.writeable and got.flags.c_contiguous


@pytest.mark.parametrize("value", [np.longdouble(1) / 3, np.clongdouble(1j) / 3])
def test_long_doubles_become_doubles(value):
    plain = complex(value) if value.dtype.kind == "c" else float(value)
    np.testing.assert_array_equal(sent(np.array([value])), [plain])
    assert sent(value) == plain and type(sent(value)) in (np.float64, np.complex128)


# --- what is no data becomes plain or Opaque -------------------------------------------------------------------------

Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Length(float):
    """A float that lies when it is asked."""

    def __float__(self):
        raise RuntimeError


class Count(int):
    def __int__(self):
        raise RuntimeError


class Name(str):
    def __str__(self):
        raise RuntimeError

    def __getitem__(self, index):
        raise RuntimeError


PLAIN = {
    "named tuple": (Point(1, 2.0), (1, 2.0)),
    "defaultdict": (collections.defaultdict(list, a=[1]), {"a": [1]}),
    "OrderedDict": (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "enumeration": (Colour.RED, 1),
    "float of a class": (Length(2.5), 2.5),
    "integer of a class": (Count(7), 7),
    "string of a class": (Name("W"), "W"),
    "NumPy string": (np.str_("W"), "W"),
    "matrix": (np.ones((1, 2)).view(np.matrix), np.ones((1, 2))),
    "masked array": (np.ma.masked_array([1.0, 2.0], [True, False]), np.array([1.0, 2.0])),
    "integer too large for the wire": (2**63, Opaque("int")),
    "negative integer too large": (-(10**400), Opaque("int")),
    "lone surrogate": ("a\ud800b", "a?b"),
    "key with a surrogate": ({"\udcff": 1}, {"?": 1}),
    "NumPy keys": ({np.int64(5): 1, np.str_("b"): 2, np.bool_(True): 3}, {5: 1, "b": 2, True: 3}),
    "keys that are no data": ({(1, 2): 3, frozenset(): 4}, {"<tuple>": 3, "<frozenset>": 4}),
    "array of the standard library": (TypedArray("d", [1.5, 2.0]), np.array([1.5, 2.0])),
    "text array of the standard library": (TypedArray("u", "ab"), Opaque("array")),
    "object array": (np.array([None, 1]), Opaque("ndarray of object")),
    "object array of numbers": (
        np.array([[1, 2.5], [np.float32(3), 2**70]], dtype=object),
        np.array([[1, 2.5], [3, 2.0**70]]),
    ),
    "object array of a number too large": (np.array([10**400]), Opaque("ndarray of object")),
    "structured array": (np.zeros(2, "f8,i4"), Opaque("ndarray of [('f0', '<f8'), ('f1', '<i4')]")),
    "string array": (np.array(["ab"]), Opaque("ndarray of <U2")),
    "dates": (np.array(["2020"], "M8[Y]"), Opaque("ndarray of datetime64[Y]")),
    "date": (np.datetime64("2020"), Opaque("datetime64")),
    "17 dimensions": (np.ones((1,) * 17), Opaque(f"ndarray of shape {(1,) * 17}")),
    "set": ({1}, Opaque("set")),
    "bytes": (b"ab", Opaque("bytes")),
    "generator": ((i for i in ()), Opaque("generator")),
    "function": (len, Opaque("builtin_function_or_method")),
    "class": (Point, Opaque("type")),
    "not implemented": (NotImplemented, Opaque("NotImplementedType")),
}


@pytest.mark.parametrize("value, plain", PLAIN.values(), ids=PLAIN)
def test_odd_values_become_plain_or_opaque(value, plain):
    assert same(sent(value), plain)


class Awkward:
    """Raises whatever it is asked."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    __len__ = __iter__ = __eq__ = __hash__ = __repr__ = __bool__ = __array__ = lambda self, *_: 1 / 0


class Disguised:
    """Says that it is an array."""

    __class__ = np.ndarray


class NamelessKind(type):
    __name__ = property(lambda self: 1 / 0)


class Nameless(metaclass=NamelessKind):
    pass


def endless(*_args):
    while True:
        yield 1


def hostile(base):
    """A subclass of `base` whose methods lie."""
    lies = dict.fromkeys(["__iter__", "items", "keys", "__reversed__"], endless)
    lies |= dict.fromkeys(["__len__", "__getitem__", "__eq__", "__bool__"], lambda *_: 1 / 0)
    return type("Hostile", (base,), lies)


HOSTILE = {
    "raises for any attribute": (Awkward(), Opaque("Awkward")),
    "pretends to be an array": (Disguised(), Opaque("Disguised")),
    "has no name": (Nameless(), Opaque("Nameless")),
    "list": (hostile(list)([1, 2]), [1, 2]),
    "tuple": (hostile(tuple)([1, 2]), (1, 2)),
    "dict": (hostile(dict)(a=1), {"a": 1}),
}


@pytest.mark.parametrize("value, plain", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_looked_at_through_their_base_type(value, plain):
    assert same(sent([value]), [plain])


def test_a_subclass_of_ndarray_comes_as_its_data():
    class Liar(np.ndarray):
        dtype = shape = nbytes = property(lambda self: 1 / 0)

    array = np.array([1.0, 2.0])
    assert same(sent(array.view(Liar)), array)


def test_what_was_observed_is_a_copy():
    array, items = np.zeros(3), [1]
    seen = simplify({"a": array, "b": items, "c": array[1:]})
    array += 1
    items.append(2)
    assert same(seen, {"a": np.zeros(3), "b": [1], "c": np.zeros(2)})


# --- caps ------------------------------------------------------------------------------------------------------------


def nested(depth, kind=list):
    value = 0
    for _ in range(depth):
        value = kind([value])
    return value


def depth_of(value):
    depth = 0
    while isinstance(value, (list, tuple)):
        value, depth = value[0], depth + 1
    return depth, value


@pytest.mark.parametrize("kind", [list, tuple])
def test_deep_nests_are_cut(kind):
    assert depth_of(sent(nested(values.MAX_DEPTH, kind))) == (values.MAX_DEPTH, 0)
    assert depth_of(sent(nested(5000, kind))) == (values.MAX_DEPTH, Opaque(kind.__name__))


def test_what_holds_itself_is_cut():
    cyclic = []
    cyclic.append(cyclic)
    loop = {}
    loop["loop"] = loop
    assert depth_of(sent(cyclic))[1] == Opaque("list")
    sent(loop)


def test_a_few_lists_that_hold_one_another_do_not_grow_without_end():
    value = [0] * 10
    for _ in range(values.MAX_DEPTH - 1):
        value = [value] * 10  # 10^16 items, if all were copied
    start = time.process_time()
    data = pack(simplify(value))
    assert len(data) <= values.MAX_BYTES
    assert time.process_time() - start < 10  # measured: 0.3 s


TOO_LARGE = {
    "list": [0] * (values.MAX_ITEMS + 1),
    "tuple": (0,) * (values.MAX_ITEMS + 1),
    "dict": dict.fromkeys(range(values.MAX_ITEMS + 1)),
    "ndarray of shape (2097153,)": np.zeros(2**21 + 1),
    "ndarray of shape (1000000, 1000000)": np.broadcast_to(1.0, (10**6, 10**6)),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_named_and_its_neighbours_arrive(name):
    assert sent([TOO_LARGE[name], 1.0]) == [Opaque(name), 1.0]
    assert len(sent([0] * values.MAX_ITEMS)) == values.MAX_ITEMS


def test_long_texts_are_cut():
    assert len(sent("あ" * 10**6)) == values.MAX_TEXT
    assert len(sent(type("C" * 10**6, (), {})()).type) <= values.MAX_NAME


def test_many_large_values_together_still_make_one_message():
    value = [np.zeros(2**18) for _ in range(100)]  # 200 MB
    got = sent(value)
    assert [type(item) for item in got[:7]] == [np.ndarray] * 7
    assert type(got[-1]) is Opaque


@pytest.mark.parametrize("value", [object(), {1}, b"x" * (values.MAX_BYTES + 1), 2**70, nested(5000), np.zeros(2**22)])
def test_what_was_not_simplified_cannot_be_sent(value):
    with pytest.raises(WireError):
        pack(value)


# --- messages that no one packed -------------------------------------------------------------------------------------


def ext(code, *parts):
    return msgpack.ExtType(code, msgpack.packb(list(parts)))


def array_extension(dtype="<f8", shape=(1,), data=bytes(8), code=encoding._ARRAY):
    head = struct.pack(f"<4sB{len(shape)}q", dtype.encode(), len(shape), *shape)
    return msgpack.ExtType(code, head + data)


def array_message(**parts):
    return msgpack.packb(array_extension(**parts))


MALFORMED = {
    "nothing": b"",
    "cut short": pack([1.0, 2.0])[:-1],
    "two messages": pack(1) + pack(2),
    "unused byte": b"\xc1",
    "broken UTF-8": b"\xa2\xff\xff",
    "list as a key": b"\x81\x90\x01",
    "unknown extension": msgpack.packb(msgpack.ExtType(99, b"\x90")),
    "array without a shape": msgpack.packb(msgpack.ExtType(encoding._ARRAY, struct.pack("<4sB", b"<f8", 2))),
    "array of a dtype alone": msgpack.packb(msgpack.ExtType(encoding._ARRAY, b"<f8")),
    "extension of nothing": msgpack.packb(msgpack.ExtType(encoding._ARRAY, b"")),
    "extension that is no list": msgpack.packb(msgpack.ExtType(encoding._TUPLE, b"\x01")),
    "array of objects": array_message(dtype="|O"),
    "array of strings": array_message(dtype="<U2"),
    "array of bytes": array_message(dtype="|V8"),
    "array of records": array_message(dtype="f4,f4"),
    "array of dates": array_message(dtype="<M8[s]"),
    "array within a dtype": array_message(dtype="(2,)f4"),
    "dtype that is none": array_message(dtype="nonsense"),
    "dtype with a null byte": array_message(dtype="f8\0"),
    "more elements than bytes": array_message(shape=(2,)),
    "fewer elements than bytes": array_message(shape=(0,)),
    "huge shape": array_message(shape=(2**62, 2**62)),
    "huge shape without elements": array_message(shape=(0, -(2**63)), data=b""),
    "negative shape": array_message(shape=(-1, -1)),
    "too many dimensions": array_message(shape=(1,) * 17),
    "scalar with a shape": array_message(code=encoding._SCALAR),
    "complex of text": msgpack.packb(ext(encoding._COMPLEX, "1", "2")),
    "opaque of a number": msgpack.packb(ext(encoding._OPAQUE, 1)),
    "raised without bases": msgpack.packb(ext(encoding._RAISED, "E", [], "m", 1, "s")),
    "raised with a base that is none": msgpack.packb(ext(encoding._RAISED, "E", ext(encoding._TUPLE, 1), "m", 1, "s")),
    "raised in a line that is none": msgpack.packb(
        ext(encoding._RAISED, "E", ext(encoding._TUPLE, "E"), "m", None, "s")
    ),
    "too long": b"\xc4\x00" * (values.MAX_BYTES // 2 + 1),
    "lists in lists": b"\x91" * 100_000 + b"\x01",
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused(message):
    with pytest.raises(WireError):
        unpack(message)


def test_long_texts_that_no_one_packed_are_cut():
    error = unpack(msgpack.packb(ext(encoding._RAISED, "E" * 9999, ext(encoding._TUPLE), "m" * 9999, 1, "s" * 9999)))
    assert list(map(len, (error.type, error.message, error.source))) == [values.MAX_NAME, 2000, 300]


def in_extensions(depth, message=b"\x91\x01"):
    for _ in range(depth):
        message = msgpack.packb([msgpack.ExtType(encoding._TUPLE, message)])
    return message


def test_extensions_may_not_nest_without_end():
    assert unpack(in_extensions(values.MAX_DEPTH)) != []
    with pytest.raises(WireError, match="deep"):
        unpack(in_extensions(5000))


# --- any bytes -------------------------------------------------------------------------------------------------------

MEMORY_FACTOR = 100
"""How much more memory than its own size a small message may take: one byte can be an empty dict of 64 bytes, which
waits in a list of 8 bytes and a list of pairs of 16."""
SPARE = 4 * 2**20
"""What reading takes for any message, the decoder's buffers for one."""


def is_plain(value, depth=2 * values.MAX_DEPTH):
    """Whether `value` is in the data model and within its caps."""
    kind = type(value)
    if kind in (list, tuple, dict):
        inner = [*value, *value.values()] if kind is dict else value
        return depth > 0 and len(value) <= values.MAX_ITEMS and all(is_plain(item, depth - 1) for item in inner)
    if kind is np.ndarray:
        return value.dtype.kind in "biufc" and value.nbytes <= values.MAX_BYTES
    if kind is Raised:
        return len(value.type) <= values.MAX_NAME and len(value.message) <= 2000 and len(value.source) <= 300
    return kind in (type(None), bool, int, float, complex, str, bytes, Opaque) or isinstance(
        value, np.number | np.bool_
    )


CLAIMS = tuple(code + struct.pack(">I", n) for code in (b"\xdb", b"\xc6", b"\xdd", b"\xdf") for n in (2**31, 2**32 - 1))
MARKS = (
    *CLAIMS,
    b"\xc9\x00\x00\x10\x00\x01",
    b"\xd4\x03",
    b"\xc1",
    b"\x91",
    b"\x81",
    b"\xdc\xff\xff",
    b"\xcf" + b"\xff" * 8,
)

hostile_extensions = st.recursive(
    st.one_of(st.none(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=16)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.one_of(st.none(), st.integers(0, 9), st.text(max_size=3), st.binary(max_size=3)), inner, max_size=4
        ),
        st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20)),
        st.builds(
            lambda code, parts: msgpack.ExtType(code, msgpack.packb(parts)),
            st.integers(0, 8),
            st.lists(inner, max_size=5),
        ),
        st.builds(
            array_extension,
            st.sampled_from(["<f8", "|b1", ">f8", "O", "<M8", "<U9", "f4,f", "(2,)", "<f16", "|V8", ""]),
            st.lists(st.one_of(st.integers(-1, 3), st.sampled_from([2**31, 2**62])), max_size=3),
            st.binary(max_size=24),
            st.sampled_from([encoding._ARRAY, encoding._SCALAR]),
        ),
    ),
    max_leaves=10,
)


def unpack_or_refuse(message):
    """`unpack` keeps all that it promises of `message`."""
    value, peak = peak_of(unpack, message)
    assert peak <= MEMORY_FACTOR * len(message) + SPARE
    if not isinstance(value, WireError):
        assert is_plain(value)
        plain = simplify(value)
        assert pack(simplify(unpack(pack(plain)))) == pack(plain)


@fuzz(200)
@given(st.one_of(st.binary(max_size=300), mutated(data.map(lambda value: pack(simplify(value))), MARKS)))
def test_any_bytes_are_data_or_a_wire_error(message):
    unpack_or_refuse(message)


@fuzz(200)
@given(hostile_extensions)
def test_any_structure_is_data_or_a_wire_error(value):
    unpack_or_refuse(msgpack.packb(value))


def list_of(n):
    return b"\xdd" + struct.pack(">I", n)


def map_of(keys):
    return b"\xdf" + struct.pack(">I", len(keys)) + b"".join(pack(key) + b"\x01" for key in keys)


HEAVY = {
    "a large text in extensions in extensions": in_extensions(30, msgpack.packb([b"x" * (15 * 2**20)])),
    "a hundred thousand extensions": list_of(100_000) + pack(()) * 100_000,
    "a hundred thousand arrays": list_of(100_000) + pack(np.zeros(1)) * 100_000,
    "keys whose hashes are all equal": map_of([complex(-1000003.0 * i, i) for i in range(50_000)]),
    "keys that are neighbours": map_of([i << 32 for i in range(50_000)]),
    "a scalar of a million bytes": array_message(shape=(), data=bytes(10**6), code=encoding._SCALAR),
    "an array of 255 dimensions": array_message(shape=(0,) * 255),
    "lists as deep as msgpack goes, again and again": in_extensions(15, b"\x91" * 500 + b"\x01"),
    "a million digits": list_of(100_000) + b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff" * 100_000,
}


NO_MESSAGES = {
    "each list claims more items than there are": in_extensions(20, list_of(values.MAX_ITEMS) * 1000),
    "a list claims four billion items": list_of(2**32 - 1),
    "a map claims four billion items": b"\xdf" + struct.pack(">I", 2**32 - 1),
    "a text claims four billion bytes": b"\xdb" + struct.pack(">I", 2**32 - 1),
    "millions of empty maps": list_of(100) + (list_of(values.MAX_ITEMS) + b"\x80" * values.MAX_ITEMS) * 100,
    "millions of small numbers": list_of(100) + (list_of(values.MAX_ITEMS) + b"\x01" * values.MAX_ITEMS) * 100,
}
"""What is no data at all, and small for what it claims to be."""


@pytest.mark.parametrize("name", HEAVY | NO_MESSAGES)
def test_no_message_takes_long_or_much_memory(name):
    message = (HEAVY | NO_MESSAGES)[name]
    start = time.process_time()
    came, peak = peak_of(unpack, message)
    assert peak < 10 * values.MAX_BYTES
    assert time.process_time() - start < 20  # measured: 1.5 s, most of it tracing
    assert name in HEAVY or isinstance(came, WireError)


@pytest.mark.parametrize("payload", [4, 8, 12])
def test_what_msgpack_makes_objects_of_is_refused(payload):
    message = b"\x91\xc7" + bytes([payload]) + b"\xff" + bytes(payload)
    with pytest.raises(WireError, match="data model"):
        unpack(message)


def test_what_is_sent_can_always_be_read():
    many_keys = {i: i for i in range(values.MAX_NUMBER_KEYS + 1)}
    assert unpack(pack(simplify([many_keys, {str(i): i for i in many_keys}])))[0] == Opaque("dict")
    del many_keys[0]
    assert unpack(pack(simplify(many_keys))) == many_keys


# --- exceptions ------------------------------------------------------------------------------------------------------


def cell(source, name="<ipykernel_76/1>"):
    """Run `source` as IPython runs a cell: compiled under a name that is no file, its lines put in linecache."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def raised_by(function, *args):
    try:
        function(*args)
    except BaseException as error:
        return Raised.of(error)


CELL = """
import numpy as np

def outer(x):
    return inner(x) + 1

def inner(x):
    return np.linalg.solve(x, x)

def local(n):
    return np.random.default_rng(0).integers(5, n)

def plain():
    raise ValueError("説明")
"""


def test_an_exception_names_the_line_of_the_cell_that_raised_it():
    assert raised_by(cell(CELL)["plain"]) == Raised(
        "ValueError", ("ValueError", "Exception", "BaseException"), "説明", 14, 'raise ValueError("説明")'
    )


@pytest.mark.parametrize(
    "function, argument, line, source",
    [
        ("outer", np.zeros((2, 3)), 8, "return np.linalg.solve(x, x)"),  # raised in files of NumPy
        ("local", 5, 11, "return np.random.default_rng(0).integers(5, n)"),  # raised in compiled code
    ],
)
def test_an_exception_inside_a_library_names_the_line_that_called_it(function, argument, line, source):
    error = raised_by(cell(CELL)[function], argument)
    assert (error.line, error.source) == (line, source)


def test_an_exception_without_source_names_no_more_than_a_number():
    error = raised_by(int, "x")
    assert (error.type, error.line, error.source) == ("ValueError", 0, "")
    namespace = {}
    exec("def f():\n    1 / 0", namespace)
    error = raised_by(namespace["f"])
    assert (error.line, error.source) == (2, "")


@pytest.mark.parametrize("broken", [RuntimeError("no text"), SystemExit(), RecursionError()])
def test_a_broken_text_is_left_out(broken):
    class Broken(Exception):
        def __str__(self):
            raise broken

    assert Raised.of(Broken()) == Raised("Broken", ("Broken", "Exception", "BaseException"), "")


def test_a_text_of_a_class_is_plain_text():
    class Text(str):
        pass

    class Odd(Exception):
        def __str__(self):
            return Text("odd")

    assert type(Raised.of(Odd()).message) is str


def test_long_texts_of_exceptions_are_cut_and_arrive():
    error = Raised.of(ValueError("あ" * 10**6))
    assert len(error.message) == 2000
    assert sent(error) == error


def test_an_exception_knows_its_kin():
    error = Raised.of(ZeroDivisionError())
    assert error.is_a("ArithmeticError") and error.is_a("ValueError", "ZeroDivisionError")
    assert not error.is_a("ValueError")
