"""Accelerators and models as data: what a roofline needs to know of them, read from hardware.yaml.

Rules for editors: a new accelerator is an entry of that file, never a branch of this code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TypeVar

import yaml

from llmd_autoscaler.errors import ConfigError

_FILE = "hardware.yaml"
_GIGA, _TERA, _GIB = 1e9, 1e12, 2.0**30
_T = TypeVar("_T")
_Entry = Mapping[str, str | float]
_BF16_BYTES = 2


class Precision(StrEnum):
    """Of the weights of the layers and of the arithmetic on them; embeddings, KV cache and attention stay in bf16."""

    BF16 = "bf16"
    FP8 = "fp8"

    @property
    def n_bytes(self) -> int:
        """Bytes of one weight."""
        return 1 if self is Precision.FP8 else _BF16_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator by its maker's data sheet: dense peaks, per second."""

    name: str
    maker: str
    architecture: str
    bf16_flop_per_s: float
    fp8_flop_per_s: float | None  # None: its matrix units take no fp8
    memory_bytes_per_s: float
    memory_bytes: float
    interconnect_bytes_per_s: float | None  # None: no link but PCIe
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of a dense decoder with untied embeddings."""

    name: str
    n_params: int
    n_layers: int
    hidden: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocabulary: int

    @property
    def n_embedding(self) -> int:
        """Weights of one of the two embeddings."""
        return self.vocabulary * self.hidden

    @property
    def n_matrix(self) -> int:
        """Weights of the layers: what a token is multiplied by, the last embedding aside."""
        return self.n_params - 2 * self.n_embedding

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of one token over all layers."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim * _BF16_BYTES


def accelerator(name: str) -> Accelerator:
    """The accelerator of a name.

    Raises: ConfigError: nothing is known of it.
    """
    return _known(_accelerators(), name, "accelerator")


def model_shape(name: str) -> ModelShape:
    """The sizes of a model.

    Raises: ConfigError: nothing is known of it.
    """
    return _known(_models(), name, "model")


def precision(name: str) -> Precision:
    """The precision of a name.

    Raises: ConfigError: it is none that is scaled.
    """
    try:
        return Precision(name)
    except ValueError as error:
        raise ConfigError(f'precision "{name}": write one of {", ".join(Precision)}') from error


def _known(table: Mapping[str, _T], name: str, what: str) -> _T:
    if name not in table:
        raise ConfigError(
            f'{what} "{name}": nothing is known of it; write one of {", ".join(table)}'
        )
    return table[name]


@cache
def _accelerators() -> Mapping[str, Accelerator]:
    return {name: _accelerator(name, entry) for name, entry in _entries("accelerators").items()}


def _accelerator(name: str, entry: _Entry) -> Accelerator:
    return Accelerator(
        name=name,
        maker=str(entry["maker"]),
        architecture=str(entry["architecture"]),
        bf16_flop_per_s=_TERA * float(entry["bf16Tflops"]),
        fp8_flop_per_s=_optional(entry, "fp8Tflops", _TERA),
        memory_bytes_per_s=_GIGA * float(entry["memoryGbPerS"]),
        memory_bytes=_GIB * float(entry["memoryGib"]),
        interconnect_bytes_per_s=_optional(entry, "interconnectGbPerS", _GIGA),
        source=str(entry["source"]),
    )


@cache
def _models() -> Mapping[str, ModelShape]:
    return {
        name: ModelShape(
            name=name,
            n_params=int(entry["nParams"]),
            n_layers=int(entry["nLayers"]),
            hidden=int(entry["hidden"]),
            n_heads=int(entry["nHeads"]),
            n_kv_heads=int(entry["nKvHeads"]),
            head_dim=int(entry["headDim"]),
            vocabulary=int(entry["vocabulary"]),
        )
        for name, entry in _entries("models").items()
    }


def _optional(entry: _Entry, name: str, scale: float) -> float | None:
    return scale * float(entry[name]) if name in entry else None


def _entries(kind: str) -> Mapping[str, _Entry]:
    text = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    tables: Mapping[str, Mapping[str, _Entry]] = yaml.safe_load(text)
    return tables[kind]
