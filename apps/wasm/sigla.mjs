// Sigla in JavaScript: a replica in WebAssembly, synced through fetch. For browsers and Node from 18.
//
//     const sigla = await loadSigla(bytesOfSiglaWasm, memoryFiles());
//     const db = sigla.open('tasks.db');
//     db.exec("SELECT sigla_init(?)", [JSON.stringify({ server, token, user: 'ada' })]);
//     db.exec("SELECT sigla_track('tasks')");
//     await db.sync();
//     db.rows('SELECT title FROM tasks');        // [{ title: 'Tea' }]
//     db.close();
//
// `files` says where databases live: memoryFiles() forgets them, node_files.mjs keeps them in a
// folder; its functions are those of apps/wasm/wasm_host.h. A file is for one module at a time.
// Everything except sync() is synchronous.

import { memoryFiles } from './memory_files.mjs';
import { encode, revive } from './values.mjs';

export { memoryFiles };

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const ERROR_FULL = -2; // FILE_FULL of wasm_host.h

// Node 18 has it, but not as a global.
const crypto = globalThis.crypto ?? (await import('node:crypto')).webcrypto;

export class SiglaError extends Error {
    /** code: one of include/sigla_errors.h, such as 'network' or 'unauthorized'. */
    constructor(code, message) {
        super(message);
        this.name = 'SiglaError';
        this.code = code;
    }
}

/** source: the bytes of sigla.wasm, a compiled WebAssembly.Module, or a fetch Response. */
export async function loadSigla(source, files = memoryFiles()) {
    if (source instanceof Response) source = await source.arrayBuffer();
    const compiled = source instanceof WebAssembly.Module;
    const module = compiled ? source : await WebAssembly.compile(source);
    const host = new Host(files);
    host.wasm = (await WebAssembly.instantiate(module, host.imports())).exports;
    host.wasm._initialize();
    return { open: (name) => new Database(host, name) };
}

/** The module's memory and imports. */
class Host {
    constructor(files) {
        this.files = files;
        this.stderr = '';
    }

    // A view is made anew each time: growing the memory detaches the old ones.
    bytes(at, n) {
        return new Uint8Array(this.wasm.memory.buffer, at, n);
    }

    view() {
        return new DataView(this.wasm.memory.buffer);
    }

    text(at) {
        const all = new Uint8Array(this.wasm.memory.buffer);
        return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)));
    }

    imports() {
        // What a host's function throws becomes an I/O error of SQLite's.
        const guard =
            (f) =>
            (...args) => {
                try {
                    return f(...args);
                } catch (e) {
                    return e.name === 'QuotaExceededError' || e.code === 'ENOSPC' ? ERROR_FULL : -1;
                }
            };
        const files = this.files;
        const sigla = {
            file_open: (name, create) => files.open(this.text(name), create !== 0),
            file_close: (n) => files.close(n),
            file_read: (n, at, size, offset) => files.read(n, this.bytes(at, size), offset),
            file_write: (n, at, size, offset) => files.write(n, this.bytes(at, size), offset),
            file_truncate: (n, size) => files.truncate(n, size),
            file_sync: (n) => files.sync(n),
            file_size: (n) => files.size(n),
            file_delete: (name) => files.delete(this.text(name)),
            file_exists: (name) => files.exists(this.text(name)),
        };
        for (const name of Object.keys(sigla)) sigla[name] = guard(sigla[name]);
        return { sigla, wasi_snapshot_preview1: this.wasi() };
    }

    /** The few calls of WASI that the C library makes; 0 is success, 8 a bad file descriptor. */
    wasi() {
        return {
            clock_time_get: (clock, precision, at) => {
                const ms = performance.now() + (clock === 0 ? performance.timeOrigin : 0);
                this.view().setBigUint64(at, BigInt(Math.round(ms * 1000)) * 1000n, true);
                return 0;
            },
            random_get: (at, n) => {
                for (let i = 0; i < n; i += 65536) {
                    crypto.getRandomValues(this.bytes(at + i, Math.min(65536, n - i)));
                }
                return 0;
            },
            fd_write: (fd, vectors, count, written) => {
                if (fd !== 1 && fd !== 2) return 8;
                let n = 0;
                for (let i = 0; i < count; i++) {
                    const at = this.view().getUint32(vectors + 8 * i, true);
                    const size = this.view().getUint32(vectors + 8 * i + 4, true);
                    this.stderr += new TextDecoder().decode(this.bytes(at, size));
                    n += size;
                }
                const lines = this.stderr.split('\n');
                this.stderr = lines.pop();
                for (const line of lines) console.error(line);
                this.view().setUint32(written, n, true);
                return 0;
            },
            fd_close: () => 8,
            fd_seek: () => 8,
            fd_fdstat_get: () => 8,
            proc_exit: (status) => {
                throw new SiglaError('internal', `the module ended with status ${status}`);
            },
        };
    }

    /** Copy text in, with its NUL; the caller frees. */
    put(text) {
        return this.putBytes(new TextEncoder().encode(text + '\0'));
    }

    putBytes(bytes) {
        const at = this.wasm.mem_alloc(bytes.length);
        if (at === 0) throw new SiglaError('out_of_memory', 'memory ran out');
        this.bytes(at, bytes.length).set(bytes);
        return at;
    }

    /** Call f with the address of text in memory. */
    with(text, f) {
        const at = this.put(text);
        try {
            return f(at);
        } finally {
            this.wasm.mem_free(at);
        }
    }

    result() {
        return new TextDecoder().decode(
            this.bytes(this.wasm.result_at(), this.wasm.result_bytes()),
        );
    }

    fail() {
        const { code, message } = JSON.parse(this.result());
        throw new SiglaError(code, message);
    }
}

