import Foundation
import Protobuf
import RPC
import RPCHTTP2
import Schema
import Synchronization
import TestKit
import Testing

/// Customers and admins of the race: every request has a key, goes to any of the processes, and is
/// sent again with the same key, to another one, until somebody knows how it ended.
final class RaceCustomers: Sendable {
    private struct Sent {
        let name: String
        let key: String
        let body: [UInt8]
        let answer: [UInt8]
    }

    private struct State {
        var sent: [Sent] = []
        var answers: [Checker.Answer] = []
        var settled = 0
        var refusedBodies = 0
        var replays = 0
        var reasons: [String: Int] = [:]
    }

    private let stage: Stage
    private let course: Stage.Course
    private let journal: Journal
    private let channels: [HTTP2Channel]
    private let state = Mutex(State())
    private let metadata: Mutex<(Metadata, ContinuousClock.Instant)>

    init(
        _ stage: Stage, _ course: Stage.Course, _ replicas: [SystemUnderTest.Replica],
        _ journal: Journal
    ) async throws {
        self.stage = stage
        self.course = course
        self.journal = journal
        channels =
            [try stage.channel(.booking)]
            + (try replicas.map { try HTTP2Channel(target: $0.target, loop: .clients) })
        metadata = Mutex((try await stage.credentials(.booking), .now))
    }

    /// Requests that had to be sent again because their outcome was not known.
    var settled: Int { state.withLock { $0.settled } }
    var refusedBodies: Int { state.withLock { $0.refusedBodies } }
    var replays: Int { state.withLock { $0.replays } }
    var answers: [Checker.Answer] { state.withLock { $0.answers } }
    var seen: String {
        state.withLock {
            "settled \($0.settled), replays \($0.replays), other bodies \($0.refusedBodies), "
                + "refusals \($0.reasons.sorted { $0.key < $1.key })"
        }
    }

    /// Registers, confirms, tries for a seat, gives it back; again and again.
    func live(_ number: Int, until attempts: Int) async {
        var random = SplitMix(seed: UInt64(number) &* 7919 &+ 1)
        func isOver() -> Bool { journal.operations.count >= attempts }
        while !isOver() {
            guard let id = await register(number), await confirm(number, id) else { continue }
            var hasSeat = false
            for _ in 0..<12 where !hasSeat && !isOver() {
                // Half of them want the same four.
                let wanted = Int(random.next() % (random.next() % 2 == 0 ? 4 : 24))
                hasSeat = await assign(number, id, course.slots[wanted])
                if random.next() % 8 == 0 { await again(number, Int(random.next() % 1_000_003)) }
            }
            if hasSeat, random.next() % 10 == 0 { continue }
            await cancel(number, id)
        }
    }

    private func register(_ process: Int) async -> String? {
        var request = Calls.registration(course)
        request.idempotencyKey = UUID().uuidString
        let answer = await send("register", process, request.idempotencyKey, "", request) {
            try await $0.registerCourse(request, options: $2)
        }
        return answer?.booking?.id
    }

    private func confirm(_ process: Int, _ id: String) async -> Bool {
        var request = BookingV1.ConfirmRequest()
        request.bookingId = id
        request.idempotencyKey = UUID().uuidString
        let body = request
        return await send("confirm", process, request.idempotencyKey ?? "", id, body) {
            try await $0.confirm(body, metadata: $1, options: $2)
        } != nil
    }

    private func assign(_ process: Int, _ id: String, _ slot: String) async -> Bool {
        var request = BookingV1.AssignSlotRequest()
        request.bookingId = id
        request.scheduleId = slot
        request.reason = "race"
        request.idempotencyKey = UUID().uuidString
        let body = request
        return await send("assign", process, request.idempotencyKey ?? "", "\(id) \(slot)", body) {
            try await $0.assignSlot(body, metadata: $1, options: $2)
        } != nil
    }

    private func cancel(_ process: Int, _ id: String) async {
        var request = BookingV1.CancelRequest()
        request.bookingId = id
        request.reason = "race"
        request.idempotencyKey = UUID().uuidString
        let body = request
        _ = await send("cancel", process, request.idempotencyKey ?? "", id, body) {
            try await $0.cancel(body, metadata: $1, options: $2)
        }
    }

    /// An acknowledged assignment once more: the same, or with another reason, which must not pass.
    private func again(_ process: Int, _ pick: Int) async {
        let old = state.withLock { state in
            let assigned = state.sent.suffix(400).filter { $0.name == "assign" }
            return assigned.isEmpty ? nil : assigned[pick % assigned.count]
        }
        guard let old, var request = try? BookingV1.AssignSlotRequest(decoding: old.body) else {
            return
        }
        let isAltered = pick % 4 == 0
        if isAltered { request.reason = "another" }
        let body = request
        let answer = await send(
            isAltered ? "altered" : "replay", process, old.key, "", body
        ) { try await $0.assignSlot(body, metadata: $1, options: $2) }
        state.withLock { state in
            if isAltered, answer == nil { state.refusedBodies += 1 }
            if !isAltered, answer != nil { state.replays += 1 }
        }
    }

