#!/usr/bin/python3
"""The public header lists what there is in SQL: every function, and every table's columns."""

import re
import sqlite3
import unittest

from sigla_e2e import EXTENSION, ROOT

ITS_OWN = {"sigla_capture", "sigla_life", "sigla_replica", "sigla_tx"}


def listed(heading):
    """What stands under a heading of the header's first comment: {name: text beside it}."""
    comment = (ROOT / "include" / "sigla.h").read_text().split("*/", maxsplit=1)[0]
    lines = comment.split(heading, maxsplit=1)[1].split("\n *\n")[1].split("\n")
    found = {}
    for line in lines:
        start = re.match(r" \*   (sigla_\w+)\([^)]*\)(.*)", line)
        if start:
            name = start.group(1)
            found[name] = start.group(2)
        else:
            found[name] += " " + line.removeprefix(" *")
    return found


class Header(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.db.close)
        self.db.enable_load_extension(True)
        self.db.load_extension(str(EXTENSION))

    def names(self, sql):
        return {name for name, in self.db.execute(sql)} - ITS_OWN

    def test_functions(self):
        there = self.names("SELECT name FROM pragma_function_list WHERE name LIKE 'sigla\\_%'"
                           " ESCAPE '\\'")
        self.assertEqual(set(listed("SQL functions")), there)

    def test_tables_and_their_columns(self):
        tables = listed("Table-valued functions")
        there = self.names("SELECT name FROM pragma_module_list WHERE name LIKE 'sigla\\_%'"
                           " ESCAPE '\\'")
        self.assertEqual(set(tables), there)
        for table, text in tables.items():
            columns = [c for c, in self.db.execute(
                "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))]
            said = re.findall(r'[\w"]+', text.split(";")[0])
            self.assertEqual([c.strip('"') for c in said], columns, table)

    def test_its_own_names_are_told(self):
        text = (ROOT / "include" / "sigla.h").read_text()
        for name in ITS_OWN:
            self.assertIn(name, text)


if __name__ == "__main__":
    unittest.main()
