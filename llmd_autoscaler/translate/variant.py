"""What a VariantAutoscaling refers to: its profile, which must fit it, and the price of an instance."""

from collections.abc import Mapping

from llmd_autoscaler.errors import ConfigError
from models.accelerator_stock import AcceleratorStock
from models.capacity_profile import CapacityProfile, CapacityProfileSpec
from models.fault import closest
from models.variant_autoscaling import VariantAutoscaling


def fitting_profile(
    variant: VariantAutoscaling, profiles: Mapping[str, CapacityProfile]
) -> CapacityProfileSpec:
    """The profile of a variant, inline or by name.

    Args:
        variant: the object whose instances it describes.
        profiles: CapacityProfiles of the same namespace by name.

    Raises: ConfigError: none has this name, or it was taken of another model or other hardware.
    """
    spec = variant.spec
    field, profile = _profile(variant, profiles)
    said = (
        ("model", profile.model, "modelID", spec.model_id),
        ("accelerator", profile.accelerator, "accelerator", spec.accelerator),
        ("acceleratorCount", profile.accelerator_count, "acceleratorCount", spec.accelerator_count),
    )
    for profile_field, profile_value, variant_field, variant_value in said:
        if profile_value != variant_value:
            raise ConfigError(
                f'VariantAutoscaling "{variant.metadata.name}": {field}: the profile has {profile_field} {profile_value}, '
                f"but spec.{variant_field} is {variant_value}; name a profile of the same variant"
            )
    return profile


def cost_usd_per_hour(variant: VariantAutoscaling, stock: Mapping[str, AcceleratorStock]) -> float:
    """Price of one instance for an hour: its own, or its accelerators at the stock's price.

    Args:
        variant: the object whose instances are paid for.
        stock: AcceleratorStocks by `spec.accelerator`.

    Raises: ConfigError: neither says a price; without one no mix is cheaper than another.
    """
    spec = variant.spec
    if spec.cost_per_hour is not None:
        return spec.cost_per_hour
    held = stock.get(spec.accelerator)
    if held is None or held.spec.price_per_hour is None:
        raise ConfigError(
            f'VariantAutoscaling "{variant.metadata.name}": spec.costPerHour: missing, and no AcceleratorStock says a '
            f'price of {spec.accelerator}; write costPerHour, such as "14.00"'
        )
    return held.spec.price_per_hour * spec.accelerator_count


def _profile(
    variant: VariantAutoscaling, profiles: Mapping[str, CapacityProfile]
) -> tuple[str, CapacityProfileSpec]:
    """The field that names the profile, and the profile."""
    if variant.spec.profile is not None:
        return "spec.profile", variant.spec.profile
    name = variant.spec.profile_ref.name if variant.spec.profile_ref else ""
    if name not in profiles:
        raise ConfigError(
            f'VariantAutoscaling "{variant.metadata.name}": spec.profileRef.name: no CapacityProfile is named "{name}"; '
            f"{closest(name, list(profiles)) if profiles else 'write one'}"
        )
    return "spec.profileRef", profiles[name].spec
