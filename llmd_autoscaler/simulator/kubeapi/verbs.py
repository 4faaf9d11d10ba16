"""What the API server does with one request, without HTTP; the controllers beside it call it directly."""

import uuid
from collections.abc import Callable
from dataclasses import replace

from llmd_autoscaler.simulator.kubeapi import status
from llmd_autoscaler.simulator.kubeapi.apply import applied, conflicts, merge_patched
from llmd_autoscaler.simulator.kubeapi.kinds import POD
from llmd_autoscaler.simulator.kubeapi.objects import Json, timestamp
from llmd_autoscaler.simulator.kubeapi.paths import Target
from llmd_autoscaler.simulator.kubeapi.scale import scale_of, with_replicas
from llmd_autoscaler.simulator.kubeapi.selectors import Selector
from llmd_autoscaler.simulator.kubeapi.store import Store
from llmd_autoscaler.translate.json_object import child, text, whole

_DEFAULT_GRACE_S = 30  # of a pod that names no terminationGracePeriodSeconds


class Verbs:
    """The verbs of the Kubernetes API on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def listed(self, target: Target, selector: Selector) -> list[Json]:
        """The objects of a collection, in the order of their keys."""
        found = sorted(self.store.collection(target.kind).objects.items())
        return [
            value
            for (namespace, _), value in found
            if target.namespace in ("", namespace) and selector.matches(value)
        ]

    def get(self, target: Target) -> Json:
        """One object, or its scale."""
        live = self._live(target)
        return scale_of(live) if target.subresource == "scale" else live

    def create(self, target: Target, body: Json) -> Json:
        """A new object; `metadata.generateName` makes up a name.

        Raises: ApiError: 409 the name is taken, 400 or 422 the body does not fit the path.
        """
        name = text(body, "metadata", "name")
        if not name and (prefix := text(body, "metadata", "generateName")):
            name = prefix + uuid.uuid4().hex[:5]
        target = replace(target, name=name)
        self._check_body(target, body)
        if target.key in self.store.collection(target.kind).objects:
            raise status.already_exists(target.kind.resource, name)
        if text(body, "metadata", "resourceVersion"):
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        return self._write(target, _without_status(target, body))

    def update(self, target: Target, body: Json) -> Json:
        """The object replaced by the body.

        Raises: ApiError: 409 the body was read from an older version of the object.
        """
        live = self._live(target)
        if target.subresource != "scale":
            self._check_body(target, body)
        if target.kind.needs_revision and not text(body, "metadata", "resourceVersion"):
            why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            raise status.invalid(target.kind.name, target.name, why)
        return self._changed(target, live, body)

    def merge(self, target: Target, patch: Json) -> Json:
        """The object after a merge patch; a resourceVersion in the patch is a condition."""
        live = self._live(target)
        part = scale_of(live) if target.subresource == "scale" else live
        body = merge_patched(part, patch)
        if "resourceVersion" not in child(patch, "metadata"):
            body = {**body, "metadata": {**child(body, "metadata"), "resourceVersion": ""}}
        return self._changed(target, live, body)

    def apply(self, target: Target, body: Json, *, manager: str, force: bool) -> Json:
        """The object after a server-side apply; made where it is missing.

        Raises: ApiError: 409 without `force`, where another manager owns a field with another value.
        """
        if not manager:
            raise status.bad_request("fieldManager is required for apply patch")
        self._check_body(target, body)
        collection = self.store.collection(target.kind)
        live = collection.objects.get(target.key)
        if live is None and target.subresource:
            raise status.not_found(target.kind.resource, target.name)
        wanted = _owned_part(target, body)
        before = collection.last_applied.get(target.key, {})
        others = {who: what for who, what in before.items() if who != (manager, target.subresource)}
        if live is not None and not force:
            self._check_owners(target, live, wanted, others)
        body_after = applied(
            live or {}, wanted, before.get((manager, target.subresource), {}), [*others.values()]
        )
        revision = text(body, "metadata", "resourceVersion")
        body_after["metadata"] = {**child(body_after, "metadata"), "resourceVersion": revision}
        if live is None:
            kept = self._write(target, _without_status(target, body_after))
        else:
            kept = self._changed(target, live, body_after)
        collection.last_applied[target.key] = before | {(manager, target.subresource): wanted}
        return kept

    def delete(self, target: Target, *, grace_s: int | None = None, uid: str = "") -> Json | None:
        """Remove an object; a pod that runs on a node first gets its grace to end in.

        Returns: the object while it is still ending; None when it is gone.
        Raises: ApiError: 409 `uid` names a former object of this name.
        """
        live = self._live(target)
        if uid and uid != text(live, "metadata", "uid"):
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {text(live, 'metadata', 'uid')}"
            raise status.conflict(target.kind.resource, target.name, why)
        if target.kind is POD and text(live, "spec", "nodeName") and grace_s != 0:
            return self._begin_end(target, live, grace_s)
        self.store.remove(target.kind, target.key)
        return None

    def _begin_end(self, target: Target, pod: Json, grace_s: int | None) -> Json:
        if grace_s is None:
            grace_s = whole(pod, "spec", "terminationGracePeriodSeconds", default=_DEFAULT_GRACE_S)
        metadata = child(pod, "metadata")
        if whole(metadata, "deletionGracePeriodSeconds", default=grace_s + 1) <= grace_s:
            return pod  # a second delete may shorten the grace, never prolong it
        ends_at = timestamp(self.store.clock.now_s() + grace_s)
        ending = {"deletionTimestamp": ends_at, "deletionGracePeriodSeconds": grace_s}
        return self._write(target, {**pod, "metadata": {**metadata, **ending}})

    def _changed(self, target: Target, live: Json, body: Json) -> Json:
        revision = text(body, "metadata", "resourceVersion")
        if revision and revision != text(live, "metadata", "resourceVersion"):
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise status.conflict(target.kind.resource, target.name, why)
        change: dict[str, Callable[[], Json]] = {
            "": lambda: {**_without_status(target, body), **_only_status(target, live)},
            "status": lambda: {**live, "status": body.get("status", {})},
            "scale": lambda: with_replicas(live, body),
        }
        kept = self._write(target, change[target.subresource]())
        return scale_of(kept) if target.subresource == "scale" else kept

    def _write(self, target: Target, wanted: Json) -> Json:
        return self.store.write(target.kind, target.key, wanted)

    def _live(self, target: Target) -> Json:
        live = self.store.collection(target.kind).objects.get(target.key)
        if live is None:
            raise status.not_found(target.kind.resource, target.name)
        return live

    @staticmethod
    def _check_owners(
        target: Target, live: Json, wanted: Json, others: dict[tuple[str, str], Json]
    ) -> None:
        for (who, _), what in others.items():
            if taken := list(conflicts(live, wanted, what)):
                why = f'Apply failed with {len(taken)} conflicts: conflicts with "{who}": {", ".join(taken)}'
                raise status.conflict(target.kind.resource, target.name, why)

    @staticmethod
    def _check_body(target: Target, body: Json) -> None:
        kind, metadata = target.kind, child(body, "metadata")
        found = f"{body.get('apiVersion')}, Kind={body.get('kind')}"
        if found != f"{kind.api_version}, Kind={kind.name}":
            raise status.bad_request(
                f"the object is {found}, but this path takes {kind.api_version}, Kind={kind.name}"
            )
        if not target.name:
            raise status.invalid(kind.name, "", "metadata.name: Required value: name is required")
        if metadata.get("name", target.name) != target.name:
            raise status.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
            )
        if kind.is_namespaced and metadata.get("namespace", target.namespace) != target.namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )


def _owned_part(target: Target, body: Json) -> Json:
    """The fields of an applied body that the manager comes to own."""
    if target.subresource == "status":
        return {"status": child(body, "status")}
    owned = {
        key: value
        for key, value in _without_status(target, body).items()
        if key not in ("apiVersion", "kind", "metadata")
    }
    metadata = {
        key: value
        for key, value in child(body, "metadata").items()
        if key in ("labels", "annotations", "ownerReferences", "finalizers")
    }
    return {**owned, "metadata": metadata} if metadata else owned


def _without_status(target: Target, body: Json) -> Json:
    if not target.kind.has_status:
        return body
    return {key: value for key, value in body.items() if key != "status"}


def _only_status(target: Target, live: Json) -> Json:
    return {"status": live["status"]} if target.kind.has_status and "status" in live else {}
