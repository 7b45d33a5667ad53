#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* What the headers have as macros only, under our own prefix. */

static const unsigned long janji_name_rfc2253 = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;

static inline void janji_ctx_set_rules(SSL_CTX *context, int least_version, int last_version) {
    SSL_CTX_set_min_proto_version(context, least_version);
    SSL_CTX_set_max_proto_version(context, last_version);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(
        context,
        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

/* The bytes of the peer are used up: ask again. */
static inline void janji_bio_set_starved(BIO *bio, int is_starved) {
    BIO_clear_retry_flags(bio);
    if (is_starved) BIO_set_retry_read(bio);
}

static inline void janji_ctx_set_session_cache(SSL_CTX *context, int keep_on_client) {
    SSL_CTX_set_session_cache_mode(
        context, keep_on_client ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                : SSL_SESS_CACHE_OFF);
}

static inline int janji_ctx_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline void janji_ctx_set_server_name_callback(
    SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline int janji_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int janji_certificate_name_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

static inline const GENERAL_NAME *janji_certificate_name(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

static inline long janji_memory_contents(BIO *bio, char **start) {
    return BIO_get_mem_data(bio, start);
}