    private typealias Client = BookingV1.BookingsClient

    private func send<Request: Message, Response: Message>(
        _ name: String, _ process: Int, _ key: String, _ argument: String, _ request: Request,
        _ call: (Client, Metadata, CallOptions) async throws -> Response
    ) async -> Response? {
        let id = journal.begin(process, name, key, argument)
        var target = process
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            do {
                let response = try await call(
                    Client(channels[target % channels.count]), await credentials(),
                    .timeout(.seconds(5)))
                return keep(id, name, key, request, response)
            } catch let error as RPCError {
                switch error.code {
                case .unavailable, .deadlineExceeded, .aborted, .cancelled:
                    state.withLock { $0.settled += 1 }
                case .alreadyExists where Calls.reason(error) == "DUPLICATE_REQUEST":
                    // The first try has done it: the original is in the details.
                    var response = BookingV1.RegisterCourseResponse()
                    response.booking =
                        Calls.detail(
                            error, "janji.booking.v1.OriginalBooking",
                            BookingV1.OriginalBooking.self)?
                        .booking
                    journal.end(id, .ok, "duplicate")
                    return response as? Response
                default:
                    let reason = Calls.reason(error) ?? "\(error.code)"
                    if error.code == .internalError || error.code == .unknown {
                        Issue.record("\(name): \(error)")
                    }
                    state.withLock { $0.reasons[reason, default: 0] += 1 }
                    journal.end(id, .fail, reason)
                    return nil
                }
            } catch {
                state.withLock { $0.settled += 1 }
            }
            target += 1
            try? await Task.sleep(for: .milliseconds(50))
        }
        journal.end(id, .info)
        return nil
    }

    private func keep<Response: Message>(
        _ id: Int, _ name: String, _ key: String, _ request: some Message, _ response: Response
    ) -> Response {
        let bytes = response.encoded()
        let body = request.encoded()
        state.withLock { state in
            state.answers.append(
                .init(key: key, body: String(decoding: body, as: UTF8.self), bytes: bytes))
            if name == "assign" {
                state.sent.append(Sent(name: name, key: key, body: body, answer: bytes))
            }
        }
        journal.end(id, .ok)
        return response
    }

    /// Tokens live for minutes.
    private func credentials() async -> Metadata {
        let (current, since) = metadata.withLock { $0 }
        guard since.duration(to: .now) > .seconds(30) else { return current }
        metadata.withLock { $0.1 = .now }
        guard let fresh = try? await stage.credentials(.booking) else { return current }
        metadata.withLock { $0.0 = fresh }
        return fresh
    }
}

/// A small generator with a seed, so that a run can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Kills processes and the database, and brings them back.
final class Nemesis: Sendable {
    private let stage: Stage
    private let replicas: [SystemUnderTest.Replica]
    private let random: Mutex<SplitMix>
    private let counts = Mutex<[String: Int]>([:])

    init(_ stage: Stage, _ replicas: [SystemUnderTest.Replica], seed: UInt64) {
        self.stage = stage
        self.replicas = replicas
        random = Mutex(SplitMix(seed: seed))
        print("race: nemesis seed \(seed)")
    }

    var strikes: Int { counts.withLock { $0.values.reduce(0, +) } }
    var seen: String { "\(counts.withLock { $0 }.sorted { $0.key < $1.key })" }

    /// Waits a little, then does one of its deeds to the end.
    func strike() async throws {
        let (pause, deed, which) = random.withLock {
            (Int($0.next() % 1000), Int($0.next() % 5), Int($0.next() % 2))
        }
        try await Task.sleep(for: .milliseconds(500 + pause))
        switch deed {
        case 0, 1:
            await replicas[which].kill9()
            try await replicas[which].launch()
            note("process killed")
        case 2:
            guard let cluster = stage.system.cluster else { return }
            try await offThread {
                try cluster.stop(.immediate)
                try cluster.start()
            }
            note("database stopped at once")
        case 3:
            guard let cluster = stage.system.cluster else { return }
            try await offThread {
                cluster.kill9()
                try cluster.start()
            }
            note("database killed")
        default:
            _ = try? await stage.system.sql(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'janji-booking' and state <> 'idle' limit 3
                """)
            note("sessions ended")
        }
    }

    private func note(_ deed: String) { counts.withLock { $0[deed, default: 0] += 1 } }
}
