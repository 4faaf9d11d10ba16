"""What a step must at least take: bytes over the memory's bandwidth, FLOP over the matrix units' peak.

Nobody reaches these times. Their ratio between two setups is what carries a measured coefficient from one
to the other: what a kernel wastes here, it wastes there too, as far as anything is known.
"""

from dataclasses import dataclass

from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.hardware import Accelerator, ModelShape, Precision

_BF16_BYTES = 2
# Starting the kernels of a layer, and the two all-reduces that tensor parallelism adds to it: no roofline knows
# them. Least squares on the decode steps of Qwen3-32B over 12 setups (A100, H100, H200, B200; 1, 2 and 4 of them)
# in the operator tables: 1.23 times the time of the weights + 36 us a layer + 11 us a layer where there are
# several. benchmarks/scaling.py fits them again, and judges on other models only.
LAYER_OVERHEAD_S = 36e-6
ALL_REDUCE_OVERHEAD_S = 11e-6


@dataclass(frozen=True, slots=True)
class Setup:
    """A model on one accelerator, or split over several by tensor parallelism."""

    model: ModelShape
    accelerator: Accelerator
    n_accelerators: int
    precision: Precision

    def __post_init__(self) -> None:
        name = self.accelerator.name
        if self.precision is Precision.FP8 and self.accelerator.fp8_flop_per_s is None:
            raise ConfigError(f"{name}: its matrix units take no fp8; write --precision bf16")
        if self.n_accelerators > 1 and self.accelerator.interconnect_bytes_per_s is None:
            raise ConfigError(
                f"{name}: {self.n_accelerators} of them speak over PCIe only, and how fast depends on the host; "
                "profile one, or write --accelerator-count 1"
            )
        if self.model.n_heads % self.n_accelerators:
            raise ConfigError(
                f"--accelerator-count {self.n_accelerators}: does not divide the {self.model.n_heads} heads of "
                f"{self.model.name}; write a divisor"
            )

    @property
    def weights_bytes(self) -> float:
        """Of all accelerators together."""
        model = self.model
        return model.n_matrix * self.precision.n_bytes + 2 * model.n_embedding * _BF16_BYTES

    @property
    def kv_bytes_per_token(self) -> float:
        """Of all accelerators together: heads are copied where there are more accelerators than heads."""
        copies = max(1.0, self.n_accelerators / self.model.n_kv_heads)
        return self.model.kv_bytes_per_token * copies

    @property
    def overhead_s(self) -> float:
        """Of any step, whatever the accelerator's speed."""
        all_reduce_s = ALL_REDUCE_OVERHEAD_S if self.n_accelerators > 1 else 0.0
        return self.model.n_layers * (LAYER_OVERHEAD_S + all_reduce_s)

    @property
    def weights_s(self) -> float:
        """Reading every weight that a decode step needs; of the first embedding it looks up rows."""
        read = self.weights_bytes - self.model.n_embedding * _BF16_BYTES
        return read / self._memory_bytes_per_s

    @property
    def decode_s(self) -> float:
        """One more sequence: in between its arithmetic and the traffic of its activations.

        The weights are there already, and the units wait for memory: neither bound alone is what it costs, so the
        geometric mean of both is taken.
        """
        model = self.model
        head_s = 2 * model.n_embedding / self._flop_per_s(Precision.BF16)
        activations = model.n_layers * model.hidden * _BF16_BYTES
        traffic_s = activations / self.accelerator.memory_bytes_per_s
        compute_s = self._matrix_s + head_s + self._link_s
        return float((compute_s * traffic_s) ** 0.5)

    @property
    def prefill_token_s(self) -> float:
        """One prompt token through all layers."""
        return self._matrix_s + self._link_s

    @property
    def context_token_s(self) -> float:
        """Reading keys and values of one token."""
        return self.kv_bytes_per_token / self._memory_bytes_per_s

    @property
    def attention_token_sq_s(self) -> float:
        """One query on one key, over all layers and heads: two products of head_dim, 2 FLOP each."""
        model = self.model
        flop = 4 * model.n_layers * model.n_heads * model.head_dim
        return flop / self._flop_per_s(Precision.BF16)

    @property
    def _matrix_s(self) -> float:
        return 2 * self.model.n_matrix / self._flop_per_s(self.precision)

    @property
    def _link_s(self) -> float:
        """Two all-reduces a layer of one token's activations; a ring sends each byte 2 (n - 1) / n times, one way."""
        n, link = self.n_accelerators, self.accelerator.interconnect_bytes_per_s
        if n == 1 or link is None:
            return 0.0
        sent = 2 * self.model.n_layers * self.model.hidden * _BF16_BYTES * 2 * (n - 1) / n
        return sent / (link / 2)

    @property
    def _memory_bytes_per_s(self) -> float:
        return self.n_accelerators * self.accelerator.memory_bytes_per_s

    def _flop_per_s(self, precision: Precision) -> float:
        fp8, bf16 = self.accelerator.fp8_flop_per_s, self.accelerator.bf16_flop_per_s
        return self.n_accelerators * (fp8 if precision is Precision.FP8 and fp8 else bf16)
