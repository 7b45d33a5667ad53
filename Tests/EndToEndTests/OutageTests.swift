import Foundation
import Protobuf
import RPC
import Schema
import Synchronization
import TestKit
import Testing

extension EndToEnd {
    @Suite("Outages")
    struct OutageTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "kill -9 in mid-traffic: what was answered is there after a restart",
            arguments: Mode.allCases)
        func kill(_ mode: Mode) async throws {
            try await Stage.own(mode) { stage in
                let course = try await stage.course([.init(hour: 1), .init(hour: 4)])
                let chosen = try await stage.confirmed(course)
                #expect(try await stage.assign(chosen, course.slots[0]).status == 200)
                let answered = Mutex<[String]>([])
                let traffic = Task {
                    try await parallel(60) { _ in
                        let booking = try? await stage.register(course, first: course.slots[1])
                        if let id = booking?["id"]?.string { answered.withLock { $0.append(id) } }
                    }
                }
                _ = try await eventually { answered.withLock { $0.count } >= 5 }
                await stage.system.kill9()
                _ = try await traffic.value
                try await stage.system.launch()
                let kept = Set(
                    try await stage.system.sql("select id from booking.booking").split(
                        separator: "\n"
                    ).map(String.init))
                let told = answered.withLock { $0 }
                #expect(told.count >= 5)
                #expect(told.allSatisfy { kept.contains($0) })
                // The session, the course and the assignment are there as well.
                let pending = try await stage.admin.get(
                    "/api/booking/admin/bookings/pending?page_size=200")
                #expect(pending.status == 200, "\(pending)")
                let listed = Set(
                    (pending.data["bookings"]?.array ?? []).compactMap {
                        $0["booking"]?["id"]?.string
                    })
                #expect(told.allSatisfy { listed.contains($0) })
                #expect(try await stage.offered(course) == [course.slots[1]])
                let drained = try await eventually {
                    try await stage.unpublished() == 0
                }
                #expect(drained, "what was not published before is published now")
                try await stage.register(course, first: course.slots[1])
            }
        }

        @Test("Stopped and started again: everything is there", arguments: [Mode.oneProcess])
        func restart(_ mode: Mode) async throws {
            var options = SystemUnderTest.Options()
            options.demo = true
            try await Stage.own(mode, options) { stage in
                let course = try await stage.course([.init(hour: 1)])
                let id = try Optional(try await stage.register(course)).id
                let courses = try await stage.system.sql("select count(*) from schedule.courses")
                #expect(await stage.system.stop()[.gateway] == 0)
                #expect(
                    !FileManager.default.fileExists(
                        atPath: stage.system.folder.path + "/data/postgres/postmaster.pid"),
                    "the private database was stopped")
                try await stage.system.launch()
                #expect(try await stage.status(of: id) == "pending")
                #expect(
                    try await stage.system.sql("select count(*) from schedule.courses") == courses,
                    "demo data are loaded once")
            }
        }

        @Test(
            "X-27: PostgreSQL killed: 503 with Retry-After, and recovery by itself",
            arguments: Mode.allCases)
        func database(_ mode: Mode) async throws {
            var options = SystemUnderTest.Options()
            options.ownsDatabase = true
            try await Stage.own(mode, options) { stage in
                let cluster = try #require(stage.system.cluster)
                let course = try await stage.course([.init(hour: 1)])
                let pid = stage.system.process(.booking)?.pid
                let impatient = HTTPClient(port: stage.system.port, patience: .zero)
                await offThread { cluster.kill9() }
                for _ in 0..<3 {
                    let answer = try await impatient.post(
                        Stage.registerPath, Stage.registration(course))
                    #expect(answer.status == 503, "\(answer)")
                    #expect(answer.code == "UPSTREAM_UNAVAILABLE")
                    #expect(Int(answer.header("retry-after") ?? "") ?? 0 > 0)
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await BookingV1.BookingsClient(try stage.channel(.booking))
                            .registerCourse(Calls.registration(course))
                    }
                    #expect(error?.code == .unavailable, "\(String(describing: error))")
                }
                #expect(try await stage.visitor.get("/").status == 200, "pages need no database")
                try await offThread { try cluster.start() }
                let recovered = try await eventually {
                    try await impatient.post(
                        Stage.registerPath, Stage.registration(course)
                    ).status == 201
                }
                #expect(recovered)
                #expect(stage.system.process(.booking)?.pid == pid, "the same process")
                let published = try await eventually {
                    try await stage.unpublished() == 0
                }
                #expect(published, "the relay recovered, too")
            }
        }

        @Test(
            "The broker down and back: registrations go on, events are late, none is lost",
            arguments: Mode.allCases)
        func broker(_ mode: Mode) async throws {
            var options = SystemUnderTest.Options()
            options.ownsBroker = true
            try await Stage.own(mode, options) { stage in
                let broker = try #require(stage.system.broker)
                let course = try await stage.course([.init(hour: 1, capacity: 50)])
                let subscriber = try await EventCollector(stage)
                let before = try await stage.register(course)
                let first = try Optional(before).id
                #expect(try await eventually { subscriber.bookings.contains(first) })
                await broker.down()
                var ids: [String] = []
                for _ in 0..<10 { ids.append(try Optional(try await stage.register(course)).id) }
                #expect(!subscriber.bookings.contains(ids[0]), "the broker is down")
                #expect(try await stage.unpublished() >= 10)
                try await broker.up()
                let late = try await eventually(within: .seconds(120)) {
                    subscriber.bookings.isSuperset(of: ids)
                }
                #expect(late, "\(subscriber.bookings.count) of \(ids.count) came")
                ids.append(try Optional(try await stage.register(course)).id)
                #expect(try await eventually { subscriber.bookings.isSuperset(of: ids) })
                #expect(try await eventually { try await stage.unpublished() == 0 })
                try await Task.sleep(for: .milliseconds(500))
                let written = Set(
                    try await stage.system.sql(
                        "select event_id from booking.outbox where topic = 'booking.created'"
                    ).split(separator: "\n").map(String.init))
                let seen = subscriber.eventIDs
                #expect(Set(seen) == written)
                #expect(seen.count == written.count, "each exactly once")
                subscriber.stop()
            }
        }

        @Test(
            "SIGTERM: the request in flight is answered, sockets are told, all end with 0",
            arguments: Mode.allCases)
        func drain(_ mode: Mode) async throws {
            // Held for longer than a call waits for a lock the request is refused: too slow a run
            // says nothing.
            for attempt in 1...5 {
                let isDone = try await Stage.own(mode) { stage in
                    try await drained(stage, isLast: attempt == 5)
                }
                if isDone { return }
            }
        }

        /// - Returns: whether the request in flight was held for less than a call waits for a lock.
        private func drained(_ stage: Stage, isLast: Bool) async throws -> Bool {
            let course = try await stage.course([.init(hour: 1)])
            let id = try Optional(try await stage.register(course)).id
            let socket = try await WebSocketClient.open(
                "/ws/availability", port: stage.system.port)
            _ = try await socket.next("connected")
            let admin = stage.admin
            let system = stage.system
            var flight: Task<Answer, any Error>?
            var ending: Task<[SystemUnderTest.Role: Int32?], Never>?
            var start = ContinuousClock.now
            try await stage.whileLocked(booking: id) {
                start = .now
                flight = Task { try await admin.post("/api/booking/\(id)/confirm") }
                _ = try await eventually(within: .seconds(5)) {
                    try await stage.waitsForLock()
                }
                ending = Task { await system.stop() }
                let code = try await socket.waitForClose()
                #expect(code == 1001 || code == 1012, "\(String(describing: code))")
            }
            let held = start.duration(to: .now)
            let answer = try? await flight?.value
            if answer?.status != 200, held > .milliseconds(1800), !isLast {
                _ = await ending?.value
                return false
            }
            #expect(answer?.status == 200, "\(String(describing: answer))")
            for (role, status) in await ending?.value ?? [:] {
                #expect(status == 0, "\(role): \(String(describing: status))")
            }
            await #expect(throws: (any Error).self) {
                _ = try await stage.visitor.get("/health")
            }
            return true
        }
    }
}

