#define _GNU_SOURCE
#include "KafkaMockPort.h"

#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// The port that the next bind() of this thread to "any port" gets; 0 nearly always. It is per
// thread and set only around rd_kafka_mock_cluster_new, so that no other socket can meet it.
static _Thread_local uint16_t janji_kafka_mock_next_port;

int bind(int descriptor, const struct sockaddr *address, socklen_t length) {
  static int (*real)(int, const struct sockaddr *, socklen_t);
  if (!real) real = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
  if (janji_kafka_mock_next_port && address->sa_family == AF_INET) {
    struct sockaddr_in fixed = *(const struct sockaddr_in *)address;
    if (fixed.sin_port == 0) {
      int on = 1;
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      // Inherited by the connections. Without it a fetch answered right after anything else
      // waits 40 ms for the client's delayed acknowledgement.
      setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      fixed.sin_port = htons(janji_kafka_mock_next_port);
      janji_kafka_mock_next_port = 0;
      return real(descriptor, (const struct sockaddr *)&fixed, sizeof fixed);
    }
  }
  return real(descriptor, address, length);
}

void *janji_kafka_mock_create(void *client, uint16_t port) {
  janji_kafka_mock_next_port = port;
  void *cluster = rd_kafka_mock_cluster_new(client, 1);
  janji_kafka_mock_next_port = 0;
  return cluster;
}

int janji_kafka_produce(void *client, void *topic, const void *key, size_t key_length,
                        const void *value, size_t value_length, void *headers, void *opaque) {
  rd_kafka_vu_t fields[6];
  size_t count = 0;
  fields[count].vtype = RD_KAFKA_VTYPE_RKT;
  fields[count++].u.rkt = topic;
  fields[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[count++].u.i = RD_KAFKA_MSG_F_COPY;
  fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[count].u.mem.ptr = (void *)value;
  fields[count++].u.mem.size = value_length;
  fields[count].vtype = RD_KAFKA_VTYPE_KEY;
  fields[count].u.mem.ptr = (void *)key;
  fields[count++].u.mem.size = key_length;
  fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[count++].u.ptr = opaque;
  if (headers) {
    fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[count++].u.headers = headers;
  }
  rd_kafka_error_t *error = rd_kafka_produceva(client, fields, count);
  if (!error) return 0;
  int code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  if (headers) rd_kafka_headers_destroy(headers);
  return code;
}

void janji_kafka_mock_fail_produce(void *cluster, int error, int count) {
  for (int i = 0; i < count; i++)
    rd_kafka_mock_push_request_errors(cluster, 0, 1, error);
}

int janji_kafka_wakeup(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
