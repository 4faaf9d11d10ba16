"""A profile that is carried to where nothing was measured: what each coefficient follows, and how wide it says it is."""

import dataclasses

import pytest

from llmd_autoscaler.core.variant import StepModel
from llmd_autoscaler.errors import ConfigError
from llmd_autoscaler.profiling.hardware import (
    Precision,
    accelerator,
    model_shape,
    precision,
)
from llmd_autoscaler.profiling.roofline import LAYER_OVERHEAD_S, Setup
from llmd_autoscaler.profiling.scaling import (
    margins,
    scaled,
    scaled_kv_tokens,
    scaled_step,
)
from llmd_autoscaler.profiling.step_terms import coefficients
from llmd_autoscaler.translate.profile import engine_profile, load_catalog

LLAMA_8B = model_shape("meta-llama/Llama-3.1-8B-Instruct")
LLAMA_70B = model_shape("meta-llama/Llama-3.1-70B-Instruct")
H100, H200 = accelerator("H100-80GB"), accelerator("H200-141GB")
ON_H100 = Setup(LLAMA_8B, H100, 1, Precision.BF16)
ON_H200 = Setup(LLAMA_8B, H200, 1, Precision.BF16)
BIG_ON_H200 = Setup(LLAMA_70B, H200, 1, Precision.FP8)
MEASURED = engine_profile(load_catalog("llama-3.1-8b-h100").spec)
STEP = StepModel(0.0066, 1e-5, 2e-5, 4e-8, 1e-9)


class TestStep:
    def test_a_setup_scaled_to_itself_stays_as_it_is(self):
        assert scaled_step(STEP, ON_H100, ON_H100) == STEP

    def test_there_and_back_is_where_it_began(self):
        there = scaled_step(STEP, ON_H100, BIG_ON_H200)
        back = scaled_step(there, BIG_ON_H200, ON_H100)
        assert coefficients(back) == pytest.approx(coefficients(STEP), rel=1e-3)

    def test_reading_the_context_follows_the_memory_and_prefill_does_not(self):
        step = scaled_step(STEP, ON_H100, ON_H200)
        # 4e-8 x 3.35 / 4.8 TB/s; both cards have the same matrix units
        assert step.per_context_token_s == pytest.approx(2.792e-8)
        assert step.per_prefill_token_s == STEP.per_prefill_token_s
        assert step.per_attention_token_sq_s == STEP.per_attention_token_sq_s

    def test_of_the_base_only_the_reading_of_weights_gets_faster(self):
        step = scaled_step(STEP, ON_H100, ON_H200)
        # 32 layers x 36 us = 1.152 ms stay, the other 5.448 ms become x 3.35 / 4.8 = 3.802 ms
        assert pytest.approx(1.152e-3) == 32 * LAYER_OVERHEAD_S
        assert step.base_s == pytest.approx(4.954e-3)

    def test_a_source_faster_than_its_overheads_still_scales(self):
        fast = dataclasses.replace(STEP, base_s=0.0005)
        # half of it is overhead, the other half x 3.35 / 4.8
        assert scaled_step(fast, ON_H100, ON_H200).base_s == pytest.approx(0.4245e-3, rel=1e-3)

    def test_fp8_makes_prefill_twice_as_fast_and_leaves_attention_alone(self):
        fp8 = dataclasses.replace(ON_H100, precision=Precision.FP8)
        step = scaled_step(STEP, ON_H100, fp8)
        assert step.per_prefill_token_s == pytest.approx(1e-5, rel=1e-3)
        assert step.per_attention_token_sq_s == STEP.per_attention_token_sq_s

    def test_two_accelerators_prefill_less_than_twice_as_fast(self):
        step = scaled_step(STEP, ON_H100, dataclasses.replace(ON_H100, n_accelerators=2))
        # 2 x 6.98e9 / 989.4e12 = 14.11 us; halved 7.05 us, and 2 x 32 x 4096 x 2 bytes x 2 x 1/2 over 450 GB/s = 1.17 us
        assert step.per_prefill_token_s == pytest.approx(2e-5 * (7.05 + 1.17) / 14.11, rel=2e-3)

    def test_attention_follows_layers_and_heads(self):
        step = scaled_step(STEP, ON_H100, BIG_ON_H200)
        # 80 x 64 over 32 x 32, head_dim is 128 in both
        assert step.per_attention_token_sq_s == pytest.approx(5e-9)


