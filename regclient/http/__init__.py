"""Requests and answers: where the server is, how it is asked and asked again, and what may come back.

`connection` finds address and key, `transport` sends, `retries` and `deadline` say for how long, `bodies` and
`answers` check what is sent and received. Nothing here knows jobs.
"""
