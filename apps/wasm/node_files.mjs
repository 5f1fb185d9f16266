// Databases of a WebAssembly replica in a folder of the file system, for Node: see sigla.mjs.

import fs from 'node:fs';
import path from 'node:path';

/** The names of databases are taken inside `folder`, and cannot lead out of it. */
export function nodeFiles(folder) {
    const place = (name) => {
        const full = path.resolve(folder, name);
        if (path.dirname(full) !== path.resolve(folder))
            throw new Error(`not inside ${folder}: ${name}`);
        return full;
    };
    return {
        open(name, create) {
            const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
            return fs.openSync(place(name), flags, 0o600);
        },
        close: (fd) => (fs.closeSync(fd), 0),
        read: (fd, into, offset) =>
            whole(into, (part, at) => fs.readSync(fd, part, 0, part.length, offset + at)),
        write(fd, from, offset) {
            const n = whole(from, (part, at) =>
                fs.writeSync(fd, part, 0, part.length, offset + at),
            );
            return n === from.length ? 0 : -1;
        },
        truncate: (fd, size) => (fs.ftruncateSync(fd, size), 0),
        sync: (fd) => (fs.fsyncSync(fd), 0),
        size: (fd) => fs.fstatSync(fd).size,
        delete: (name) => (fs.rmSync(place(name), { force: true }), 0),
        exists: (name) => (fs.existsSync(place(name)) ? 1 : 0),
    };
}

/** Reads and writes may do less than asked: go on until all is done or nothing more comes. */
function whole(bytes, step) {
    let done = 0;
    while (done < bytes.length) {
        const n = step(bytes.subarray(done), done);
        if (n === 0) break;
        done += n;
    }
    return done;
}
