"""What the benchmarks share."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
os.environ["MAILD_BUILD"] = BUILD = os.path.join(ROOT, "build", "release")


def show(name, value, unit):
    print("%-58s %12s %s" % (name, "%.4g" % value if isinstance(value, float) else value, unit), flush=True)


def program(name, *arguments):
    return subprocess.run([os.path.join(BUILD, name), *map(str, arguments)], check=True,
                          capture_output=True, text=True, timeout=600).stdout
