"""A registry of images on this machine: Debian's docker-registry, with a certificate of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from tests.deployment.tools import expect_exit, program, run
from tests.servers import OwnServer


@dataclass
class Registry(OwnServer):
    """Images at ``address``; what buildah, podman and skopeo need to reach it is ``variables``."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def variables(self) -> Mapping[str, str]:
        """A trusted certificate, an empty file of logins and storage of one's own."""
        return {
            "SSL_CERT_FILE": str(self.folder / "certificate"),
            "REGISTRY_AUTH_FILE": str(self.folder / "logins.json"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }

    def start(self) -> None:
        key, certificate = self.folder / "key", self.folder / "certificate"
        expect_exit(run([
            program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=registry",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ]))  # fmt: skip
        (self.folder / "logins.json").write_text("{}")
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/graph"\n'
            f'runroot = "{self.folder}/run"\n'
        )
        tls = {"certificate": str(certificate), "key": str(key)}
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "images")}},
            "http": {"addr": self.address, "tls": tls},
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))
        command = [program("docker-registry", "docker-registry"), "serve"]
        self._spawn([*command, str(self.folder / "config.yaml")], {})
        self._wait_for(self._answers, 10)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
