"""What a process may be told to be in place of a policy's worker. It is sent to the processes by value."""

import os
import threading

from radrl.errors import DataError


class Toy:
    def __init__(self, place, greeting="hello"):
        self.place = place
        self.greeting = greeting
        self.seen = []

    def greet(self, name):
        self.seen.append(name)
        return f"{self.greeting} {name} from {self.place.rank} of {self.place.num_ranks}"

    def names(self):
        return self.seen

    def process(self):
        return os.getpid()

    def count(self, start, num):
        for number in range(start, start + num):
            yield number
            if number == 13:
                raise ValueError("thirteen")

    def fail(self, how):
        if self.place.rank == 1:
            raise DataError("row 7 has no answer") if how == "named" else ZeroDivisionError("by zero")
        self.wait_for_a_rank_that_is_gone()

    def die(self, rank):
        if self.place.rank == rank:
            os.kill(os.getpid(), 9)
        self.wait_for_a_rank_that_is_gone()

    def break_beside(self, rank):
        """As an exchange does when the other side is gone: it fails, and it is the first to say so."""
        if self.place.rank == rank:
            threading.Event().wait(0.5)
            os.kill(os.getpid(), 9)
        raise RuntimeError("connection closed by peer")

    def hang(self, rank):
        if self.place.rank == rank:
            self.wait_for_a_rank_that_is_gone()

    def wait_for_a_rank_that_is_gone(self):
        threading.Event().wait(60)
