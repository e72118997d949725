"""Random sessions of SMTP, submission and LMTP against a model of the protocol: every reply is compared, and in
the end the mailboxes hold what was taken, byte for byte. tests/soak has the long form."""

from support import smtp_player


def test_random_sessions_get_what_the_model_says():
    smtp_player.run(1, sessions=500)
