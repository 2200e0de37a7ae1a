"""The build that is measured: release, with symbols, with the load generators."""
import os, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def ready():
    """builds what changed; the folder"""
    folder = os.path.join(TOP, os.environ.get("BENCH_BUILD", "build-bench"))
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["meson", "setup", folder, "-Dbuildtype=release", "-Ddebug=true", "-Dtests=false", "-Dbench=true"], cwd=TOP, check=True,
                       stdout=subprocess.DEVNULL)
    r = subprocess.run(["ninja", "-C", folder, "--quiet"], cwd=TOP, capture_output=True, text=True)
    if r.returncode:
        sys.exit(r.stdout + r.stderr)
    return folder