class TestMemory:
    def test_fp8_halves_the_layers_and_not_the_embeddings(self):
        # 70,553,706,496 weights, 2 x 128,256 x 8,192 of them embeddings: 68,452,360,192 + 2 x 2,101,346,304 bytes
        assert BIG_ON_H200.weights_bytes == 72_655_052_800

    def test_a_larger_memory_holds_what_a_real_one_held(self):
        # vLLM 0.26.0 had 919,824 on an H200
        assert scaled_kv_tokens(462_944, ON_H100, ON_H200) == pytest.approx(919_824, rel=0.01)

    def test_a_cache_is_whole_blocks(self):
        assert scaled_kv_tokens(462_944, ON_H100, ON_H200, block_size=64) % 64 == 0

    def test_more_accelerators_than_heads_hold_copies(self):
        sixteen = dataclasses.replace(BIG_ON_H200, n_accelerators=16)
        assert sixteen.kv_bytes_per_token == 2 * LLAMA_70B.kv_bytes_per_token

    def test_weights_that_do_not_fit_are_said_to(self):
        big = Setup(LLAMA_70B, H100, 1, Precision.BF16)
        with pytest.raises(ConfigError, match=r"weights of 131 GiB leave no room .* in 80 GiB"):
            scaled_kv_tokens(462_944, ON_H100, big)


class TestIntervals:
    def test_what_was_measured_on_an_h200_is_within_what_the_h100_promised(self):
        for name, setup in (
            ("llama-3.1-8b-h200", ON_H200),
            ("llama-3.1-70b-fp8-h200", BIG_ON_H200),
        ):
            found = scaled(MEASURED.step, MEASURED.kv_tokens, ON_H100, setup)
            truth = engine_profile(load_catalog(name).spec)
            for interval, true in zip(
                found.intervals.values(), coefficients(truth.step), strict=True
            ):
                assert interval.low <= true <= interval.high, name
            off = abs(found.kv_tokens / truth.kv_tokens - 1.0)
            assert off <= found.margin.kv_frac

    def test_another_architecture_is_never_surer_than_the_same(self):
        kin, other = margins()["kin"], margins()["all"]
        assert all(other.factors[name] >= kin.factors[name] for name in kin.factors)
        assert (other.median_frac, other.p95_frac) > (kin.median_frac, kin.p95_frac)

    def test_a_prediction_has_the_margin_of_its_architecture(self):
        amd = dataclasses.replace(ON_H100, accelerator=accelerator("MI300X-192GB"))
        margin = {
            setup: scaled(MEASURED.step, MEASURED.kv_tokens, ON_H100, setup).margin
            for setup in (ON_H200, amd)
        }
        assert (margin[ON_H200], margin[amd]) == (margins()["kin"], margins()["all"])

    def test_nothing_is_predicted_where_nothing_is_other(self):
        with pytest.raises(ConfigError, match="nothing is scaled"):
            scaled(MEASURED.step, MEASURED.kv_tokens, ON_H100, ON_H100)


class TestSetup:
    def test_fp8_needs_matrix_units_that_take_it(self):
        with pytest.raises(ConfigError, match="TPU-v6e: its matrix units take no fp8"):
            Setup(LLAMA_8B, accelerator("TPU-v6e"), 1, Precision.FP8)

    def test_accelerators_without_a_link_are_not_put_together(self):
        with pytest.raises(ConfigError, match="L40S-48GB: 2 of them speak over PCIe only"):
            Setup(LLAMA_8B, accelerator("L40S-48GB"), 2, Precision.BF16)

    def test_heads_are_not_split(self):
        with pytest.raises(ConfigError, match="does not divide the 32 heads"):
            Setup(LLAMA_8B, H100, 3, Precision.BF16)

    def test_what_nobody_knows_is_answered_with_what_is_known(self):
        with pytest.raises(
            ConfigError, match=r'accelerator "H100": nothing is known of it; .*H100-80GB'
        ):
            accelerator("H100")
        with pytest.raises(ConfigError, match='model "gpt": nothing is known of it'):
            model_shape("gpt")
        with pytest.raises(ConfigError, match='precision "int4": write one of bf16, fp8'):
            precision("int4")
