"""What GitLab's pipeline publishes, by its own shell, with buildah and a registry."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.deployment.conftest import Rendering, only
from tests.deployment.registry import Registry
from tests.deployment.test_pipelines import pipeline
from tests.deployment.tools import expect_exit, program, run

pytestmark = [pytest.mark.contract("D4"), pytest.mark.container, pytest.mark.slow]
OF_PIPELINES = True

COMMIT = "c0ffee"


@only("gitlab")
def test_one_name_and_digest_leads_to_the_image_of_each_platform(
    rendering: Rendering, tmp_path: Path
) -> None:
    buildah, skopeo = program("buildah", "buildah"), program("skopeo", "skopeo")
    matrix = pipeline(rendering)["build"]["parallel"]["matrix"]
    platforms = [one["PLATFORM"] for one in matrix]
    with Registry() as registry:
        image = f"{registry.address}/shop/stock"
        variables = os.environ | registry.variables | {
            "CI_REGISTRY": registry.address, "CI_REGISTRY_IMAGE": image, "CI_COMMIT_SHA": COMMIT,
            "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p", "STORAGE_DRIVER": "vfs",
            "BUILDAH_ISOLATION": "chroot",
        }  # fmt: skip
        (tmp_path / "image").mkdir()
        for platform in platforms:  # as the jobs before have left them
            build = f"""
                container="$({buildah} from --arch {platform} scratch)"
                {buildah} config --arch {platform} --label built={platform} "$container"
                {buildah} commit --quiet --format docker "$container" service
                {buildah} push --quiet service docker-archive:image/{platform}.tar:service
                {buildah} rmi --force service"""
            shell = ["bash", "-euo", "pipefail", "-c"]
            expect_exit(run([*shell, build], cwd=tmp_path, env=variables))
        script = "\n".join(pipeline(rendering)["publish"]["script"])
        expect_exit(run([*shell, script], cwd=tmp_path, env=variables))

        def inspect(*options: str) -> str:
            return expect_exit(run([skopeo, "inspect", *options], env=variables)).stdout

        raw = inspect("--raw", f"docker://{image}:{COMMIT}")
        published = (tmp_path / "published.env").read_text()
        assert published == f"DIGEST=sha256:{sha256(raw.encode()).hexdigest()}\n"
        listed = {
            one["platform"]["architecture"]: one["digest"] for one in json.loads(raw)["manifests"]
        }
        assert sorted(listed) == sorted(platforms) == ["amd64", "arm64"]
        for platform, digest in listed.items():
            assert (tmp_path / "digests" / platform).read_text() == digest, "what is attested"
            config = json.loads(inspect("--config", f"docker://{image}@{digest}"))
            assert config["architecture"] == platform
            assert config["config"]["Labels"]["built"] == platform
