"""SIGKILL at random moments while clients do everything at once; the ledger is checked after each start."""

import random
import time

from .actors import Company
from .disk_layer import Layered
from .ledger import Observed, check_all

USERS = ("alice", "bob")
PER_INSTANCE = 60  # kills, then a new one: nobody empties the mailboxes


def start(server, generator, company):
    """Now and then the server is killed while it starts, too."""
    while generator.random() < 0.2:
        server.start(wait=False)
        time.sleep(generator.uniform(0, 0.04))
        server.kill()
    server.start()
    observed = Observed(server, USERS, queue=True)
    check_all(company.ledgers, observed)
    company.settle(observed)


def run_instance(seed, kills):
    """Returns the number of steps that were acknowledged."""
    generator = random.Random(seed)
    server = Layered(sync_delay=1500)
    company = Company(server, seed, 4, queue=True)
    number = 0
    try:
        start(server, generator, company)
        for number in range(1, kills + 1):
            company.start()
            time.sleep(generator.uniform(0.02, 0.3))  # the moment is what is random here
            assert server.process.poll() is None, "maild ended with %d" % server.process.returncode
            server.kill()
            company.stop()
            start(server, generator, company)
        refusals = [r for actor in company.actors for r in actor.refusals]
        assert not refusals, "nothing was wrong, but: %s" % refusals[:3]
        server.stop()
        return sum(actor.done for actor in company.actors)
    except AssertionError as error:
        log = server.log()
        warnings = [line for line in log.splitlines() if " info " not in line]
        raise AssertionError("seed %s, kill %d: %s\n%s\n\n%s" % (seed, number, error, log[-1500:],
                                                               "\n".join(warnings[-20:])))
    finally:
        server.kill()
        server.close()


def run(seed, kills, report=lambda text: None):
    done, steps, number = 0, 0, 0
    while done < kills:
        count = min(PER_INSTANCE, kills - done)
        steps += run_instance("%s.%d" % (seed, number), count)
        done, number = done + count, number + 1
    report("%d kills, %d steps acknowledged" % (kills, steps))
    assert steps > kills, "hardly anything was done: %d steps" % steps
