"""What pip cannot bring: installed with apt when we may, and otherwise said with the exact command.

python -m dev.machine         for the tests
python -m dev.machine demo    for the demo only
"""

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

DOCUMENTS = "PDF documents"
# (Debian package, why, how to see that it is there)
NEEDED = [
    ("chromium", "the browser journeys", lambda: Path("/usr/bin/chromium").exists()),
    ("libpango-1.0-0", DOCUMENTS, lambda: ctypes.util.find_library("pango-1.0") is not None),
    ("libpangoft2-1.0-0", DOCUMENTS, lambda: ctypes.util.find_library("pangoft2-1.0") is not None),
    ("libharfbuzz-subset0", DOCUMENTS, lambda: ctypes.util.find_library("harfbuzz-subset") is not None),
    ("fonts-dejavu-core", DOCUMENTS, lambda: Path("/usr/share/fonts/truetype/dejavu").exists()),
    ("redis-server", "tests of the broker", lambda: shutil.which("redis-server") is not None),
]


def main() -> None:
    for_demo = sys.argv[1:] == ["demo"]
    missing = [
        (package, why) for package, why, is_there in NEEDED if (why == DOCUMENTS or not for_demo) and not is_there()
    ]
    if not missing:
        return
    packages = [package for package, _why in missing]
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(packages)}…", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
        installed = subprocess.run([*command, "-qq"], env=quiet, stdout=subprocess.DEVNULL, check=False)
        if installed.returncode == 0:
            return
    for package, why in missing:
        print(f"Missing: {package} ({why}){'' if for_demo else '; tests that need it are skipped'}.", file=sys.stderr)
    print(f"To have everything: sudo {' '.join(command)}", file=sys.stderr)


if __name__ == "__main__":
    main()
