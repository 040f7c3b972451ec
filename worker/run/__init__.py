"""The child's side of a run: the template, the runner that is forked from it, and the training in it.

Lives here: what a runner hears and says (`pipes`), and how it trains (`training`). Does not live here: the store, the
settings, credentials, and anything of `worker.supervise`: a runner knows only what `worker.protocol` brings it, and
writes only to its run's folders and its pipe.
"""