extension Stage {
    /// Rows of the outboxes that are not on Kafka yet.
    func unpublished() async throws -> Int {
        Int(
            try await system.sql(
                """
                select (select count(*) from booking.outbox where published_at is null)
                    + (select count(*) from schedule.outbox where published_at is null)
                """)) ?? -1
    }
}

/// Keeps the `booking.created` events of a Notification.Subscribe, reconnecting as a client would.
final class EventCollector: Sendable {
    private struct State {
        var eventIDs: [String] = []
        var bookings: Set<String> = []
        var positions: [String: NotificationV1.Position] = [:]

        mutating func take(_ delivery: NotificationV1.SubscribeResponse.Delivery) {
            guard let event = delivery.event else { return }
            eventIDs.append(event.eventId)
            if let id = event.payload?.id { bookings.insert(id) }
            if let position = delivery.position {
                positions["\(position.topic):\(position.partition)"] = position
            }
        }
    }

    private let state = Mutex(State())
    private let task = Mutex<Task<Void, any Error>?>(nil)

    /// Returns once the server said that nothing is missed from here on.
    init(_ stage: Stage) async throws {
        let client = NotificationV1.NotificationClient(try stage.channel(.notification))
        let ready = Mutex(false)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let collecting = Task { [self] in
            while !Task.isCancelled {
                var request = NotificationV1.SubscribeRequest()
                request.topics = ["booking.created"]
                request.resume = state.withLock { Array($0.positions.values) }
                do {
                    for try await response in try await client.subscribe(request) {
                        if case .ready? = response.kind, ready.withLock({ !$0 }) {
                            ready.withLock { $0 = true }
                            continuation.finish()
                        }
                        if case .delivery(let delivery)? = response.kind {
                            state.withLock { $0.take(delivery) }
                        }
                    }
                } catch {
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        }
        task.withLock { $0 = collecting }
        for await _ in stream {}
    }

    var eventIDs: [String] { state.withLock { $0.eventIDs } }
    var bookings: Set<String> { state.withLock { $0.bookings } }
    func stop() { task.withLock { $0?.cancel() } }
}
