import Foundation
import HTTP1
import Protobuf
import RPC
import RPCHTTP2
import Schema
import Synchronization
import TestKit
import Testing

/// How the clients of the race speak: every request has a key, is written down before it leaves,
/// goes to any of the processes, by gRPC or as JSON through the edge, and is sent again with the
/// same key, to another one, until somebody knows how it ended.
final class RaceCaller: Sendable {
    /// An acknowledged request, to be sent once more.
    private struct Sent {
        let key: String
        let method: MethodDescriptor
        let body: [UInt8]
        /// With the same key, but something else in it.
        let altered: [UInt8]?
        let isStaff: Bool
    }

    private struct State {
        var sent: [Sent] = []
        var next = 0
        var answers: [Checker.Answer] = []
        var calls = 0
        var settled = 0
        var overEdge = 0
        var refusedBodies = 0
        var replays = 0
        /// Acknowledged, by operation.
        var done: [String: Int] = [:]
        /// Refusals by operation and reason.
        var reasons: [String: Int] = [:]
        /// By context of the service.
        var credentials: [String: Metadata]
        var since = ContinuousClock.now
    }

    /// A request as JSON, and what its answer means.
    struct JSONForm<Response> {
        let path: String
        let body: [UInt8]
        var headers: [(String, String)] = []
        let read: (JSONValue) -> Response?
    }

    let journal: Journal
    let pace = RacePace()
    private let stage: Stage
    /// Every try is this file's business.
    private let edge: HTTPClient
    private let channels: [HTTP2Channel]
    private let state: Mutex<State>

    /// How many acknowledged requests are remembered to be sent again.
    private static let memory = 512
    /// What waits for its turn; everything else goes on with one of these.
    private static let beginnings: Set = ["register", "place", "join"]
    /// How long somebody tries; only a machine that stands still takes so long.
    private static let patience = Duration.seconds(300)

    init(
        _ stage: Stage, _ replicas: [SystemUnderTest.Replica], _ journal: Journal
    ) async throws {
        self.stage = stage
        self.journal = journal
        edge = HTTPClient(port: stage.system.port, patience: .zero)
        channels =
            [try stage.channel(.booking)]
            + (try replicas.map { try HTTP2Channel(target: $0.target, loop: .clients) })
        state = Mutex(State(credentials: try await Self.credentials(stage)))
    }

    // MARK: What was seen

    /// RPCs that were sent, retries included.
    var calls: Int { state.withLock { $0.calls } }
    /// Requests that had to be sent again because their outcome was not known.
    var settled: Int { state.withLock { $0.settled } }
    var overEdge: Int { state.withLock { $0.overEdge } }
    var refusedBodies: Int { state.withLock { $0.refusedBodies } }
    var replays: Int { state.withLock { $0.replays } }
    var answers: [Checker.Answer] { state.withLock { $0.answers } }
    var reasons: [String: Int] { state.withLock { $0.reasons } }
    var done: [String: Int] { state.withLock { $0.done } }

    // MARK: One request

    /// - Parameters:
    ///   - form: sends it as JSON through the edge.
    ///   - original: what a refusal tells of the first try, where a replay is refused.
    /// - Returns: the answer; nil when it was refused, or nobody knows.
    func send<Response: Message>(
        _ name: String, by client: Int, key: String, about argument: String = "",
        _ method: MethodDescriptor, _ request: some Message, asStaff isStaff: Bool = false,
        altered: (any Message)? = nil, form: JSONForm<Response>? = nil,
        naming: (Response) -> String = { _ in "" },
        original: ((RPCError) -> Response?)? = nil
    ) async -> Response? {
        let body = request.encoded()
        if Self.beginnings.contains(name) {
            guard await pace.begin() else { return nil }
        } else {
            pace.goOn()
        }
        defer { pace.leave() }
        let id = journal.begin(client, name, key, argument)
        let mayBeRefusedUnseen = ["place", "assign"].contains(name)
        let outcome = await settle(name, client, trusts: !mayBeRefusedUnseen) { target in
            if let form { return try await self.overEdge(form) }
            do {
                let bytes = try await self.channels[target].unary(
                    method, body, metadata: isStaff ? await self.credentials(method) : Metadata(),
                    options: .timeout(.seconds(5)))
                if original == nil, !key.isEmpty {
                    self.keep(
                        Sent(
                            key: key, method: method, body: body, altered: altered?.encoded(),
                            isStaff: isStaff), bytes)
                }
                return try Response(decoding: bytes)
            } catch let error as RPCError {
                guard let known = original?(error) else { throw error }
                return known
            }
        }
        switch outcome {
        case .done(let response):
            journal.end(id, .ok, naming(response))
            state.withLock { $0.done[name, default: 0] += 1 }
        case .refused(let reason): journal.end(id, .fail, reason)
        case .unknown(let reason): journal.end(id, .info, reason)
        }
        if case .done(let response) = outcome { return response }
        return nil
    }

