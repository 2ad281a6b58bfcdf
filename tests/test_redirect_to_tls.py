"""A plain address whose server redirects to TLS is followed, with the certificates that this machine trusts."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doctor.resources.openai_compatible import OpenAIServer
from tests.wire import listening, response


def certificate(path: Path) -> None:
    """Write a key and a certificate of 127.0.0.1 that it signed itself."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(address, critical=True).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))


async def test_a_redirect_from_a_plain_address_to_tls_is_verified_and_followed(tmp_path: Path, monkeypatch):
    """The proxy stands in for a server beyond this machine."""
    certificate(tmp_path / "both.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    async with listening(tls=context) as secure:
        moved = response("301 Moved Permanently", b"", more=f"Location: https://{secure.authority}/v1/models\r\n")
        async with listening(lambda head: moved) as proxy:
            for name, value in {"http_proxy": f"http://{proxy.authority}", "no_proxy": "127.0.0.1"}.items():
                monkeypatch.delenv(name.upper(), raising=False)
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
            server = OpenAIServer("http://models.invalid/v1", origin=".env:4")
            assert [model.name for model in await server.list()] == ["one-model"]
            await server.close()
