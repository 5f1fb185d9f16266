// Replicas in build/sigla.wasm sync with a running server through fetch, among themselves and with
// a native one.
// timeout: 60

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

import { nodeFiles } from '../../apps/wasm/node_files.mjs';
import { SiglaError, loadSigla, memoryFiles } from '../../apps/wasm/sigla.mjs';
import { build, run, wasmModule } from './harness.mjs';

const program = path.join(build, 'sigla');
const module = await wasmModule();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigla-wasm-sync-'));
const data = path.join(folder, 'server');
const sigla = (...args) => execFileSync(program, args, { encoding: 'utf8' });
const tokenOf = (user) => sigla('token', '--data', data, '--user', user).trim();

const server = spawn(program, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--dev'], {
    stdio: ['ignore', 'pipe', 'inherit'],
});
process.on('exit', () => {
    server.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true });
});
const url = await new Promise((found, failed) => {
    server.on('exit', (status) => failed(new Error(`the server ended with ${status}`)));
    readline.createInterface(server.stdout).on('line', (line) => {
        const listening = /^listening on (http:\S+)$/.exec(line);
        if (listening) found(listening[1]);
    });
});

const SCHEMA =
    'CREATE TABLE IF NOT EXISTS tasks' +
    '(id TEXT PRIMARY KEY, title TEXT, done INTEGER, n REAL, raw BLOB)';

/** A replica of that user's: each in a module of its own, as two browsers would be. */
async function device(
    user,
    { files = memoryFiles(), name = 'tasks.db', server = url, token } = {},
) {
    const db = (await loadSigla(module, files)).open(name);
    token ??= tokenOf(user);
    db.exec('SELECT sigla_init(?)', [JSON.stringify({ server, token, user })]);
    db.exec(SCHEMA);
    db.exec("SELECT sigla_track('tasks')");
    return db;
}

const TASKS = 'SELECT id, title, done, n, raw FROM tasks ORDER BY id';
const MARKS =
    'SELECT field, value, at, actor, seq, client, n FROM sigla_marks(?, ?) ORDER BY field';
const marks = (db, id) => db.rows(MARKS, ['tasks', id]);
const origins = (db, id) =>
    db.rows("SELECT DISTINCT origin FROM sigla_marks('tasks', ?)", [id]).map((row) => row.origin);
const conflicts = (db) => db.rows('SELECT field, wasLocal, nowServer FROM sigla_conflicts()');
const pending = (db) => db.exec('SELECT count(*) FROM sigla_pending()').rows[0][0];