    enum Outcome<Response> {
        case done(Response)
        case refused(String)
        /// Nobody answered; or the retry was refused, which says nothing about a first
        /// try that may still be on its way.
        case unknown(String)
    }

    /// - Parameter trusts: whether a refusal of the retry tells that the first try is over, when the
    ///   process that had it is gone: so where the retry takes the key, and with that waits for its
    ///   twin. Who asks for a seat may be refused by a look without locks.
    private func settle<Response>(
        _ name: String, _ client: Int, trusts: Bool, _ call: (Int) async throws -> Response
    ) async -> Outcome<Response> {
        var target = client
        var isOpen = false
        let end = ContinuousClock.now + Self.patience
        while ContinuousClock.now < end {
            state.withLock { $0.calls += 1 }
            let start = ContinuousClock.now
            do {
                let response = try await call(target % channels.count)
                pace.note(start.duration(to: .now), isAnswered: true)
                return .done(response)
            } catch let refusal as Refusal {
                pace.note(start.duration(to: .now), isAnswered: true)
                state.withLock { $0.reasons["\(name) \(refusal.reason)", default: 0] += 1 }
                return isOpen
                    ? .unknown("refused when sent again: \(refusal.reason)")
                    : .refused(refusal.reason)
            } catch let error as RPCError {
                let reason = Self.refusal(error)
                pace.note(start.duration(to: .now), isAnswered: reason != nil)
                if let reason {
                    if error.code == .internalError || error.code == .unknown {
                        Issue.record("\(name): \(error)")
                    }
                    state.withLock { $0.reasons["\(name) \(reason)", default: 0] += 1 }
                    return isOpen
                        ? .unknown("refused when sent again: \(reason)") : .refused(reason)
                }
                isOpen = isOpen || !trusts || error.code == .deadlineExceeded
            } catch {
                pace.note(start.duration(to: .now), isAnswered: false)
                isOpen = true
            }
            state.withLock { $0.settled += 1 }
            target += 1
            try? await Task.sleep(for: pace.pause(.milliseconds(50)))
        }
        return .unknown("nobody answers")
    }

    /// Why it was refused; nil when it is worth trying again.
    private static func refusal(_ error: RPCError) -> String? {
        switch error.code {
        case .unavailable, .deadlineExceeded, .aborted, .cancelled: nil
        default: Calls.reason(error) ?? "\(error.code)"
        }
    }

    private struct Refusal: Error { let reason: String }
    private struct NoAnswer: Error {}

    private func overEdge<Response>(_ form: JSONForm<Response>) async throws -> Response {
        let answer = try await edge.send(
            .post, form.path, body: form.body, headers: form.headers, timeout: .seconds(6))
        if (200..<300).contains(answer.status) {
            state.withLock { $0.overEdge += 1 }
            guard let response = form.read(answer.data) else {
                Issue.record("\(form.path): \(answer)")
                throw NoAnswer()
            }
            return response
        }
        let code = answer.code ?? "\(answer.status)"
        let original = answer.details.first { $0["booking"] != nil }
        if code == "DUPLICATE_REQUEST", let response = original.flatMap(form.read) {
            return response
        }
        switch answer.status {
        case 502, 503, 504, 429: throw NoAnswer()
        case 409 where ["REQUEST_IN_PROGRESS", "VERSION_CONFLICT"].contains(code): throw NoAnswer()
        case 500...: Issue.record("\(form.path): \(answer)")
        default: break
        }
        throw Refusal(reason: code)
    }

