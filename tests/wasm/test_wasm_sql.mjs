// SQLite in build/sigla.wasm, over the files of a JavaScript host: values, errors, durability.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { nodeFiles } from '../../apps/wasm/node_files.mjs';
import { SiglaError, loadSigla, memoryFiles } from '../../apps/wasm/sigla.mjs';
import { run, wasmModule } from './harness.mjs';

const module = await wasmModule();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigla-wasm-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true }));

async function withDatabase(test, files = memoryFiles(), name = 'a.db') {
    const db = (await loadSigla(module, files)).open(name);
    try {
        return await test(db);
    } finally {
        db.close();
    }
}

function roundTrip(db, value) {
    const { rows } = db.exec('SELECT ?1, typeof(?1)', [value]);
    return rows[0];
}

/** Files whose writes fail from the n-th on, as after a power cut: nothing later reaches them. */
function failingFiles(files, n) {
    let writes = 0;
    return {
        ...files,
        write: (...args) => (++writes >= n ? -1 : files.write(...args)),
        truncate: (...args) => (writes >= n ? -1 : files.truncate(...args)),
        delete: (...args) => (writes >= n ? -1 : files.delete(...args)),
        get writes() {
            return writes;
        },
    };
}

await run({
    'values come back as they went in': () =>
        withDatabase((db) => {
            for (const [value, type] of [
                [null, 'null'],
                [0, 'integer'],
                [-5, 'integer'],
                [Number.MAX_SAFE_INTEGER, 'integer'],
                [9007199254740993n, 'integer'],
                [-9223372036854775808n, 'integer'],
                [1.5, 'real'],
                [-0, 'real'],
                [5e-324, 'real'],
                [1e300, 'real'],
                [Infinity, 'real'],
                [-Infinity, 'real'],
                ['', 'text'],
                ['a "quoted" \\ line\nand a tab\t', 'text'],
                ['žluťoučký 🐴 \u0001', 'text'],
                ['nul \0 inside', 'text'],
                [new Uint8Array([]), 'blob'],
                [Uint8Array.from({ length: 256 }, (_, i) => i), 'blob'],
            ]) {
                const [back, kind] = roundTrip(db, value);
                assert.deepEqual([back, kind], [value, type]);
            }
            assert.deepEqual(roundTrip(db, true), [1, 'integer']);
            assert.deepEqual(roundTrip(db, NaN), [null, 'null']);
        }),

    'the answer is that of the last statement': () =>
        withDatabase((db) => {
            db.exec('CREATE TABLE t(a, b); INSERT INTO t VALUES (?, ?), (?, ?)', [1, 'x', 2, 'y']);
            assert.deepEqual(db.exec('SELECT a, b FROM t ORDER BY a;  -- the end\n'), {
                columns: ['a', 'b'],
                rows: [
                    [1, 'x'],
                    [2, 'y'],
                ],
                changes: 2,
            });
            assert.equal(db.exec('UPDATE t SET b = 0').changes, 2);
            assert.deepEqual(db.rows('SELECT b FROM t WHERE a = ?', [2]), [{ b: 0 }]);
        }),

    'errors say what SQLite said and leave the database usable': () =>
        withDatabase((db) => {
            assert.throws(() => db.exec('SELEC 1'), {
                name: 'SiglaError',
                message: /syntax error/,
            });
            assert.throws(() => db.exec('SELECT ?'), {
                code: 'bad_request',
                message: /fewer parameters/,
            });
            db.exec('CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)');
            assert.throws(() => db.exec('INSERT INTO t VALUES (1)'), /UNIQUE constraint failed/);
            assert.throws(() => db.exec('SELECT "\ud800"'), SiglaError);
            assert.deepEqual(db.exec('SELECT count(*) FROM t').rows, [[1]]);
        }),

    'a large result grows the memory': () =>
        withDatabase((db) => {
            const sql =
                'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 200000) ' +
                "SELECT i, printf('%080d', i) FROM n";
            const { rows } = db.exec(sql);
            assert.equal(rows.length, 200000);
            assert.equal(rows[199999][0], 200000);
        }),

    'statements that need scratch space do without temporary files': () =>
        withDatabase((db) => {
            db.exec(
                'CREATE TABLE t(a INTEGER PRIMARY KEY, b);' +
                    'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 30000) ' +
                    'INSERT INTO t SELECT i, hex(randomblob(50)) FROM n',
            );
            db.exec('SAVEPOINT s; UPDATE t SET b = b || b; ROLLBACK TO s; RELEASE s; VACUUM');
            assert.deepEqual(db.exec('SELECT count(*), max(length(b)) FROM t').rows, [
                [30000, 100],
            ]);
            assert.equal(db.exec('SELECT b FROM t ORDER BY b DESC').rows.length, 30000);
            assert.deepEqual(db.exec('PRAGMA integrity_check').rows, [['ok']]);
        }),

    'the clock and random bytes are those of the host': () =>
        withDatabase((db) => {
            const [[now]] = db.exec("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)").rows;
            assert.ok(Math.abs(now - Date.now()) < 5000, `${now} against ${Date.now()}`);
            const [[a, b]] = db.exec('SELECT hex(randomblob(16)), hex(randomblob(16))').rows;
            assert.notEqual(a, b);
        }),

    'a database in a folder is there for the next module, and for others': async () => {
        const files = nodeFiles(folder);
        await withDatabase(
            (db) => db.exec("CREATE TABLE t(a); INSERT INTO t VALUES ('kept')"),
            files,
            'kept.db',
        );
        assert.equal(
            fs.readFileSync(path.join(folder, 'kept.db'), 'latin1').slice(0, 15),
            'SQLite format 3',
        );
        const rows = await withDatabase(
            (db) => db.rows('SELECT a FROM t'),
            nodeFiles(folder),
            'kept.db',
        );
        assert.deepEqual(rows, [{ a: 'kept' }]);
    },

    'write-ahead logging works': async () => {
        const files = nodeFiles(folder);
        await withDatabase(
            (db) => {
                assert.deepEqual(db.exec('PRAGMA journal_mode = WAL').rows, [['wal']]);
                db.exec("CREATE TABLE t(a); INSERT INTO t VALUES ('logged')");
            },
            files,
            'wal.db',
        );
        const rows = await withDatabase((db) => db.rows('SELECT a FROM t'), files, 'wal.db');
        assert.deepEqual(rows, [{ a: 'logged' }]);
    },

    'a name that leads out of the folder cannot be opened': async () => {
        const sigla = await loadSigla(module, nodeFiles(folder));
        assert.throws(() => sigla.open('../out.db').exec('CREATE TABLE t(a)'), SiglaError);
        assert.ok(!fs.existsSync(path.join(folder, '../out.db')));
    },

    'a full disk is an error and rolls back': async () => {
        const files = memoryFiles();
        let full = false;
        const limited = { ...files, write: (...args) => (full ? -2 : files.write(...args)) };
        await withDatabase((db) => {
            db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
            full = true;
            assert.throws(() => db.exec('UPDATE t SET a = 2'), /full/);
            full = false;
            assert.deepEqual(db.exec('SELECT a FROM t').rows, [[1]]);
        }, limited);
    },

    'wherever writing stops, the next module finds all of a transaction or nothing': async () => {
        const change = 'BEGIN; UPDATE t SET a = a + 1; UPDATE u SET a = a + 1; COMMIT';
        const seen = new Set();
        for (let n = 1, done = false; !done; n++) {
            assert.ok(n < 100);
            const files = memoryFiles();
            await withDatabase(
                (db) => db.exec('CREATE TABLE t AS SELECT 0 AS a; CREATE TABLE u AS SELECT 0 AS a'),
                files,
            );
            const failing = failingFiles(files, n);
            const db = (await loadSigla(module, failing)).open('a.db');
            try {
                db.exec(change);
                done = failing.writes < n;
            } catch (e) {
                assert.ok(e instanceof SiglaError, e.stack);
            }
            // The module is left as it is, as by a tab that was closed.
            await withDatabase((next) => {
                const { rows } = next.exec('SELECT t.a, u.a FROM t, u');
                assert.equal(rows[0][0], rows[0][1], `after ${n} writes`);
                seen.add(rows[0][0]);
                assert.deepEqual(next.exec('PRAGMA integrity_check').rows, [['ok']]);
            }, files);
        }
        assert.deepEqual([...seen].sort(), [0, 1]);
    },
});
