"""The table of tensors in a torch file's pickle, read without running it.

A pickle is a program for a small stack machine, and among its instructions are "import this" and
"call that". torch.save uses few of them, for three names; this machine knows no others, calls
nothing, and holds what would have been called as plain values. It is stricter than
``torch.load(weights_only=True)``, which lets a file order, for instance, a bytearray of any size.

Source of the instructions: pickletools in Python's library; of their use: torch/serialization.py.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from sharp_xr.model.sharp.checkpoint.table import BadFile

STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.BFloat16Storage": "bfloat16",
    "torch.HalfStorage": "float16",
    "torch.DoubleStorage": "float64",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
DICTIONARY = "collections.OrderedDict"
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
KNOWN = {DICTIONARY, TENSOR, PARAMETER, *STORAGES}


class Name(NamedTuple):
    """Something that the pickle would import."""

    dotted: str


class PickledStorage(NamedTuple):
    """A record of the file; how many items it holds, its size tells."""

    dtype: str
    record: str


class PickledTensor(NamedTuple):
    """As claimed; nothing is checked yet."""

    storage: PickledStorage
    offset: object
    """Items into the storage."""
    shape: object
    strides: object


@dataclass(frozen=True)
class _Mark:
    """Where the values of a tuple or a dictionary begin on the stack."""


def read_pickle(data: bytes) -> dict[str, PickledTensor]:
    """The tensors of a flat state dict.

    Raises:
        BadFile: it is damaged, wants something else imported, or holds something else.
    """
    try:
        result = _Machine().run(data)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BadFile("is damaged: its list of tensors makes no sense") from error
    if not isinstance(result, dict):
        raise BadFile(f"holds {_kind(result)}, wanted a dictionary of tensors")
    if not result:
        raise BadFile("holds no tensors")
    for key, value in result.items():
        if not isinstance(key, str) or not isinstance(value, PickledTensor):
            raise BadFile(
                f"holds {_kind(value)} under {key!r:.80}, wanted tensors only: "
                "save the state dict itself"
            )
    return result


class _Machine:
    """Stack, marks and memo of one run; takes at most one step for each byte."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> object:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return self.stack.pop()
            self.step(opcode.name, argument)
        raise BadFile("is damaged: its list of tensors has no end")

    def step(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1":
                self.stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                self.stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode])
            case "EMPTY_TUPLE":
                self.stack.append(())
            case "EMPTY_DICT":
                self.stack.append({})
            case "MARK":
                self.stack.append(_Mark())
            case "TUPLE":
                self.stack.append(tuple(self.since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(tuple(self.take(int(opcode[-1]))))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "GLOBAL":
                self.stack.append(_known(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                self.stack.append(_known(".".join(self.take(2))))
            case "BINPERSID":
                self.stack.append(_storage(self.stack.pop()))
            case "REDUCE":
                self.stack.append(_called(*self.take(2)))
            case "SETITEM":
                self.fill(self.take(2))
            case "SETITEMS":
                self.fill(self.since_mark())
            case "BUILD":  # attributes of the dictionary, such as the modules' versions
                self.take(1)
            case _:
                raise BadFile(f"is no list of tensors: it wants the instruction {opcode} run")

    def take(self, count: int) -> list[Any]:
        """The newest values, oldest first."""
        taken = self.stack[-count:]
        if len(taken) < count or any(isinstance(value, _Mark) for value in taken):
            raise IndexError("the stack is empty")
        del self.stack[-count:]
        return taken

    def since_mark(self) -> list[Any]:
        """All values after the newest mark, which goes too."""
        values: list[Any] = []
        while not isinstance(value := self.stack.pop(), _Mark):
            values.append(value)
        return values[::-1]

    def fill(self, pairs: list[Any]) -> None:
        dictionary = self.stack[-1]
        if not isinstance(dictionary, dict):
            raise TypeError("only dictionaries have items here")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str):  # hashing a nest of tuples can take for ever
                raise BadFile(f"has {_kind(key)} as a name")
            dictionary[key] = value


def _known(dotted: str) -> Name:
    if dotted not in KNOWN:
        _refuse(dotted)
    return Name(dotted)


def _refuse(dotted: str) -> NoReturn:
    raise BadFile(f"is no list of tensors: it wants {dotted!r:.80} run, which was not done")


def _storage(identity: Any) -> PickledStorage:
    """Of torch's persistent id: ("storage", type, record, device, items)."""
    word, kind, record, _device, _items = identity
    if word != "storage" or not isinstance(kind, Name) or not isinstance(record, str):
        raise ValueError("no storage")
    if kind.dotted not in STORAGES:
        _refuse(kind.dotted)
    return PickledStorage(STORAGES[kind.dotted], record)


def _called(callee: object, arguments: Any) -> object:
    """What the call would have made."""
    match callee:
        case Name(dotted) if dotted == DICTIONARY and arguments == ():
            return {}
        case Name(dotted) if dotted == TENSOR:
            storage, offset, shape, strides, *_ = arguments
            if isinstance(storage, PickledStorage):
                return PickledTensor(storage, offset, shape, strides)
        case Name(dotted) if dotted == PARAMETER and isinstance(arguments[0], PickledTensor):
            return arguments[0]
    raise ValueError("this call makes no tensor")


def _kind(value: object) -> str:
    """A word for the user, who may never have heard of pickles."""
    match value:
        case PickledTensor():
            return "a single tensor"
        case dict():
            return "a dictionary"
        case Name(dotted):
            return f"{dotted!r:.80}"
        case PickledStorage():
            return "raw numbers"
        case str() | int() | None:
            return f"{value!r:.40}"
        case _:  # the repr of a nest of tuples can take for ever, as hashing one can
            return f"a {type(value).__name__}"
