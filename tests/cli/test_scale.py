"""`scale` as a person runs it: a profile out, or one sentence and exit code 2."""

import pytest

from llmd_autoscaler.__main__ import main
from llmd_autoscaler.translate.profile import load_profile


def refused(capsys, tmp_path, *arguments):
    """What a command that ends with 2 said, which is one line."""
    try:
        code = main(("scale", "--out", str(tmp_path / "x.yaml"), *arguments))
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert not (tmp_path / "x.yaml").exists()
    return said


H100 = ("--profile", "llama-3.1-8b-h100")
BIG = ("--model", "meta-llama/Llama-3.1-70B-Instruct")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (H100, "nothing is scaled"),
        ((*H100, "--accelerator", "H300"), 'accelerator "H300": nothing is known of it'),
        ((*H100, "--precision", "int4"), 'precision "int4": write one of bf16, fp8'),
        ((*H100, "--model", "gpt-5"), 'model "gpt-5": nothing is known of it'),
        ((*H100, "--accelerator", "A100-80GB", "--precision", "fp8"), "take no fp8"),
        ((*H100, "--accelerator", "L40S-48GB", "--accelerator-count", "2"), "PCIe only"),
        ((*H100, "--accelerator", "TPU-v5e"), "leave no room for a KV cache in 16 GiB; write a larger --accelerator-count\n"),
        ((*H100, *BIG), "--accelerator-count or --precision fp8\n"),
        ((*H100, "--accelerator-count", "0"), "'0' is no whole number above 0"),
        (("--profile", "llama-3.1-70b-a100-tp4", "--accelerator", "H100-80GB"), "is itself predicted"),
        (("--profile", "llama-9", "--accelerator", "H100-80GB"), "not in the catalogue"),
        (("--profile", "none/x.yaml", "--accelerator", "H100-80GB"), "none/x.yaml"),
    ],
)  # fmt: skip
def test_what_cannot_be_scaled_is_one_sentence(capsys, tmp_path, arguments, said):
    assert said in refused(capsys, tmp_path, *arguments)


def test_a_place_that_cannot_be_written_is_named(capsys, tmp_path):
    out = str(tmp_path / "none" / "x.yaml")
    assert main(("scale", *H100, "--accelerator", "H200-141GB", "--out", out)) == 2
    assert f"--out {out}: " in capsys.readouterr().err


def test_a_prediction_is_a_profile_that_everything_else_can_read(capsys, tmp_path):
    out = tmp_path / "Big_One.yaml"
    code = main(
        (
            "scale", *H100, *BIG, "--accelerator", "H200-141GB", "--accelerator-count", "2",
            "--precision", "fp8", "--out", str(out), "--clock", "0,1764000000,1",
        )
    )  # fmt: skip
    said = capsys.readouterr().out
    resource = load_profile(str(out))
    spec = resource.spec
    assert (code, resource.metadata.name, spec.trust.value) == (0, "big-one", "predicted")
    assert (spec.accelerator, spec.accelerator_count, spec.precision) == ("H200-141GB", 2, "fp8")
    assert spec.engine.flags == (
        "--max-model-len=32768", "--tensor-parallel-size=2", "--quantization=fp8",
    )  # fmt: skip
    assert spec.provenance.command == (
        "llmd-autoscaler scale --profile llama-3.1-8b-h100 --model meta-llama/Llama-3.1-70B-Instruct "
        "--accelerator H200-141GB --accelerator-count 2 --precision fp8 --out Big_One.yaml"
    )
    assert "baseMs" in said
    assert said.endswith(f"wrote {out}\n")
