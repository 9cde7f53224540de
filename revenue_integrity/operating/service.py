"""Running a home unattended: units for systemd that start what the home needs, and start it again.

Belongs here: the text of the units. Does not belong here: installing them, which their heads tell a person; what the commands in
them do; schedulers of other systems (``docs/unattended.md``).
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from revenue_integrity.errors import UsageError
from revenue_integrity.files import made
from revenue_integrity.settings import PREFIX, Settings

UI, UPDATE = "revenue-integrity-ui.service", "revenue-integrity-update"

_HARDENED = """NoNewPrivileges=yes
PrivateTmp=yes
UMask=0027
"""
"""What no process of the home needs to do, as far as a user's own manager can forbid it too."""


def units(settings: Settings, variables: Mapping[str, str], *, user: bool, minutes: int) -> dict[str, str]:
    """Return the units by their file names: the UI with its daemon, and the timer for who wants no daemon.

    ``variables`` are those of the product that the caller has set; what is secret in them stands in a file of its own, which the
    units read. ``minutes`` is the time between two runs of the timer.
    """
    place = "~/.config/systemd/user" if user else "/etc/systemd/system"
    manager = "systemctl --user" if user else "sudo systemctl"
    target = "default.target" if user else "multi-user.target"
    environment = settings.home / "service.env"
    program = shlex.quote(str(Path(sys.executable).with_name("revenue-integrity")))
    ready = "Enable lingering once, so that it runs without a login: loginctl enable-linger" if user else "Set User= to its owner"

    def head(what: str, unit: str) -> str:
        return (
            f"# {what}\n"
            f"# Install: copy it to {place}, then {manager} daemon-reload && {manager} enable --now {unit}\n"
            f"# {ready}. Take either the UI with its daemon, or the timer: both do the same work.\n"
            f"# Settings stand in {environment}, one NAME=VALUE a line, readable by its owner alone.\n"
        )

    account = "" if user else f"User={_owner(settings.home)}\n"
    # A percent sign begins a specifier, and an unquoted blank the next assignment.
    home, file = (str(path).replace("%", "%%") for path in (settings.home, environment))
    common = f'{account}Environment="{PREFIX}HOME={home}"\nEnvironmentFile=-{file}\n{_HARDENED}'
    return {
        UI: head("The UI and its daemon, which reads what arrives and computes what is stale.", UI)
        + f"""[Unit]
Description=Revenue Integrity: UI and daemon
After=network-online.target

[Service]
Type=exec
ExecStart={program} ui
Restart=on-failure
RestartSec=30
KillMode=mixed
TimeoutStopSec=60
{common}
[Install]
WantedBy={target}
""",
        f"{UPDATE}.service": head("Reads what arrived and computes what is stale, once.", f"{UPDATE}.timer")
        + f"""[Unit]
Description=Revenue Integrity: bring the home up to date

[Service]
Type=oneshot
# What is refused of the inbox is told by an alert, and keeps nothing from being computed.
ExecStart=-{program} inbox
ExecStart={program} run
# Also where a month failed: what stands published goes where the setting deliveries says.
ExecStopPost=-{program} deliver
{common}""",
        f"{UPDATE}.timer": head("Starts the update again and again.", f"{UPDATE}.timer")
        + f"""[Unit]
Description=Revenue Integrity: bring the home up to date every {minutes} minutes

[Timer]
OnBootSec=2min
OnUnitInactiveSec={minutes}min
Unit={UPDATE}.service

[Install]
WantedBy=timers.target
""",
        "service.env": _environment(variables),
    }


def write(settings: Settings, variables: Mapping[str, str], directory: Path, *, user: bool, minutes: int) -> list[Path]:
    """Write the units into a directory and return their files.

    Raises:
        UsageError: the directory cannot be written, or a variable holds a line end.
    """
    if bad := sorted(name for name, value in variables.items() if "\n" in value):
        raise UsageError(f"{', '.join(bad)} holds a line end, which no unit can hold", "Set it in the TOML file")
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in units(settings, variables, user=user, minutes=minutes).items():
            file = directory / name
            with made(file) as new:
                new.touch(0o600 if name == "service.env" else 0o644)
                new.write_text(text, encoding="utf-8")
            written.append(file)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}", "Name a directory of yours with -o") from error
    return written


def _owner(home: Path) -> str:
    place = home
    while not place.exists():
        place = place.parent
    return place.owner()


def _environment(variables: Mapping[str, str]) -> str:
    kept = {name: value for name, value in sorted(variables.items()) if name.startswith(PREFIX) and name != f"{PREFIX}HOME"}
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in kept.items()}
    return "".join(f'{name}="{value}"\n' for name, value in quoted.items())
