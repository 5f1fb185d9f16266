// Values between JavaScript and the module: the JSON of src/wire/value.h, and {"$int":…} for results.

/** A parameter as the JSON of src/wire/value.h. A whole number is an INTEGER, others are REAL. */
export function encode(value) {
    if (value === null || value === undefined) return 'null';
    if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
    if (typeof value === 'number') {
        if (Number.isNaN(value)) return 'null';
        if (!Number.isFinite(value)) return `{"$real":"${value}"}`;
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : real(value);
    }
    if (value instanceof Uint8Array) {
        let binary = '';
        for (const byte of value) binary += String.fromCharCode(byte);
        return `{"$blob":"${btoa(binary)}"}`;
    }
    return JSON.stringify(String(value));
}

function real(value) {
    const text = Object.is(value, -0) ? '-0' : String(value);
    return /[.e]/.test(text) ? text : text + '.0';
}

/** For JSON.parse: the tagged values of a result. Integers beyond 2^53 come as BigInt; blobs, and
 *  text that is not UTF-8, as bytes. */
export function revive(key, value) {
    if (value === null || typeof value !== 'object') return value;
    if ('$int' in value) return BigInt(value.$int);
    if ('$real' in value) return Number(value.$real);
    const bytes = value.$blob ?? value.$text;
    return bytes === undefined ? value : Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
}
