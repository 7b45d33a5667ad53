#ifndef JANJI_KAFKA_MOCK_PORT_H
#define JANJI_KAFKA_MOCK_PORT_H

#include <stddef.h>
#include <stdint.h>

// What librdkafka 2.0.2 offers only to C, for the Kafka target alone. Handles are `void *` so that
// this header needs no librdkafka header and cannot clash with the module that has it.

/// Creates a mock cluster of one broker that listens on exactly this loopback port, which
/// librdkafka has no setting for. Returns NULL on failure. Destroyed by its caller.
void *janji_kafka_mock_create(void *client, uint16_t port);

/// Hands one record to the producer, which copies it. The partition is always chosen by the key:
/// naming an unknown one together with headers is a use-after-free in 2.0.2.
/// `headers` (rd_kafka_headers_t, may be NULL) is consumed on success and on failure.
/// Returns an rd_kafka_resp_err_t, 0 when the record was queued.
int janji_kafka_produce(void *client, void *topic, const void *key, size_t key_length,
                        const void *value, size_t value_length, void *headers, void *opaque);

/// Makes the next produce requests of a mock cluster fail with `error`, `count` times. Tests.
void janji_kafka_mock_fail_produce(void *cluster, int error, int count);

/// A new non-blocking eventfd, which Swift's Glibc module does not have; -1 and errno on failure.
int janji_kafka_wakeup(void);

#endif
