#!/usr/bin/python3
"""A synced note in Python: `examples/hello.py notes.db`, then `build/sigla sync notes.db`."""
import sqlite3
import sys

db = sqlite3.connect(sys.argv[1])
db.enable_load_extension(True)
db.load_extension("build/sigla.so")
with db:
    db.execute("CREATE TABLE IF NOT EXISTS notes(id TEXT PRIMARY KEY, text TEXT)")
    db.execute("SELECT sigla_track('notes')")
    db.execute("INSERT OR REPLACE INTO notes VALUES('hello', 'Hello from Python')")
marks = "SELECT field, value, at, actor ->> 'principalId' FROM sigla_marks('notes', 'hello')"
for field, value, at, who in db.execute(marks):
    print(f"{field} = {value}, written by {who} at {at}")
