"""The Job that makes the adapter's certificate, with the real openssl and the adapter's own reading of it."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapter.telemetry import Telemetry
from adapter.tls import CertificateFiles, Tls
from tests.manifests.certificate_job import job

NAME = "llmd-adapter.llmd-autoscaler.svc"
SECRETS = "/api/v1/namespaces/llmd-autoscaler/secrets"


class Cluster(BaseHTTPRequestHandler):
    """Secrets and APIServices as a dict."""

    def do_GET(self):
        self._answer(self.server.objects.get(self.path))

    def do_POST(self):
        body = self._body()
        self.server.objects[f"{self.path}/{body['metadata']['name']}"] = body
        self._answer(body)

    def do_PATCH(self):
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        found = self.server.objects.setdefault(self.path, {})
        found.update(self._body())
        self._answer(found)

    def _body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, found):
        assert self.headers["Authorization"] == "Bearer token"
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found or {}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster():
    with ThreadingHTTPServer(("127.0.0.1", 0), Cluster) as server:
        server.objects = {}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(cluster):
    bundle = Path(ssl.get_default_verify_paths().openssl_cafile)
    return job.Api(f"http://127.0.0.1:{cluster.server_port}", "token", bundle)


def ensure(api):
    service = "llmd-autoscaler/llmd-adapter"
    return job.ensure(api, service, ["v1beta2.custom.metrics.k8s.io"])


def test_the_first_run_makes_all_and_tells_the_api_service(api, cluster):
    assert ensure(api) == "made a CA, made a certificate"
    authority = cluster.objects[f"{SECRETS}/llmd-adapter-ca"]["data"]["tls.crt"]
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io"
    assert cluster.objects[path] == {"spec": {"caBundle": authority}}
    assert cluster.objects[f"{SECRETS}/llmd-adapter-tls"]["type"] == "kubernetes.io/tls"


def test_a_good_certificate_is_kept(api, cluster):
    ensure(api)
    before = dict(cluster.objects)
    assert ensure(api) == "the certificate is good"
    assert cluster.objects == before


def test_a_certificate_in_its_last_month_is_renewed_under_the_same_ca(api):
    ensure(api)
    authority = api.pair("llmd-autoscaler", "llmd-adapter-ca")
    short = job.made(NAME, "serving", days=29, issuer=authority)
    api.keep("llmd-autoscaler", "llmd-adapter-tls", short, is_new=False)
    assert ensure(api) == "renewed the certificate"
    assert job.is_good(api.pair("llmd-autoscaler", "llmd-adapter-tls"), authority, NAME)
    assert api.pair("llmd-autoscaler", "llmd-adapter-ca") == authority


def test_a_certificate_of_another_ca_or_for_another_name_is_not_good():
    ours, other = (job.made("ca", "authority", days=9) for _ in range(2))
    good = job.made(NAME, "serving", days=99, issuer=ours)
    assert job.is_good(good, ours, NAME)
    assert not job.is_good(good, other, NAME)
    assert not job.is_good(good, ours, "llmd-adapter.elsewhere.svc")


async def test_the_adapter_serves_with_it_and_the_api_server_would_believe_it(tmp_path):
    authority = job.made("llmd-adapter-ca", "authority", days=3650)
    serving = job.made(NAME, "serving", days=365, issuer=authority)
    files = CertificateFiles(*serving.write(tmp_path, "tls"))
    server, client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trust = ssl.create_default_context(cadata=authority.certificate.decode())
    ends = (
        Tls(files, Telemetry()).context.wrap_bio(client, server, server_side=True),
        trust.wrap_bio(server, client, server_hostname=NAME),
    )
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ("DNS", NAME) in ends[1].getpeercert()["subjectAltName"]


def test_an_error_of_the_api_server_is_one_sentence_with_its_words(cluster):
    api = job.Api(
        f"http://127.0.0.1:{cluster.server_port}",
        "token",
        Path(ssl.get_default_verify_paths().openssl_cafile),
    )
    with pytest.raises(SystemExit, match=r"PUT /nowhere: 501"):
        api.call("PUT", "/nowhere", {})


def test_the_keys_of_a_secret_are_read_as_they_were_written(api):
    pair = job.made("ca", "authority", days=9)
    api.keep("llmd-autoscaler", "x", pair, is_new=True)
    assert api.pair("llmd-autoscaler", "x") == pair
    assert api.pair("llmd-autoscaler", "y") is None
