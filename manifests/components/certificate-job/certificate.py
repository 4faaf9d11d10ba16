# ruff: noqa: INP001 (a script in a ConfigMap, no module)
"""The adapter's serving certificate: made where there is none, renewed before it ends, told to the APIServices.

Runs as a Job with Python's own library and openssl. The CA stays, so that a certificate can change at any moment
without a time in which the API server trusts neither: only `caBundle` would have to change with the CA.
"""

import argparse
import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CA_SECRET, SERVING_SECRET = "llmd-adapter-ca", "llmd-adapter-tls"
CA_DAYS, SERVING_DAYS, RENEWED_DAYS = 3650, 365, 30
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S = 10.0
_NOT_FOUND = 404
_DAY_S = 86400
_FORM = """\
[req]
prompt = no
distinguished_name = name
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[serving]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name}
"""

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Both as files, for openssl."""
        files = folder / f"{name}.crt", folder / f"{name}.key"
        files[0].write_bytes(self.certificate)
        files[1].write_bytes(self.key)
        return files


@dataclass(frozen=True, slots=True)
class Api:
    """The API server, as a service account sees it."""

    url: str
    token: str
    ca_file: Path

    @classmethod
    def of_pod(cls) -> "Api":
        """The API server of the cluster that this runs in."""
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", (_ACCOUNT / "token").read_text(), _ACCOUNT / "ca.crt")

    def call(self, method: str, path: str, body: Json | None = None) -> Json | None:
        """An answer; None where there is no such object."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(  # noqa: S310 (https, or what the test gives)
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        # a proxy of the environment has no business between us and the API server
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as answer:
                found: Json = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code == _NOT_FOUND and method == "GET":
                return None
            said = error.read().decode("utf-8", "replace")
            raise SystemExit(f"{method} {path}: {error.code} {said}") from error

    def pair(self, namespace: str, name: str) -> Pair | None:
        """What a Secret holds; None where it is not there."""
        secret = self.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        data = secret.get("data") if secret else None
        if not isinstance(data, dict):
            return None
        return Pair(*(base64.b64decode(str(data[key])) for key in ("tls.crt", "tls.key")))

    def keep(self, namespace: str, name: str, pair: Pair, *, is_new: bool) -> None:
        """Put a pair into a Secret."""
        data = {
            "tls.crt": base64.b64encode(pair.certificate).decode(),
            "tls.key": base64.b64encode(pair.key).decode(),
        }
        path = f"/api/v1/namespaces/{namespace}/secrets"
        if is_new:
            self.call(
                "POST",
                path,
                {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data},
            )
        else:
            self.call("PATCH", f"{path}/{name}", {"data": data})


def made(name: str, section: str, *, days: int, issuer: Pair | None = None) -> Pair:
    """A new key and its certificate, signed by an issuer or by itself."""
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        (folder / "form").write_text(_FORM.format(name=name))
        words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        words += ["-config", str(folder / "form"), "-extensions", section, "-days", str(days)]
        words += ["-keyout", str(folder / "new.key"), "-out", str(folder / "new.crt")]
        if issuer is not None:
            certificate, key = issuer.write(folder, "issuer")
            words += ["-CA", str(certificate), "-CAkey", str(key)]
        done = _openssl(*words)
        if done.returncode:
            raise SystemExit(f"openssl made no certificate: {done.stderr.strip()}")
        return Pair((folder / "new.crt").read_bytes(), (folder / "new.key").read_bytes())


def is_good(pair: Pair, issuer: Pair, name: str) -> bool:
    """Whether a certificate is of an issuer, for a name, and has more than a month left."""
    with tempfile.TemporaryDirectory() as kept:
        certificate, _ = pair.write(Path(kept), "serving")
        authority, _ = issuer.write(Path(kept), "authority")
        words = ["verify", "-CAfile", str(authority), "-verify_hostname", name]
        left_s = str(RENEWED_DAYS * _DAY_S)
        return not (
            _openssl(*words, str(certificate)).returncode
            or _openssl("x509", "-in", str(certificate), "-noout", "-checkend", left_s).returncode
        )


def ensure(api: Api, service: str, api_services: list[str]) -> str:
    """All three as they must be; says what was done."""
    namespace, _, short = service.partition("/")
    name = f"{short}.{namespace}.svc"  # what the API server checks, whatever address it dials
    done = []
    authority = api.pair(namespace, CA_SECRET)
    if authority is None:
        authority = made("llmd-adapter-ca", "authority", days=CA_DAYS)
        api.keep(namespace, CA_SECRET, authority, is_new=True)
        done.append("made a CA")
    serving = api.pair(namespace, SERVING_SECRET)
    if serving is None or not is_good(serving, authority, name):
        made_now = made(name, "serving", days=SERVING_DAYS, issuer=authority)
        api.keep(namespace, SERVING_SECRET, made_now, is_new=serving is None)
        done.append("made a certificate" if serving is None else "renewed the certificate")
    bundle: Json = {"spec": {"caBundle": base64.b64encode(authority.certificate).decode()}}
    for each in api_services:
        api.call("PATCH", f"/apis/apiregistration.k8s.io/v1/apiservices/{each}", bundle)
    return ", ".join(done) or "the certificate is good"


def _openssl(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        raise SystemExit("there is no openssl: use the image of Containerfile, which has it")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)  # noqa: S603


def main() -> None:
    """Runs once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", required=True, metavar="NAMESPACE/NAME")
    parser.add_argument("--api-service", action="append", default=[], metavar="NAME")
    given = parser.parse_args()
    sys.stdout.write(ensure(Api.of_pod(), given.service, given.api_service) + "\n")


if __name__ == "__main__":
    main()
