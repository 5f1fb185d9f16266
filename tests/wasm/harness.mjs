// A few lines of test harness: named tests one after another, the closing line tests/run.py reads.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** The build folder: SIGLA_BUILD, else build/. */
export const build = process.env.SIGLA_BUILD ?? path.join(root, 'build');

export const wasmModule = () =>
    WebAssembly.compile(fs.readFileSync(path.join(build, 'sigla.wasm')));

/** Run { name: function } in order and print the counts; the status says whether all passed. */
export async function run(tests) {
    let passed = 0;
    let failed = 0;
    for (const [name, test] of Object.entries(tests)) {
        try {
            await test();
            passed++;
        } catch (e) {
            failed++;
            console.log(`FAILED ${name}\n${e.stack}`);
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed ? 1 : 0;
}
