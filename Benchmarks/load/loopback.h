// What both load generators share: one thread, epoll, keep-alive connections that post
// registrations. Everything that differs between two registrations has a fixed width, so that a
// request is patched in place and the generator costs a few microseconds a call.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

/// Microseconds since 1970: the clock that PostgreSQL and the server stamp with.
inline int64_t now() {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

inline double cpuSeconds() {
    rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec +
           (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

[[noreturn]] inline void fail(const char* what) {
    fprintf(stderr, "load generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

inline int dial(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (sockaddr*)&a, sizeof a)) fail("connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/// Small writes to a peer that reads: the kernel takes them whole, or the run is worthless.
inline void put(int fd, const char* data, size_t size) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent != (ssize_t)size) fail("send");
}

inline void watch(int poll, int fd, void* owner) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = owner;
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

/// The registration number `sequence` (19 digits, never used twice) for two slots of a course.
class Registration {
   public:
    Registration(int port, const std::string& course, const std::string& slot) {
        std::string digits(19, '0');
        std::string body =
            "{\"full_name\":\"Siti Rahmawati\",\"email\":\"siti-" + digits +
            "@example.com\",\"course_id\":\"" + course +
            "\",\"address\":\"Jl. Melati 12, Bandung\",\"birth_place\":\"Bandung\","
            "\"birth_date\":\"2012-05-15\",\"school\":\"SDN 3 Bandung\",\"class\":5,"
            "\"guardian_name\":\"Rahmat Hidayat\",\"guardian_wa_number\":\"+6281234567890\","
            "\"consent\":true,\"captcha_token\":\"\",\"idempotency_key\":\"bench-" + digits +
            "\",\"experience_level\":\"beginner\",\"preferred_days\":[\"monday\",\"friday\"],"
            "\"preferred_time_range\":{\"start\":\"14:00\",\"end\":\"16:00\"},"
            "\"first_choice_slot_id\":\"" + slot + "\",\"second_choice_slot_id\":\"" + slot + "\"}";
        text_ = "POST /api/booking/register-course HTTP/1.1\r\nHost: 127.0.0.1:" +
                std::to_string(port) +
                "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body;
        email_ = text_.find("siti-") + 5;
        key_ = text_.find("\"bench-") + 7;
        first_ = text_.find("first_choice_slot_id\":\"") + 23;
        second_ = text_.find("second_choice_slot_id\":\"") + 24;
    }

    const std::string& make(int64_t sequence, const std::string& first, const std::string& second) {
        return make(sequence, sequence, first, second);
    }

    /// The e-mail of one number, the key of another.
    const std::string& make(
        int64_t person, int64_t key, const std::string& first, const std::string& second) {
        char digits[32];
        snprintf(digits, sizeof digits, "%019lld", (long long)person);
        text_.replace(email_, 19, digits, 19);
        snprintf(digits, sizeof digits, "%019lld", (long long)key);
        text_.replace(key_, 19, digits, 19);
        text_.replace(first_, 36, first);
        text_.replace(second_, 36, second);
        return text_;
    }

   private:
    std::string text_;
    size_t email_, key_, first_, second_;
};

/// Reads one answer after the other from a keep-alive connection.
struct AnswerReader {
    std::string bytes;

    /// True when a whole answer has arrived; `status` and `body` are set, `consume()` drops it.
    bool whole(int& status, size_t& bodyStart, size_t& end) {
        size_t head = bytes.find("\r\n\r\n");
        if (head == std::string::npos) return false;
        status = atoi(bytes.c_str() + 9);
        size_t at = std::string::npos;
        for (const char* name : {"\r\ncontent-length:", "\r\nContent-Length:"}) {
            at = bytes.find(name);
            if (at != std::string::npos && at < head) break;
        }
        if (at == std::string::npos || at > head) {
            fprintf(stderr, "load generator: an answer without a length: %.200s\n", bytes.c_str());
            exit(1);
        }
        bodyStart = head + 4;
        end = bodyStart + strtoul(bytes.c_str() + at + 17, nullptr, 10);
        return bytes.size() >= end;
    }
};

/// Reads the file of slots: lines of `course-id slot-id`, all of one course in a row.
struct Course {
    std::string id;
    std::vector<std::string> slots;
};

inline std::vector<Course> readCourses(const char* path) {
    FILE* file = fopen(path, "r");
    if (!file) fail(path);
    std::vector<Course> courses;
    char course[64], slot[64];
    while (fscanf(file, "%63s %63s", course, slot) == 2) {
        if (courses.empty() || courses.back().id != course) courses.push_back({course, {}});
        courses.back().slots.push_back(slot);
    }
    fclose(file);
    for (auto& c : courses)
        if (c.slots.size() < 2) fail("a course needs two slots");
    if (courses.empty()) fail(path);
    return courses;
}

/// Two different slots of a course, the same ones for the same number.
inline void chooseSlots(
    const Course& course, int64_t n, const std::string*& a, const std::string*& b) {
    size_t count = course.slots.size();
    uint64_t mixed = (uint64_t)n * 0x9E3779B97F4A7C15ull;
    size_t first = (mixed >> 20) % count;
    size_t second = (first + 1 + (mixed >> 44) % (count - 1)) % count;
    a = &course.slots[first];
    b = &course.slots[second];
}

inline double percentile(std::vector<int32_t>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, size_t(share * sorted.size()))];
}
