"""Fibers in gdb, live or in a core file:

    (gdb) source tools/gdb/maild-gdb.py
    (gdb) maild fibers          all live fibers and what they do
    (gdb) maild fibers bt       with their backtraces
    (gdb) maild fiber 0x7f...   the backtrace of one

A suspended fiber's registers lie on its stack, in the order of src/core/context.S. An unwinder makes
the frame that is selected now look as if it had been called from there, so frame #0 of a
backtrace belongs to the thread (it is not shown) and the rest to the fiber.
"""

import gdb
from gdb.unwinder import Unwinder, register_unwinder

LAYOUTS = {
    "x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"], "rsp", 56),
    "aarch64": (["x%d" % n for n in range(19, 31)], "sp", 160),
}
STATES = ["idle", "ready", "running", "waiting"]


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def layout():
    name = gdb.selected_inferior().architecture().name()
    return LAYOUTS["aarch64" if name.startswith("aarch64") else "x86-64"]


class FiberUnwinder(Unwinder):
    def __init__(self):
        super().__init__("maild fibers")
        self.fiber = None

    def __call__(self, pending):
        if self.fiber is None or pending.level() != 0:
            return None
        registers, sp_name, size = layout()
        word = gdb.lookup_type("unsigned long")
        sp = int(self.fiber["context"]["sp"])
        saved = gdb.Value(sp).cast(word.pointer())
        info = pending.create_unwind_info(FrameId(gdb.Value(sp), pending.read_register("pc")))
        for i, register in enumerate(registers):
            info.add_saved_register(register, saved[i])
        if "x30" in registers:
            info.add_saved_register("pc", saved[registers.index("x30")])
        info.add_saved_register(sp_name, gdb.Value(sp + size).cast(word))
        return info


unwinder = FiberUnwinder()
register_unwinder(None, unwinder, replace=True)


def loop():
    """The loop; its thread is selected (workers have none)."""
    for thread in [gdb.selected_thread()] + list(gdb.selected_inferior().threads()):
        thread.switch()
        current = gdb.parse_and_eval("'loop.c'::current")
        if current:
            return current.dereference()
    raise gdb.GdbError("no thread runs a loop")


def live_fibers():
    fiber = loop()["newest"]
    while fiber:
        yield fiber
        fiber = fiber["older"]


def backtrace(fiber):
    if STATES[int(fiber["state"])] == "running":
        gdb.execute("backtrace")
        return
    unwinder.fiber = fiber
    gdb.invalidate_cached_frames()
    try:
        for line in gdb.execute("backtrace", to_string=True).splitlines()[1:]:
            print("    " + line)
    finally:
        unwinder.fiber = None
        gdb.invalidate_cached_frames()


class Maild(gdb.Command):
    """Commands for maild: maild fibers [bt], maild fiber ADDRESS."""

    def __init__(self):
        super().__init__("maild", gdb.COMMAND_STACK, prefix=True)


class Fibers(gdb.Command):
    """Lists the fibers; with "bt", their backtraces."""

    def __init__(self):
        super().__init__("maild fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for fiber in live_fibers():
            print("%s  %-8s %s%s" % (hex(int(fiber)), STATES[int(fiber["state"])],
                                     fiber["name"].string(),
                                     " (cancelled)" if fiber["cancelled"] else ""))
            if argument == "bt":
                backtrace(fiber)


class Fiber(gdb.Command):
    """The backtrace of one fiber, given by its address."""

    def __init__(self):
        super().__init__("maild fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        loop()
        pointer = gdb.lookup_type("struct fiber").pointer()
        backtrace(gdb.parse_and_eval(argument).cast(pointer))


Maild()
Fibers()
Fiber()
