"""A certificate authority of a test's own, and the certificates and tokens that it signs."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """Writes what it signs into ``home``."""

    def __init__(self, home: Path, name: str = "ca") -> None:
        self._home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        built = _builder(self._name, self._name, self._key.public_key(), timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = home / f"{name}.pem"
        self.file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(_PEM))

    def certificate(
        self, name: str, *, hosts: tuple[str, ...] = (), lives: timedelta = timedelta(days=1)
    ) -> Path:
        """A file with the key and the certificate of ``CN=name``. ``lives``: below zero, it has
        expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(_named(name), self._name, key.public_key(), lives)
        if hosts:
            names = [*map(x509.DNSName, hosts)]
            alternatives: list[x509.GeneralName] = [*names]
            if "localhost" in hosts:
                alternatives.append(x509.IPAddress(IPv4Address("127.0.0.1")))
            built = built.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        file = self._home / f"{name}.pem"
        file.write_bytes(
            key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + built.sign(self._key, hashes.SHA256()).public_bytes(_PEM)
        )
        return file


class Issuer:
    """Signs JSON Web Tokens, for whoever has its ``jwks``."""

    KEY_ID = "of-the-test"

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> str:
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.KEY_ID}
        key |= {"n": _number(numbers.n), "e": _number(numbers.e)}
        return json.dumps({"keys": [key]})

    def token(self, subject: str, *, audience: str, lives: float = 300.0) -> str:
        now = int(time.time())
        header = {"alg": "RS256", "kid": self.KEY_ID, "typ": "JWT"}
        claims = {"sub": subject, "aud": audience, "iat": now, "exp": int(now + lives)}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lives: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + lives)
    )


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
