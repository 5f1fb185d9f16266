// Databases of a WebAssembly replica in memory: see sigla.mjs.

/** Files that live in memory only. */
export function memoryFiles() {
    const names = new Map();
    const open = [];
    const grow = (file, size) => {
        if (size <= file.bytes.length) return;
        const bytes = new Uint8Array(Math.max(size, 2 * file.bytes.length));
        bytes.set(file.bytes.subarray(0, file.size));
        file.bytes = bytes;
    };
    return {
        open(name, create) {
            if (!names.has(name)) {
                if (!create) return -1;
                names.set(name, { bytes: new Uint8Array(0), size: 0 });
            }
            const free = open.indexOf(null);
            const n = free >= 0 ? free : open.length;
            open[n] = names.get(name);
            return n;
        },
        close: (n) => ((open[n] = null), 0),
        read(n, into, offset) {
            const file = open[n];
            const got = file.bytes.subarray(
                Math.min(offset, file.size),
                Math.min(offset + into.length, file.size),
            );
            into.set(got);
            return got.length;
        },
        write(n, from, offset) {
            const file = open[n];
            grow(file, offset + from.length);
            file.bytes.set(from, offset);
            file.size = Math.max(file.size, offset + from.length);
            return 0;
        },
        truncate(n, size) {
            const file = open[n];
            grow(file, size);
            if (size < file.size) file.bytes.fill(0, size, file.size);
            file.size = size;
            return 0;
        },
        sync: () => 0,
        size: (n) => open[n].size,
        delete: (name) => (names.delete(name), 0),
        exists: (name) => (names.has(name) ? 1 : 0),
    };
}
