#!/usr/bin/env python3
"""Runs all tests: units, style, dialogs, end to end, fuzz targets, peers. Prints a line for each that
fails or is skipped, and at the end "N passed, N failed, N skipped"."""

import argparse
import concurrent.futures
import glob
import importlib.util
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
sys.path.insert(0, TESTS)

from support import Skip, style  # noqa: E402
from support.dialog import Player  # noqa: E402
from support.instance import Instance  # noqa: E402

# A short run repeats the same inputs each time; longer ones (MAILD_FUZZ_SECONDS=600) look for new ones.
FUZZ_SECONDS = int(os.environ.get("MAILD_FUZZ_SECONDS", "6"))
FUZZ_SEED = 1 if "MAILD_FUZZ_SECONDS" not in os.environ else random.randrange(1, 1 << 31)
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    # A failed assertion ends the program after its message: the sanitizer does not know the jump out of a fiber.
    "CMOCKA_TEST_ABORT": "1",
}


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, error=None, skip=None, seconds=0, count=1):
        if skip:
            self.skipped += count
            print("SKIPPED %s: %s" % (name, skip), flush=True)
        elif error:
            self.failed += 1
            print("FAILED  %s\n%s\n" % (name, str(error).rstrip()), flush=True)
        else:
            self.passed += count
            if seconds > 5:
                print("        %s (%.0f s)" % (name, seconds), flush=True)


def timed(function, *arguments):
    """(error, skip, seconds) of one test."""
    begin = time.monotonic()
    try:
        function(*arguments)
        return None, None, time.monotonic() - begin
    except Skip as skip:
        return None, str(skip), 0
    except AssertionError as error:
        return str(error) or traceback.format_exc(), None, 0
    except Exception:
        return traceback.format_exc(), None, 0


# --- units ---

def run_unit(program):
    try:
        result = subprocess.run([program], capture_output=True, text=True, errors="replace", timeout=300,
                                cwd=os.path.dirname(program))
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, [], str(error)
    output = result.stdout + result.stderr
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    # What a test prints before skip() is its reason.
    skipped = re.findall(r"^\[ RUN      \] (\w+)\n((?:(?!\[).*\n)*?)\[  SKIPPED \]", output, re.M)
    if result.returncode != 0 or passed == 0:
        return 0, [], "exit status %d\n%s" % (result.returncode, output[-5000:])
    return passed, skipped, None


def group_unit(results):
    programs = []
    for source in sorted(glob.glob(TESTS + "/*/test_*.c")):
        folder = os.path.basename(os.path.dirname(source))
        programs.append(os.path.join(ROOT, "build/sanitize",
                                     folder + "_" + os.path.basename(source)[:-2]))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for program, outcome in zip(programs, pool.map(run_unit, programs)):
            name = "unit/" + os.path.basename(program)
            passed, skipped, error = outcome
            if error:
                results.add(name, error)
            else:
                results.add(name, count=passed)
                for test, reason in skipped:
                    results.add(name + "/" + test, skip=" ".join(reason.split()) or "it gives no reason")


# --- style ---

def group_style(results):
    for name, check in style.checks(ROOT):
        error, skip, seconds = timed(check)
        results.add("style/" + name, error, skip, seconds)


# --- dialogs ---

def run_dialog(path):
    with Instance() as server:
        Player(server).play(path)


def group_dialogs(results):
    os.environ["MAILD_BUILD"] = ROOT + "/build/sanitize"
    paths = sorted(glob.glob(TESTS + "/dialogs/*/*.txt"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, outcome in zip(paths, pool.map(lambda p: timed(run_dialog, p), paths)):
            results.add(os.path.relpath(path, TESTS), *outcome)


# --- functions named test_* of Python files ---

def run_python_folder(results, folder, build):
    os.environ["MAILD_BUILD"] = os.path.join(ROOT, "build", build)
    for path in sorted(glob.glob(os.path.join(TESTS, folder, "test_*.py"))):
        name = folder + "/" + os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
        module = importlib.util.module_from_spec(spec)
        error, skip, seconds = timed(spec.loader.exec_module, module)
        if error or skip:
            results.add(name, error, skip)
            continue
        for test in [t for t in vars(module) if t.startswith("test_")]:
            if only and not any(o in name + "/" + test for o in only):
                continue
            results.add(name + "/" + test, *timed(getattr(module, test)))


def group_e2e(results):
    run_python_folder(results, "e2e", "sanitize")


def group_durability(results):
    run_python_folder(results, "durability", "release")


def group_peers(results):
    run_python_folder(results, "peers", "release")


# --- fuzz targets ---

def run_fuzzer(name):
    binary = os.path.join(ROOT, "build/fuzz", name)
    corpus = os.path.join(TESTS, "fuzz/corpus", name[len("fuzz_"):])
    work = os.path.join(ROOT, "build/fuzz/found", name)
    os.makedirs(work, exist_ok=True)
    command = [binary, "-max_total_time=%d" % FUZZ_SECONDS, "-seed=%d" % FUZZ_SEED, "-timeout=10", "-rss_limit_mb=2048",
               "-artifact_prefix=" + work + "/", "-print_final_stats=1", "-verbosity=0", work]
    if os.path.isdir(corpus):
        command.append(corpus)
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    output = result.stdout + result.stderr
    runs = re.search(r"number_of_executed_units: (\d+)", output)
    assert result.returncode == 0, "exit status %d\n%s" % (result.returncode, output[-4000:])
    assert runs and int(runs.group(1)) > 100, "hardly anything ran:\n" + output[-2000:]


def group_fuzz(results):
    names = [os.path.basename(p)[:-2] for p in sorted(glob.glob(TESTS + "/fuzz/fuzz_*.c"))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, outcome in zip(names, pool.map(lambda n: timed(run_fuzzer, n), names)):
            results.add("fuzz/" + name, outcome[0], outcome[1])


GROUPS = {"style": group_style, "unit": group_unit, "dialogs": group_dialogs, "e2e": group_e2e,
          "durability": group_durability, "fuzz": group_fuzz, "peers": group_peers}
only = []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" ".join(GROUPS) + " (all)")
    parser.add_argument("--only", action="append", default=[], help="part of a Python test's name")
    arguments = parser.parse_args()
    only.extend(arguments.only)
    os.environ.update(SANITIZER_OPTIONS)
    for group in arguments.groups:
        if group not in GROUPS:
            parser.error("no group %r; there are: %s" % (group, " ".join(GROUPS)))
    with tempfile.TemporaryDirectory(prefix="maild-test-home-") as home:
        os.environ["HOME"] = home  # what clients keep in the home of who tests stays out of it
        results = run_groups(arguments.groups or GROUPS)
    print("%d passed, %d failed, %d skipped" % (results.passed, results.failed, results.skipped))
    sys.exit(1 if results.failed or not results.passed else 0)


def run_groups(groups):
    results = Results()
    for group in groups:
        begin = time.monotonic()
        try:
            GROUPS[group](results)
        except Exception:
            results.add(group, traceback.format_exc())
        print("%-10s %.0f s" % (group, time.monotonic() - begin), flush=True)
    return results


if __name__ == "__main__":
    main()
