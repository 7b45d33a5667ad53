import Environment
import HTTP1
import Loop
import Protobuf
import Testing
import WebSocket

@testable import Edge

@Suite struct LiveConversationTests {
    static let own = [("Origin", "http://edge.test")]

    @Test(
        "B-03: the origin is checked before the upgrade",
        arguments: [
            ([], 101), (own, 101), ([("Origin", "https://school.example")], 101),
            ([("Origin", "https://evil.example")], 403), ([("Origin", "null")], 403),
        ] as [([(String, String)], Int)])
    func origin(_ fields: [(String, String)], _ status: Int) async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.plug().upgrade("/ws/availability", fields)
            #expect(answer.status == status)
            if status == 403 { #expect(answer.code == "FORBIDDEN") }
        }
    }

    @Test(
        "B-10, X-45: the admin socket needs a session before the upgrade",
        arguments: [
            (own, 401), (own + [("Cookie", "session_id=bad")], 401),
            (own + [("Cookie", "session_id=over")], 401), ([("Authorization", "Bearer bad")], 401),
            ([("Origin", "https://evil.example"), ("Cookie", "session_id=good")], 403),
            ([("Cookie", "session_id=good")], 403), (own + [("Cookie", "session_id=good")], 101),
            ([("Authorization", "Bearer good")], 101),
        ] as [([(String, String)], Int)])
    func admin(_ fields: [(String, String)], _ status: Int) async throws {
        try await EdgeFixture.with { edge in
            edge.services.signIn("good")
            edge.services.signIn("over", for: .seconds(-1))
            let plug = edge.plug()
            let answer = try plug.upgrade("/ws", fields)
            #expect(answer.status == status)
            guard status == 101 else { return }
            let hello = try plug.message()
            #expect(hello["type"] == "connected")
            #expect(hello["role"] == "admin")
        }
    }

    @Test("A request that is no handshake is told to upgrade")
    func noHandshake() async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask("GET", "/ws/availability")
            #expect(answer.status == 426)
            #expect(answer.code == "UPGRADE_REQUIRED")
            #expect(answer.headers.first("sec-websocket-version") == "13")
            #expect(try edge.ask("POST", "/ws/availability", body: "{}").status == 405)
        }
    }

    @Test(
        "A-24, B-04…B-07, B-18, X-41, X-44: connected, subscribe in both dialects, ping, unsubscribe"
    )
    func conversation() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            #expect(try plug.upgrade("/ws/availability", Self.own).status == 101)
            let hello = try plug.message()
            #expect(hello["type"] == "connected")
            #expect(hello["clientId"]?.string?.count == 36)
            #expect(hello["timestamp"]?.string != nil)
            #expect(hello["role"] == nil)

            plug.say(#"{"type":"subscribe","filters":{"course_id":"PIANO-101"}}"#)
            let scalar = try plug.message()
            #expect(scalar["type"] == "subscribed")
            #expect(scalar["filters"] == ["course_id": "PIANO-101"])
            #expect(scalar["subscription_id"] == "s1")
            plug.say(#"{"type":"subscribe","filters":{"course_id":["A","B"],"room_id":"R"}}"#)
            #expect(try plug.message()["subscription_id"] == "s2")
            plug.say(#"{"type":"subscribe","topic":"availability"}"#)
            let topic = try plug.message()
            #expect(topic["type"] == "subscribed")
            #expect(topic["topic"] == "availability")
            plug.say(#"{"type":"ping"}"#)
            #expect(try plug.message()["type"] == "pong")
            plug.say(#"{"type":"unsubscribe","topic":"availability"}"#)
            let left = try plug.message()
            #expect(left["type"] == "unsubscribed")
            #expect(left["topic"] == "availability")
            plug.say(#"{"type":"unsubscribe","subscription_id":"s1"}"#)
            #expect(try plug.message()["type"] == "unsubscribed")
            plug.say(#"{"type":"unsubscribe"}"#)
            #expect(try plug.message()["type"] == "unsubscribed")
        }
    }

    @Test(
        "B-06, X-43: garbage is answered and the connection stays",
        arguments: [
            "", "garbage", "[]", "{}", #"{"type":1}"#, #"{"type":"nonsense"}"#,
            #"{"type":"subscribe"}"#, #"{"type":"subscribe","filters":{}}"#,
            #"{"type":"subscribe","filters":{"course":"x"}}"#,
            #"{"type":"subscribe","filters":{"course_id":1}}"#,
            #"{"type":"subscribe","filters":{"course_id":[["x"]]}}"#,
            #"{"type":"subscribe","filters":{"course_id":"x"},"topic":"availability"}"#,
            #"{"type":"subscribe","scope":"some"}"#, #"{"type":"ping","type":"ping"}"#,
            #"{"type":"ping",}"#, #"{"type":"unsubscribe","nope":1}"#,
        ])
    func garbage(_ text: String) async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            _ = try plug.upgrade("/ws/availability")
            _ = try plug.message()
            plug.say(text)
            let error = try plug.message()
            #expect(error["type"] == "error")
            #expect(error["code"] == "INVALID_FORMAT")
            #expect(error["message"] == "Invalid format")
            plug.say(#"{"type":"ping"}"#)
            #expect(try plug.message()["type"] == "pong")
        }
    }

    @Test("The scope all is refused to the public, subscriptions and messages are limited")
    func limits() async throws {
        try await EdgeFixture.with({
            $0.maxSubscriptions = 2
            $0.socketMessageRate = RateLimit(burst: 6, perSecond: 0.001)
            $0.maxSocketsPerAddress = 1
        }) { edge in
            let plug = edge.plug()
            _ = try plug.upgrade("/ws/availability")
            _ = try plug.message()
            #expect(try edge.plug().upgrade("/ws/availability").status == 429)
            plug.say(#"{"type":"subscribe","scope":"all"}"#)
            #expect(try plug.message()["code"] == "FORBIDDEN")
            plug.say(#"{"type":"subscribe","topic":"bookings"}"#)
            #expect(try plug.message()["code"] == "UNKNOWN_TOPIC")
            for name in ["a", "b"] {
                plug.say(#"{"type":"subscribe","filters":{"course_id":"\#(name)"}}"#)
                #expect(try plug.message()["type"] == "subscribed")
            }
            plug.say(#"{"type":"subscribe","filters":{"course_id":"c"}}"#)
            #expect(try plug.message()["code"] == "TOO_MANY_SUBSCRIPTIONS")
            plug.say(#"{"type":"ping"}"#)
            #expect(try plug.message()["type"] == "pong")
            plug.say(#"{"type":"ping"}"#)
            #expect(try plug.hear() == .closed(1008))
        }
    }

    @Test("A message beyond 4 KiB closes with 1009, an unmasked frame with 1002")
    func protocolErrors() async throws {
        try await EdgeFixture.with { edge in
            let large = edge.plug()
            _ = try large.upgrade("/ws/availability")
            _ = try large.message()
            large.say(String(repeating: "x", count: 5000))
            #expect(try large.hear() == .closed(1009))
            let unmasked = edge.plug()
            _ = try unmasked.upgrade("/ws/availability")
            _ = try unmasked.message()
            unmasked.write([0x81, 0x01, 0x78])
            #expect(try unmasked.hear() == .closed(1002))
        }
    }

    @Test("X-40: silence is pinged and then dropped")
    func heartbeat() async throws {
        try await EdgeFixture.with({
            $0.heartbeat = .init(interval: 100_000_000, timeout: 100_000_000)
        }) { edge in
            let plug = edge.plug()
            _ = try plug.upgrade("/ws/availability")
            _ = try plug.message()
            #expect(try plug.hear() == .ping)
            var last = try plug.hear()
            while last == .ping { last = try plug.hear() }
            #expect(last == .end)
        }
    }

    @Test("X-45: a session that expires or is revoked closes its socket with 4001")
    func sessionEnds() async throws {
        try await EdgeFixture.with(following: true, { $0.sessionRecheck = .milliseconds(50) }) {
            edge in
            edge.services.signIn("long")
            let plug = try #require(try Self.adminSocket(edge, "long"))
            edge.services.revoke("long")
            #expect(try Self.end(of: plug) == .closed(4001))
        }
        // Nobody asks again: the expiry that is known is enough. On a busy machine a short session
        // may be over before it is used.
        try await EdgeFixture.with(following: true) { edge in
            var short: Plug?
            for seconds in [1, 5, 25] where short == nil {
                edge.services.signIn("short\(seconds)", for: .seconds(seconds))
                short = try Self.adminSocket(edge, "short\(seconds)")
            }
            #expect(try Self.end(of: try #require(short)) == .closed(4001))
        }
    }

    /// An open socket of this session; nil when it is over already.
    private static func adminSocket(_ edge: EdgeFixture, _ session: String) throws -> Plug? {
        let plug = edge.plug()
        let answer = try plug.upgrade("/ws", own + [("Cookie", "session_id=\(session)")])
        guard answer.status == 101 else { return nil }
        return plug
    }

    private static func end(of plug: Plug) throws -> Plug.Incoming {
        var last = try plug.hear()
        while case .message = last { last = try plug.hear() }
        return last
    }
}