    /// A question that changes nothing: no attempt.
    /// - Parameter mustExist: what is asked for was made: a refusal is wrong.
    func read<Response: Message>(
        _ method: MethodDescriptor, _ request: some Message, mustExist: Bool = false
    ) async -> Response? {
        let end = ContinuousClock.now + Self.patience
        var target = 0
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            do {
                let response: Response = try await channels[target % channels.count].unary(
                    method, request, options: .timeout(.seconds(5)))
                pace.note(start.duration(to: .now), isAnswered: true)
                return response
            } catch let error as RPCError where Self.refusal(error) != nil {
                if mustExist { Issue.record("\(method.name): \(error)") }
                return nil
            } catch {
                pace.note(start.duration(to: .now), isAnswered: false)
                target += 1
                try? await Task.sleep(for: pace.pause(.milliseconds(100)))
            }
        }
        return nil
    }

    // MARK: Again

    private func keep(_ sent: Sent, _ bytes: [UInt8]) {
        state.withLock { state in
            state.answers.append(
                .init(
                    key: "\(sent.method.name) \(sent.key)",
                    body: String(decoding: sent.body, as: UTF8.self), bytes: bytes))
            if state.sent.count < Self.memory {
                state.sent.append(sent)
            } else {
                state.sent[state.next] = sent
            }
            state.next = (state.next + 1) % Self.memory
        }
    }

    /// An acknowledged request once more: the same, or with something else in it, which must not
    /// pass.
    func again(by client: Int, _ random: inout SplitMix) async {
        let pick = random.next()
        guard
            let old = state.withLock({
                $0.sent.isEmpty ? nil : $0.sent[Int(pick % UInt64($0.sent.count))]
            })
        else { return }
        let altered = random.chance(25) ? old.altered : nil
        let body = altered ?? old.body
        let id = journal.begin(client, altered == nil ? "replay" : "altered", old.key)
        let outcome = await settle("again", client, trusts: true) { target in
            let bytes = try await self.channels[target].unary(
                old.method, body,
                metadata: old.isStaff ? await self.credentials(old.method) : Metadata(),
                options: .timeout(.seconds(5)))
            self.state.withLock {
                $0.answers.append(
                    .init(
                        key: "\(old.method.name) \(old.key)",
                        body: String(decoding: body, as: UTF8.self), bytes: bytes))
            }
        }
        switch outcome {
        case .done: journal.end(id, .ok)
        case .refused(let reason): journal.end(id, .fail, reason)
        case .unknown(let reason): journal.end(id, .info, reason)
        }
        state.withLock { state in
            if altered == nil, case .done = outcome { state.replays += 1 }
            if altered != nil, case .refused = outcome { state.refusedBodies += 1 }
        }
    }

    /// Tokens live for minutes.
    private func credentials(_ method: MethodDescriptor) async -> Metadata {
        let context = method.service.contains(".payment.") ? "payment" : "booking"
        let (current, isOld) = state.withLock { state in
            let isOld = state.since.duration(to: .now) > .seconds(30)
            if isOld { state.since = .now }
            return (state.credentials[context] ?? Metadata(), isOld)
        }
        if isOld, let fresh = try? await Self.credentials(stage) {
            state.withLock { $0.credentials = fresh }
        }
        return current
    }

    private static func credentials(_ stage: Stage) async throws -> [String: Metadata] {
        var all: [String: Metadata] = [:]
        for context in ["booking", "payment"] {
            let token = try await stage.system.token(audience: context)
            all[context] = Metadata(["authorization": "Bearer \(token)"])
        }
        return all
    }
}
