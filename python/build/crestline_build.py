"""Builds the wheel: the program with cargo, then the extension and the package with maturin.

maturin packs either a program or an extension. What lies in its data folder under `scripts` comes onto PATH when the
wheel is installed, so the program is built first and put there. `CRESTLINE_PROFILE` names another cargo profile than
`release`.
"""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import maturin

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "crestline" + (sysconfig.get_config_var("EXE") or "")
PROFILE = os.environ.get("CRESTLINE_PROFILE", "release")
# Named in pyproject.toml; maturin wants it to be there whatever it is asked.
SCRIPTS = ROOT / "target" / "wheel-data" / "scripts"
SCRIPTS.mkdir(parents=True, exist_ok=True)

get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
get_requires_for_build_sdist = maturin.get_requires_for_build_sdist
build_sdist = maturin.build_sdist


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Writes a wheel with program and extension into a folder, and gives its name."""
    _put_program()
    name: str = maturin.build_wheel(wheel_directory, _settings(config_settings), metadata_directory)
    return name


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """Writes what pip asks before it builds, and gives its folder's name."""
    name: str = maturin.prepare_metadata_for_build_wheel(
        metadata_directory, _settings(config_settings)
    )
    return name


def _put_program() -> None:
    """Builds the program, and puts it where the wheel takes scripts from."""
    # Both packages are named so that what they depend on is built once, with the same features, for program and extension.
    packages = ["--package", "crestline", "--package", "crestline-python"]
    command = ["cargo", "build", "--locked", *packages, "--bin", "crestline"]
    subprocess.run([*command, "--profile", PROFILE], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = target / ("debug" if PROFILE == "dev" else PROFILE) / PROGRAM
    put = SCRIPTS / PROGRAM
    shutil.copy2(built, put)
    # A C compiler, which the build needs, brings it; four fifths of the program are for debuggers.
    if strip := shutil.which("strip"):
        subprocess.run([strip, "--strip-debug", put], check=True)


def _settings(given: dict[str, Any] | None) -> dict[str, Any]:
    """The settings of whoever builds, with the profile of the program for the extension too."""
    settings = dict(given or {})
    settings.setdefault("maturin.build-args", f"--locked --profile {PROFILE}")
    return settings
