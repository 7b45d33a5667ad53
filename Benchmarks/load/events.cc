// Commit to WebSocket frame: holds `sockets` subscribers on /ws/availability, shared out among the
// courses of the slots file, and posts registrations at a steady rate (open loop: the next one
// does not wait for the last). Every arrival of every frame on every socket is written down.
//
//   events PORT SOCKETS RATE SECONDS FIRST-NUMBER SLOTS-FILE OUTPUT-FILE
//
// OUTPUT-FILE, for each event: 36 bytes booking id, then int64: due, sent, answered (0: none),
// subscribers of its course, arrivals, and the time of each arrival. Times are µs since 1970.
// Prints one JSON line.
#include <unordered_map>

#include "loopback.h"

struct Event {
    int64_t due = 0, sent = 0, answered = 0;
    size_t course = 0;
    bool isKnown = false;  // the answer has told its course
    std::vector<int64_t> arrivals;
    std::vector<bool> seen;
};

struct Peer {
    int fd;
    bool isSubscriber;
    int index = 0;
    size_t course = 0;
    int state = 0;  // subscriber: 0 handshake, 1 open, 2 subscribed; poster: 0 free, 1 busy
    int64_t due = 0, sent = 0;
    AnswerReader answers{};
    std::string rest{};
};

static std::unordered_map<std::string, Event> events;
static std::vector<Course> courses;
static long subscribed = 0, frames = 0, duplicates = 0, strangers = 0, closed = 0, pings = 0,
            resyncs = 0, errors = 0;
static int sockets;

/// The events of the last frames: a frame is the same bytes on every socket.
static struct {
    std::string bytes;
    Event* event;
} recent[16];
static unsigned nextRecent = 0;

static void sendFrame(int fd, unsigned char opcode, const char* data, size_t size) {
    std::string frame;
    frame += char(0x80 | opcode);
    frame += char(0x80 | size);  // below 126 here
    frame.append(4, '\0');       // a zero mask is a valid mask
    frame.append(data, size);
    put(fd, frame.data(), frame.size());
}

static Event* eventOf(const char* data, size_t size) {
    for (auto& known : recent)
        if (known.bytes.size() == size && !memcmp(known.bytes.data(), data, size))
            return known.event;
    std::string text(data, size);
    size_t booking = text.find("\"booking\":{\"id\":\"");
    if (booking == std::string::npos) return nullptr;
    Event* event = &events[text.substr(booking + 17, 36)];
    auto& slot = recent[nextRecent++ % 16];
    slot.bytes = text;
    slot.event = event;
    return event;
}

static void takeText(Peer& p, const char* data, size_t size, int64_t at) {
    static const char created[] = "{\"type\":\"booking.created\"";
    if (size > sizeof created && !memcmp(data, created, sizeof created - 1)) {
        Event* event = eventOf(data, size);
        if (!event) { strangers++; return; }
        if (event->seen.empty()) {
            event->seen.resize(sockets);
            event->arrivals.reserve(sockets / courses.size() + 1);
            event->course = p.course;
        }
        if (event->course != p.course) strangers++;
        if (event->seen[p.index]) { duplicates++; return; }
        event->seen[p.index] = true;
        event->arrivals.push_back(at);
        frames++;
        return;
    }
    std::string text(data, std::min<size_t>(size, 40));
    if (text.find("\"subscribed\"") != std::string::npos) { p.state = 2; subscribed++; }
    else if (text.find("\"resync\"") != std::string::npos) resyncs++;
    else if (text.find("\"error\"") != std::string::npos) errors++;
}

static void parse(Peer& p, const char* data, size_t size, int64_t at) {
    size_t o = 0;
    while (size - o >= 2) {
        auto* b = (const unsigned char*)data + o;
        size_t head = 2, length = b[1] & 127;
        if (length == 126) {
            if (size - o < 4) break;
            length = b[2] << 8 | b[3];
            head = 4;
        }
        if (size - o < head + length) break;
        int opcode = b[0] & 15;
        if (opcode == 1) takeText(p, data + o + head, length, at);
        else if (opcode == 9) { pings++; sendFrame(p.fd, 10, data + o + head, length); }
        else if (opcode == 8) closed++;
        o += head + length;
    }
    if (data != p.rest.data()) p.rest.assign(data + o, size - o);
    else p.rest.erase(0, o);
}

static char buffer[1 << 18];

