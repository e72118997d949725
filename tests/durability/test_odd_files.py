"""Odd messages and odd files in a Maildir. tests/soak has the message of a gigabyte and the line of 100 MB."""

from support import odd_files


def test_odd_messages():
    odd_files.run_messages(huge=100, memory=300)


def test_odd_deliveries():
    odd_files.run_delivery(huge=100, memory=300)


def test_large_mailbox():
    odd_files.run_mailbox(count=5000, sessions=10, memory=16)


def test_odd_files():
    odd_files.run_files()