/** A database file with Sigla registered. */
class Database {
    constructor(host, name) {
        this.host = host;
        this.db = host.with(name, (at) => host.wasm.db_open(at));
        if (this.db === 0) host.fail();
    }

    /** Run one or more statements; the answer is that of the last: { columns, rows, changes }. */
    exec(sql, params = []) {
        const request = `{"sql":${JSON.stringify(sql)},"params":[${params.map(encode).join(',')}]}`;
        const rc = this.host.with(request, (at) => this.host.wasm.db_exec(this.db, at));
        if (rc !== 0) this.host.fail();
        return JSON.parse(this.host.result(), revive);
    }

    /** The rows as objects. */
    rows(sql, params = []) {
        const { columns, rows } = this.exec(sql, params);
        return rows.map((row) => Object.fromEntries(row.map((value, i) => [columns[i], value])));
    }

    /** Push all that is queued and pull to the end; gives the counts of sigla_progress.
     *  Tries again for as long as timeoutMs when the server cannot be reached. */
    async sync({ fetch = globalThis.fetch, timeoutMs = 30000 } = {}) {
        const { wasm } = this.host;
        // fetch undoes gzip by itself and knows no zstd, so the session is told to ask for neither.
        const session = this.host.with('{"encoding":"identity"}', (at) =>
            wasm.session_open(this.db, at),
        );
        if (session === 0) this.host.fail();
        try {
            await this.#drive(session, fetch, Date.now() + timeoutMs);
            wasm.session_progress(session);
            return JSON.parse(this.host.result());
        } finally {
            wasm.session_close(session);
        }
    }

    async #drive(session, fetch, deadline) {
        const { wasm } = this.host;
        for (;;) {
            if (wasm.session_next(session) !== 0) this.host.fail();
            const action = JSON.parse(this.host.result());
            if (action.kind === 'done') return;
            if (action.kind === 'stop') throw new SiglaError(action.code, action.message);
            if (action.kind === 'wait') {
                // A wait that no failure caused has no code of its own.
                const code = action.code === 'ok' ? 'timeout' : action.code;
                if (Date.now() + action.waitMs > deadline) {
                    throw new SiglaError(code, action.message);
                }
                await new Promise((wake) => setTimeout(wake, action.waitMs));
            } else {
                await this.#request(session, fetch, action, deadline);
            }
        }
    }

    async #request(session, fetch, action, deadline) {
        const { wasm } = this.host;
        // The body is copied out now: the session's memory may move while we wait for the answer.
        const body = this.host.bytes(action.bodyAt, action.bodyBytes).slice();
        const init = {
            method: action.method,
            headers: action.headers.map((line) => line.split(/:\s*(.*)/s, 2)),
            body: action.bodyAt ? body : undefined,
            redirect: 'error',
            signal: AbortSignal.timeout(Math.max(1, deadline - Date.now())),
        };
        let rc;
        try {
            const answer = await fetch(action.url, init);
            const bytes = new Uint8Array(await answer.arrayBuffer());
            if (bytes.length > MAX_ANSWER_BYTES)
                throw new SiglaError('limit', 'the answer is too large');
            rc = this.#answer(session, answer, bytes);
        } catch (e) {
            if (e instanceof SiglaError || e instanceof WebAssembly.RuntimeError) throw e;
            rc = wasm.session_lost(session);
        }
        if (rc !== 0) this.host.fail();
    }

    #answer(session, answer, bytes) {
        const at = this.host.putBytes(bytes);
        const retryAfterMs = 1000 * (Number(answer.headers.get('retry-after')) || 0);
        try {
            return this.host.wasm.session_answer(
                session,
                answer.status,
                retryAfterMs,
                at,
                bytes.length,
            );
        } finally {
            this.host.wasm.mem_free(at);
        }
    }

    close() {
        if (this.db !== 0) this.host.wasm.db_close(this.db);
        this.db = 0;
    }
}
