"""What people are shown: tables, progress, plots, and the sentences beside them; on any terminal, or none.

`terminal` prepares the streams, `output` prints; the rest turns the server's JSON into what is printed or drawn.
"""