await run({
    'what one device writes is at the other, with its marks': async () => {
        const a = await device('ada');
        const b = await device('ada');
        const raw = Uint8Array.from([0, 255, 7]);
        a.exec('INSERT INTO tasks VALUES (?, ?, ?, ?, ?)', ['t1', 'Tea ☕', 0, 0.1, raw]);
        assert.equal(pending(a), 1);
        assert.equal((await a.sync()).pushed, 1);
        assert.equal(pending(a), 0);
        await b.sync();
        assert.deepEqual(b.rows(TASKS), [{ id: 't1', title: 'Tea ☕', done: 0, n: 0.1, raw }]);
        assert.deepEqual(marks(b, 't1'), marks(a, 't1'));
        assert.ok(marks(b, 't1').every((mark) => mark.seq > 0));
        assert.deepEqual(origins(a, 't1'), ['user']);
        assert.deepEqual(origins(b, 't1'), ['server-replay']);
    },

    'edits of different fields are both kept, whoever syncs first': async () => {
        const a = await device('bea');
        const b = await device('bea');
        a.exec("INSERT INTO tasks(id, title, done) VALUES ('t1', 'old', 0)");
        await a.sync();
        await b.sync();
        a.exec("UPDATE tasks SET title = 'new'");
        b.exec('UPDATE tasks SET done = 1');
        await b.sync();
        await a.sync();
        await b.sync();
        for (const db of [a, b]) {
            assert.deepEqual(db.exec('SELECT title, done FROM tasks').rows, [['new', 1]]);
            assert.deepEqual(conflicts(db), []);
        }
        assert.deepEqual(marks(b, 't1'), marks(a, 't1'));
    },

    'an edit that was overwritten unseen is one conflict, at the device that wrote it (L5)':
        async () => {
            const a = await device('cem');
            const b = await device('cem');
            a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'start')");
            await a.sync();
            await b.sync();
            a.exec("UPDATE tasks SET title = 'of a'");
            b.exec("UPDATE tasks SET title = 'of b'");
            await b.sync();
            await a.sync();
            await b.sync();
            await a.sync();
            const [[title]] = a.exec('SELECT title FROM tasks').rows;
            assert.deepEqual(b.exec('SELECT title FROM tasks').rows, [[title]]);
            const [loser, winner] = title === 'of b' ? [a, b] : [b, a];
            assert.equal(conflicts(loser).length, 1);
            assert.equal(conflicts(loser)[0].field, 'title');
            assert.deepEqual(conflicts(winner), []);
            assert.deepEqual(marks(b, 't1'), marks(a, 't1'));
        },

    'deletes travel': async () => {
        const a = await device('dan');
        const b = await device('dan');
        a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'one'), ('t2', 'two')");
        await a.sync();
        await b.sync();
        b.exec("DELETE FROM tasks WHERE id = 't1'");
        await b.sync();
        await a.sync();
        assert.deepEqual(a.exec('SELECT id FROM tasks').rows, [['t2']]);
    },

    'syncing again moves nothing (L8)': async () => {
        const a = await device('eve');
        a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'once')");
        await a.sync();
        const again = await a.sync();
        assert.deepEqual([again.pushed, again.applied, again.pending], [0, 0, 0]);
    },

    'thousands of records arrive in pages': async () => {
        const a = await device('fay');
        const b = await device('fay');
        a.exec(
            'WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 3000) ' +
                "INSERT INTO tasks(id, title, n) SELECT 'k' || n, 'title ' || n, n / 7.0 FROM i",
        );
        await a.sync();
        await b.sync();
        assert.equal(b.exec('SELECT count(*) FROM tasks').rows[0][0], 3000);
        assert.deepEqual(b.rows(TASKS), a.rows(TASKS));
    },

    'a database in a folder goes on where it stopped, as the same client (L13)': async () => {
        const files = nodeFiles(folder);
        const a = await device('gus', { files, name: 'kept.db' });
        a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'queued')");
        const [[before]] = a.exec("SELECT client FROM sigla_marks('tasks', 't1') LIMIT 1").rows;
        a.close();
        const again = await device('gus', { files, name: 'kept.db' });
        assert.equal((await again.sync()).pushed, 1);
        const [[after]] = again.exec("SELECT client FROM sigla_marks('tasks', 't1') LIMIT 1").rows;
        assert.equal(after, before);
        again.close();
    },

    'with no server, sync says so and keeps what is queued': async () => {
        const closed = net.createServer().listen(0, '127.0.0.1');
        await once(closed, 'listening');
        const { port } = closed.address();
        closed.close();
        const a = await device('hal', { server: `http://127.0.0.1:${port}` });
        a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'kept')");
        const failure = await a.sync({ timeoutMs: 300 }).catch((e) => e);
        assert.ok(failure instanceof SiglaError, failure.stack);
        assert.equal(failure.code, 'network');
        assert.equal(pending(a), 1);
    },

    'a token that is not valid is refused, and nothing is lost': async () => {
        const token = tokenOf('ida').replace(/[^.]+$/, (signature) => 'A'.repeat(signature.length));
        const a = await device('ida', { token });
        a.exec("INSERT INTO tasks(id, title) VALUES ('t1', 'kept')");
        await assert.rejects(a.sync(), { name: 'SiglaError', code: 'unauthorized' });
        a.exec('SELECT sigla_init(?)', [
            JSON.stringify({ server: url, token: tokenOf('ida'), user: 'ida' }),
        ]);
        assert.equal((await a.sync()).pushed, 1);
    },

    'a native replica and one in WebAssembly converge': async () => {
        const native = path.join(folder, 'native.db');
        sigla('init', native, '--server', url, '--token', tokenOf('joe'), '--user', 'joe');
        sigla('sql', native, SCHEMA);
        sigla('track', native, 'tasks');
        sigla('sql', native, "INSERT INTO tasks(id, title, n) VALUES ('t1', 'native', 1.5)");
        sigla('sync', native);
        const a = await device('joe');
        await a.sync();
        a.exec("UPDATE tasks SET done = 1; INSERT INTO tasks(id, title) VALUES ('t2', 'wasm')");
        await a.sync();
        sigla('sync', native);
        const rows = JSON.parse(
            sigla('sql', native, 'SELECT id, title, done, n FROM tasks ORDER BY id', '--json'),
        );
        assert.deepEqual(rows, a.rows('SELECT id, title, done, n FROM tasks ORDER BY id'));
        const theirs = JSON.parse(sigla('marks', native, 'tasks', 't1', '--json'));
        const ours = marks(a, 't1');
        assert.deepEqual(
            theirs.map(({ field, at, seq, client }) => [field, at, seq, client]).sort(),
            ours.map(({ field, at, seq, client }) => [field, at, seq, client]).sort(),
        );
    },
});

server.removeAllListeners('exit');
const ended = new Promise((done) => server.once('exit', (status) => done(status)));
server.kill('SIGTERM');
if ((await ended) !== 0) process.exitCode = 1;
