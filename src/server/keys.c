#include "server/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "wire/json.h"
#include "wire/value.h"

#define PUBLIC_BYTES 32
#define PATH_MAX_BYTES ((size_t)4096)

struct sg_key {
    EVP_PKEY *pkey;
    char id[SG_KEY_ID_TEXT];
    char x[SG_KEY_ID_TEXT]; /* base64url of the public key */
};

int sg_random(void *out, size_t n)
{
    return n <= INT32_MAX && RAND_bytes(out, (int)n) == 1 ? SG_OK : SG_INTERNAL;
}

/* ---- the file ---- */

static int make_key(FILE *f)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (pkey == NULL) return SG_INTERNAL;
    int good = PEM_write_PKCS8PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
    EVP_PKEY_free(pkey);
    return good == 1 && fflush(f) == 0 && fsync(fileno(f)) == 0 ? SG_OK : SG_IO;
}

/* Written beside and linked into place: nobody ever reads half a key, and the first one wins. */
static int create(const char *path)
{
    sg_buf beside;
    sg_buf_init(&beside, PATH_MAX_BYTES);
    sg_buf_str(&beside, path);
    sg_buf_str(&beside, ".new.");
    sg_buf_int(&beside, (int64_t)getpid());
    const char *name = sg_buf_cstr(&beside);
    int err = name != NULL ? SG_OK : beside.err;
    int fd = err == SG_OK ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (err == SG_OK) err = f != NULL ? make_key(f) : SG_IO;
    if (f != NULL && fclose(f) != 0 && err == SG_OK) err = SG_IO;
    if (f == NULL && fd >= 0) (void)close(fd);
    if (err == SG_OK && link(name, path) != 0 && errno != EEXIST) err = SG_IO;
    if (name != NULL) (void)unlink(name);
    sg_buf_deinit(&beside);
    return err;
}

static int read_file(const char *path, EVP_PKEY **pkey)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) return errno == ENOENT ? SG_NOTFOUND : SG_IO;
    *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    (void)fclose(f);
    if (*pkey != NULL && EVP_PKEY_is_a(*pkey, "ED25519")) return SG_OK;
    EVP_PKEY_free(*pkey);
    *pkey = NULL;
    return SG_CORRUPT;
}

/* ---- the key ---- */

static int encode(char out[SG_KEY_ID_TEXT], const unsigned char bytes[32])
{
    sg_buf text;
    sg_buf_init(&text, 64);
    sg_base64url_encode(&text, sg_slice_of((const char *)bytes, 32));
    int err = text.err;
    if (err == SG_OK && text.n != SG_KEY_ID_TEXT) err = SG_INTERNAL;
    if (err == SG_OK) memcpy(out, text.p, SG_KEY_ID_TEXT);
    sg_buf_deinit(&text);
    return err;
}

static int name_key(sg_key *key)
{
    unsigned char x[PUBLIC_BYTES], digest[SHA256_DIGEST_LENGTH];
    size_t n = sizeof x;
    if (EVP_PKEY_get_raw_public_key(key->pkey, x, &n) != 1 || n != sizeof x) return SG_INTERNAL;
    int err = encode(key->x, x);
    sg_buf text;
    sg_buf_init(&text, 256);
    sg_buf_str(&text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
    sg_buf_put(&text, key->x, sizeof key->x);
    sg_buf_str(&text, "\"}");
    if (err == SG_OK) err = text.err;
    if (err == SG_OK) {
        (void)SHA256((const unsigned char *)text.p, text.n, digest);
        err = encode(key->id, digest);
    }
    sg_buf_deinit(&text);
    return err;
}

int sg_key_open(const char *path, sg_key **out)
{
    sg_key *key = sg_zalloc(sizeof *key);
    if (key == NULL) return SG_NOMEM;
    int err = read_file(path, &key->pkey);
    if (err == SG_NOTFOUND) {
        err = create(path);
        if (err == SG_OK) err = read_file(path, &key->pkey);
    }
    if (err == SG_OK) err = name_key(key);
    if (err == SG_OK)
        *out = key;
    else
        sg_key_free(key);
    return err;
}

void sg_key_free(sg_key *key)
{
    if (key == NULL) return;
    EVP_PKEY_free(key->pkey);
    sg_free(key);
}

sg_slice sg_key_id(const sg_key *key)
{
    return sg_slice_of(key->id, sizeof key->id);
}

int sg_key_sign(const sg_key *key, sg_slice bytes, unsigned char out[SG_SIGNATURE_BYTES])
{
    size_t n = SG_SIGNATURE_BYTES;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL) return SG_NOMEM;
    bool good = EVP_DigestSignInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(md, out, &n, (const unsigned char *)bytes.p, bytes.n) == 1;
    EVP_MD_CTX_free(md);
    return good && n == SG_SIGNATURE_BYTES ? SG_OK : SG_INTERNAL;
}

bool sg_key_verify(const sg_key *key, sg_slice bytes, sg_slice signature)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL) return false;
    bool good = signature.n == SG_SIGNATURE_BYTES &&
                EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestVerify(md, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)bytes.p, bytes.n) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

void sg_key_jwks(const sg_key *key, sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_jsonw_k(&w, "keys");
    sg_jsonw_array(&w);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "kty", SG_LIT("OKP"));
    sg_jsonw_kstr(&w, "crv", SG_LIT("Ed25519"));
    sg_jsonw_kstr(&w, "alg", SG_LIT("EdDSA"));
    sg_jsonw_kstr(&w, "use", SG_LIT("sig"));
    sg_jsonw_kstr(&w, "kid", sg_key_id(key));
    sg_jsonw_kstr(&w, "x", sg_slice_of(key->x, sizeof key->x));
    sg_jsonw_object_end(&w);
    sg_jsonw_array_end(&w);
    sg_jsonw_object_end(&w);
}
