"""Docker's files where there is no Docker. `make lint` checks their form; the fleet runs the very commands."""

import re
from typing import Any

import pytest
import yaml

from tests.deployment import compose
from tests.deployment.fleet import Fleet, wait_until

COMPOSE = (compose.ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (compose.ROOT / "Dockerfile").read_text()
OURS = ("migrate", "web", "worker", "beat")


def test_image_starts_a_web_as_the_compose_file_does() -> None:
    words = re.search(r"^CMD \[(.+)\]$", DOCKERFILE, re.MULTILINE)
    assert words is not None
    assert re.findall(r'"([^"]*)"', words[1]) == compose.services()["web"]["command"]


def test_image_holds_every_package_of_ours_and_no_test() -> None:
    copied = {line[1:] for line in (compose.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in compose.ROOT.glob("*/apps.py")}
    assert packages | {"locale", "static", "templates", "manage.py", "requirements.txt"} == copied


def test_our_services_are_one_image_that_can_do_no_harm() -> None:
    services = compose.services()
    for name in OURS:
        service = services[name]
        assert (service["image"], service["read_only"], service["cap_drop"]) == (
            "libriweb:${LIBRIWEB_VERSION:-latest}",
            True,
            ["ALL"],
        )
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert {services[name]["image"] for name in services if name not in OURS} == {
        "postgres:17",
        "redis:7",
        services["mailpit"]["image"],
    }
    assert services["mailpit"]["profiles"] == ["dev"]


def test_nothing_starts_before_the_database_is_migrated() -> None:
    services = compose.services()
    for name in ("web", "worker", "beat"):
        waits: dict[str, Any] = services[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_every_folder_that_keeps_something_is_a_volume_of_all_that_need_it() -> None:
    """The rest of the image is read-only: what is written beside these is lost, or cannot be written at all."""
    made = re.search(r"install --directory .*?((?: /data/\w+)+)$", DOCKERFILE, re.MULTILINE)
    assert made is not None
    example = (compose.ROOT / ".env.example").read_text()
    wanted = set(re.findall(r"=(/data/\w+)", DOCKERFILE + example))
    services = compose.services()
    for name in OURS:
        mounted = {volume.rpartition(":")[2] for volume in services[name]["volumes"]}
        assert mounted == set(made[1].split()) == wanted
    named = {re.sub(r"^\$\{\w+:-(\w+)\}$", r"\1", v.rpartition(":")[0]) for v in services["web"]["volumes"]}
    assert named | {"database"} == set(yaml.safe_load(COMPOSE)["volumes"])


def test_no_secret_stands_in_the_file() -> None:
    """What is secret is asked for by name; the example has no value for it."""
    example = dict(
        line.split("=", 1)
        for line in (compose.ROOT / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    secret = [name for name in example if re.search(r"PASSWORD|SECRET|KEY|TOKEN|CLIENT_ID|WEBHOOK", name)]
    assert {example[name] for name in secret} == {""}
    assert "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?" in COMPOSE
    readme = (compose.ROOT / "README.md").read_text()
    assert [name for name in example if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("service", ["web", "worker", "beat"])
def test_health_check_tells_a_healthy_service(fleet: Fleet, service: str) -> None:
    check = compose.health_check(service, {"8000": str(fleet.web_ports["web1"]), "celery@$HOSTNAME": "worker1@test"})
    wait_until(lambda: fleet.run(check).returncode == 0)


def test_health_check_tells_a_service_that_is_not(fleet: Fleet) -> None:
    checks = [
        compose.health_check("web", {"8000": "1"}),
        compose.health_check("worker", {"celery@$HOSTNAME": "nobody@test", "8": "1"}),
    ]
    assert [fleet.run(check).returncode == 0 for check in checks] == [False, False]