/// False when the peer has gone.
static bool readSubscriber(Peer& p) {
    ssize_t got = recv(p.fd, buffer, sizeof buffer, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    int64_t at = now();
    if (p.state == 0) {
        p.rest.append(buffer, got);
        size_t end = p.rest.find("\r\n\r\n");
        if (end == std::string::npos) return true;
        if (p.rest.compare(0, 12, "HTTP/1.1 101")) {
            fprintf(stderr, "load generator: %.300s\n", p.rest.c_str());
            exit(1);
        }
        p.state = 1;
        p.rest.erase(0, end + 4);
        std::string ask = "{\"type\":\"subscribe\",\"filters\":{\"course_id\":\"" +
                          courses[p.course].id + "\"}}";
        sendFrame(p.fd, 1, ask.data(), ask.size());
        if (!p.rest.empty()) parse(p, p.rest.data(), p.rest.size(), at);
    } else if (p.rest.empty()) {
        parse(p, buffer, got, at);
    } else {
        p.rest.append(buffer, got);
        parse(p, p.rest.data(), p.rest.size(), at);
    }
    return true;
}

int main(int argc, char** argv) {
    if (argc != 8) return fprintf(stderr, "usage: see the source\n"), 2;
    int port = atoi(argv[1]);
    sockets = atoi(argv[2]);
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    int64_t number = atoll(argv[5]);
    courses = readCourses(argv[6]);
    int poll = epoll_create1(0);
    std::vector<Peer*> free;
    long posters = 0, refused = 0, created = 0, waiting = 0;
    std::vector<int64_t> line;  // due, but all posters are busy

    std::vector<Registration> requests;
    for (auto& c : courses) requests.emplace_back(port, c.id, c.slots[0]);
    auto post = [&](Peer& p, int64_t due) {
        int64_t n = number++;
        size_t k = n % courses.size();
        const std::string *a, *b;
        chooseSlots(courses[k], n, a, b);
        const std::string& text = requests[k].make(n, *a, *b);
        p.course = k;
        p.due = due;
        p.sent = now();
        p.state = 1;
        waiting++;
        put(p.fd, text.data(), text.size());
    };
    auto readPoster = [&](Peer& p) {
        ssize_t got = recv(p.fd, buffer, sizeof buffer, 0);
        if (got <= 0) { fprintf(stderr, "load generator: a poster was closed\n"); exit(1); }
        int64_t at = now();
        p.answers.bytes.append(buffer, got);
        int status;
        size_t body, whole;
        if (!p.answers.whole(status, body, whole)) return;
        waiting--;
        size_t id = p.answers.bytes.find("\"booking\":{\"id\":\"", body);
        if (status == 201 && id != std::string::npos) {
            Event& event = events[p.answers.bytes.substr(id + 17, 36)];
            event.due = p.due;
            event.sent = p.sent;
            event.answered = at;
            event.course = p.course;
            event.isKnown = true;
            created++;
        } else if (refused++ == 0) {
            fprintf(stderr, "load generator: first refusal %d %s\n", status,
                    p.answers.bytes.substr(body, 300).c_str());
        }
        p.answers.bytes.erase(0, whole);
        p.state = 0;
        free.push_back(&p);
    };

    epoll_event ready[512];
    auto pump = [&](int milliseconds) {
        int count = epoll_wait(poll, ready, 512, milliseconds);
        for (int i = 0; i < count; i++) {
            auto& p = *(Peer*)ready[i].data.ptr;
            if (!p.isSubscriber) readPoster(p);
            else if (!readSubscriber(p)) {
                closed++;
                epoll_ctl(poll, EPOLL_CTL_DEL, p.fd, nullptr);
            }
        }
    };

    std::string upgrade =
        "GET /ws/availability HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    std::vector<long> subscribers(courses.size());
    for (int i = 0; i < sockets; i++) {
        auto* p = new Peer{dial(port), true, i, size_t(i) % courses.size()};
        subscribers[p->course]++;
        put(p->fd, upgrade.data(), upgrade.size());
        watch(poll, p->fd, p);
        while (i - subscribed > 200) pump(10);
    }
    int64_t began = now();
    while (subscribed < sockets) {
        if (now() - began > 30000000) {
            fprintf(stderr, "load generator: only %ld of %d subscribed\n", subscribed, sockets);
            return 1;
        }
        pump(100);
    }
    for (int i = 0; i < 16; i++) {
        auto* p = new Peer{dial(port), false};
        watch(poll, p->fd, p);
        free.push_back(p);
        posters++;
    }
    for (int64_t rest = now() + 500000; now() < rest;) pump(20);
    printf("ready\n");
    fflush(stdout);

    double cpu = cpuSeconds();
    int64_t begin = now() + 1000, end = begin + int64_t(seconds * 1e6), due = begin;
    int64_t interval = int64_t(1e6 / rate), lastLook = 0;
    for (;;) {
        int64_t t = now();
        while (due <= t && due < end) {
            line.push_back(due);
            due += interval;
        }
        while (!line.empty() && !free.empty()) {
            Peer* p = free.back();
            free.pop_back();
            post(*p, line.front());
            line.erase(line.begin());
        }
        if (due >= end && line.empty() && waiting == 0) {
            if (t > end + 10000000) break;  // what has not come by now is lost
            if (t - lastLook > 20000) {
                lastLook = t;
                long expected = 0;
                for (auto& [id, event] : events)
                    if (event.isKnown) expected += subscribers[event.course];
                if (frames >= expected) break;
            }
        }
        int64_t pause = (due < end ? due : t + 20000) - now();
        // Rounded down, so that the last part of a millisecond is spun away, not overslept.
        bool mustPost = !line.empty() && !free.empty();
        pump(mustPost ? 0 : std::clamp<int64_t>(pause / 1000, 0, 20));
    }
    double wall = (now() - begin) / 1e6, used = cpuSeconds() - cpu;

    FILE* file = fopen(argv[7], "wb");
    if (!file) fail(argv[7]);
    long lost = 0, unknown = 0;
    for (auto& [id, event] : events) {
        if (!event.isKnown) unknown++;
        lost += subscribers[event.course] - (long)event.arrivals.size();
        int64_t head[] = {event.due, event.sent, event.answered, subscribers[event.course],
                          (int64_t)event.arrivals.size()};
        fwrite(id.data(), 36, 1, file);
        fwrite(head, sizeof head, 1, file);
        fwrite(event.arrivals.data(), 8, event.arrivals.size(), file);
    }
    fclose(file);
    printf("{\"created\":%ld,\"refused\":%ld,\"frames\":%ld,\"lost\":%ld,\"duplicates\":%ld,"
           "\"strangers\":%ld,\"unknown\":%ld,\"closed\":%ld,\"resyncs\":%ld,\"errors\":%ld,"
           "\"pings\":%ld,\"wall\":%.3f,\"cpu\":%.3f}\n",
           created, refused, frames, lost, duplicates, strangers, unknown, closed, resyncs, errors,
           pings, wall, used);
}
