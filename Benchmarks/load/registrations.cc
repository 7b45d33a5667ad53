// Registrations as fast as the server takes them: `connections` keep-alive connections with one
// request in flight each, for `seconds`; then what is in flight is waited for.
//
//   registrations PORT CONNECTIONS SECONDS FIRST-NUMBER SLOTS-FILE [KEYS EMAILS]
//
// KEYS of a hundred requests are an earlier one once more, EMAILS are of an earlier one's person
// under a new key: 409 is their right answer, and 201 everybody else's.
//
// Prints one JSON line. `completed` counts the window, `created` all answers 201, `duplicates` and
// `pending` the right 409s.
#include "loopback.h"

struct Connection {
    int fd;
    int64_t sentAt = 0;
    const char* code = nullptr;  // of the right refusal
    AnswerReader answers;
};

int main(int argc, char** argv) {
    if (argc != 6 && argc != 8) return fprintf(stderr, "usage: see the source\n"), 2;
    int port = atoi(argv[1]), count = atoi(argv[2]);
    double seconds = atof(argv[3]);
    int64_t number = atoll(argv[4]);
    int keys = argc == 8 ? atoi(argv[6]) : 0, emails = argc == 8 ? atoi(argv[7]) : 0;
    const int64_t first = number;
    auto courses = readCourses(argv[5]);
    std::vector<Registration> requests;
    for (auto& c : courses) requests.emplace_back(port, c.id, c.slots[0]);
    int poll = epoll_create1(0);
    std::vector<Connection> connections(count);
    std::vector<int32_t> latencies;
    latencies.reserve(1 << 20);

    auto sendNext = [&](Connection& c) {
        int64_t n = number++, person = n, key = n, place = (n - first) % 100;
        c.code = nullptr;
        // Long answered, and nobody's repetition.
        if (n - first >= 1000 && place < keys + emails) {
            person = n - 950;
            if (place < keys) key = person;
            c.code = place < keys ? "\"DUPLICATE_REQUEST\"" : "\"PENDING_BOOKING_EXISTS\"";
        }
        size_t k = person % courses.size();
        const std::string *a, *b;
        chooseSlots(courses[k], person, a, b);
        const std::string& text = requests[k].make(person, key, *a, *b);
        c.sentAt = now();
        put(c.fd, text.data(), text.size());
    };
    for (auto& c : connections) {
        c.fd = dial(port);
        watch(poll, c.fd, &c);
    }
    double cpu = cpuSeconds();
    int64_t begin = now(), end = begin + int64_t(seconds * 1e6);
    for (auto& c : connections) sendNext(c);
    int inFlight = count;
    long completed = 0, created = 0, duplicates = 0, pending = 0, refused = 0;
    int firstStatus = 0;
    std::string firstBody;
    char buffer[1 << 16];
    epoll_event events[256];
    while (inFlight > 0) {
        int ready = epoll_wait(poll, events, 256, 10000);
        if (ready <= 0) return fprintf(stderr, "load generator: no answer for 10 s\n"), 1;
        for (int i = 0; i < ready; i++) {
            auto& c = *(Connection*)events[i].data.ptr;
            ssize_t got = recv(c.fd, buffer, sizeof buffer, 0);
            if (got <= 0) return fprintf(stderr, "load generator: connection closed\n"), 1;
            c.answers.bytes.append(buffer, got);
            int status;
            size_t body, whole;
            if (!c.answers.whole(status, body, whole)) continue;
            int64_t at = now();
            inFlight--;
            bool isRight = c.code ? status == 409 && c.answers.bytes.find(c.code) != std::string::npos
                                  : status == 201;
            if (isRight && c.code) (c.code[1] == 'D' ? duplicates : pending)++;
            else if (isRight) created++;
            else if (refused++ == 0) {
                firstStatus = status;
                firstBody = c.answers.bytes.substr(body, 300);
            }
            c.answers.bytes.erase(0, whole);
            if (at >= end) continue;
            completed++;
            latencies.push_back(at - c.sentAt);
            sendNext(c);
            inFlight++;
        }
    }
    double used = cpuSeconds() - cpu;
    if (refused)
        fprintf(stderr, "load generator: first refusal %d %s\n", firstStatus, firstBody.c_str());
    std::sort(latencies.begin(), latencies.end());
    printf("{\"completed\":%ld,\"created\":%ld,\"duplicates\":%ld,\"pending\":%ld,\"refused\":%ld,"
           "\"seconds\":%.4f,\"cpu\":%.4f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
           completed, created, duplicates, pending, refused, (end - begin) / 1e6, used, percentile(latencies, .5),
           percentile(latencies, .99));
}
