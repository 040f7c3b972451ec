"""The HTTP interface.

    main.py openapi.py    the server, and its document as a file
    app.py                what the app is made of
    jobs/ sweeps/ datasets/ catalogue/ operations/
                          a resource each: routes, queries, schemas, examples, and what its operations do
    http/                 what is HTTP and of no resource: keys, hosts, headers, bodies, problems
    services.py           the store, the files and the hints, opened once for the process

Imports run down this list; `jobs` takes from `datasets`, and `sweeps` from both. Does not live here: SQL, Celery,
torch, or any decision about a job's life; those are the packages `jobs` and `worker`.
"""
