import Frames
import Loop
import RPC
import RPCHTTP2
import Synchronization
import Telemetry
import TestKit
import Testing

/// A server, an honest client of it, and the server's metrics: what a hostile peer does to the
/// first must not reach the second.
struct HostileBed {
    let server: TestServer
    let honest: HTTP2Channel
    let metrics = Metrics()
    /// Handlers of `Methods.bidi` that run, and the most that ran at once.
    let handlers = HandlerCount()
    /// Whether the honest client's connection may end under its call, as it does on a machine that
    /// stalls for longer than the server's short limits: then it calls again.
    private let honestMayBeLate: Bool

    /// `unary` echoes; `server` sends 10,000 × 10 KB; `bidi` runs until its call is cancelled and
    /// some turns of the loop longer, as real handlers do.
    init(
        _ configuration: ServerConfiguration = ServerConfiguration(), honestMayBeLate: Bool = false
    ) async throws {
        self.honestMayBeLate = honestMayBeLate
        let handlers = handlers
        server = try await TestServer(configuration, metrics: metrics) { router in
            router.handle(Methods.unary) { call in
                try call.sendOnly(try await call.receiveOnly())
            }
            router.handle(Methods.server) { call in
                _ = try await call.receiveOnly()
                for _ in 0..<10_000 { try await call.send([UInt8](repeating: 5, count: 10_000)) }
            }
            router.handle(Methods.bidi) { call in
                handlers.begin()
                defer { handlers.end() }
                _ = try? await call.receive()
                // A handler is not gone the moment its call is cancelled.
                await Task { try? await call.loop.sleep(for: .milliseconds(20)) }.value
            }
        }
        honest = try server.channel()
        try await honestIsServed()
    }

    func honestIsServed() async throws {
        guard honestMayBeLate else {
            return #expect(try await honest.unary(Methods.unary, [3]) == [3])
        }
        #expect(
            try await eventually {
                do {
                    return try await honest.unary(
                        Methods.unary, [3], options: CallOptions(waitForReady: true)) == [3]
                } catch let error as RPCError where error.code == .unavailable {
                    return false
                }
            })
    }

    /// The sample of a metric, from its rendered text.
    func value(_ sample: String) -> Int {
        let line = metrics.render().split(separator: "\n").first { $0.hasPrefix(sample + " ") }
        return line.flatMap { Int($0.dropFirst(sample.count + 1)) } ?? -1
    }

    func closed(_ cause: String) async throws -> Bool {
        try await eventually {
            value("grpc_server_connections_closed_total{cause=\"\(cause)\"}") >= 1
        }
    }

    func abuse(_ kind: String) -> Int { value("grpc_server_abuse_total{kind=\"\(kind)\"}") }
}

final class HandlerCount: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func begin() {
        counts.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }

    func end() { counts.withLock { $0.now -= 1 } }

    var now: Int { counts.withLock { $0.now } }
    var most: Int { counts.withLock { $0.most } }
}
