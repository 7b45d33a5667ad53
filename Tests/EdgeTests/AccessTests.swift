import Environment
import HTTP1
import Loop
import Protobuf
import Testing

@testable import Edge

@Suite struct AccessTests {
    static let own = ("Origin", "http://edge.test")
    static let friend = ("Origin", "https://school.example")
    static let foreign = ("Origin", "https://evil.example")

    @Test("X-30: signing in sets the cookie and keeps the secret out of the body")
    func signIn() async throws {
        try await EdgeFixture.with({ $0.cookieSecure = true }) { edge in
            let answer = try edge.ask(
                "POST", "/api/auth/session", body: #"{"email":"a@b.c","password":"p"}"#)
            #expect(answer.status == 201)
            let cookie = try #require(answer.headers.first("set-cookie"))
            for part in [
                "session_id=fresh-session;", "HttpOnly", "SameSite=Lax", "Path=/", "Secure",
                "Max-Age=",
            ] {
                #expect(cookie.contains(part))
            }
            #expect(answer.json["data"]?["session_id"] == nil)
            #expect(answer.json["data"]?["user"]?["role"] == "admin")
            #expect(!answer.text.contains("fresh-session"))
        }
    }

    @Test("Admin methods need a session, by cookie or bearer; the principal is the user")
    func adminAccess() async throws {
        try await EdgeFixture.with { edge in
            edge.services.signIn("good")
            edge.services.signIn("over", for: .seconds(-1))
            let path = "/api/booking/admin/bookings/pending"
            for fields in [
                [], [("Cookie", "session_id=bad")], [("Cookie", "session_id=over")],
                [("Authorization", "Bearer bad")], [("Cookie", "other=good")],
            ] as [[(String, String)]] {
                let answer = try edge.ask("GET", path, fields)
                #expect(answer.status == 401)
                #expect(answer.code == "UNAUTHENTICATED")
            }
            #expect(edge.services.seen.isEmpty)
            for fields in [
                [("Cookie", "a=b; session_id=good")], [("Authorization", "Bearer good")],
            ] {
                #expect(try edge.ask("GET", path, fields).status == 200)
            }
            #expect(edge.services.seen.map(\.principal) == ["admin:user-good", "admin:user-good"])
        }
    }

    @Test("Without the identity service a session is neither good nor bad: 503")
    func identityDown() async throws {
        try await EdgeFixture.with { edge in
            edge.services.identityIsDown = true
            let answer = try edge.ask("GET", "/api/auth/me", [("Cookie", "session_id=x")])
            #expect(answer.status == 503)
            #expect(answer.headers.first("retry-after") == "1")
        }
    }

    @Test("Signing out revokes the cookie's session and removes the cookie")
    func signOut() async throws {
        try await EdgeFixture.with { edge in
            edge.services.signIn("mine")
            let answer = try edge.ask(
                "DELETE", "/api/auth/session", [("Cookie", "session_id=mine"), Self.own])
            #expect(answer.status == 200)
            #expect(answer.headers.first("set-cookie")?.contains("Max-Age=0") == true)
            let seen = try #require(edge.services.seen.first)
            #expect(seen.method == "RevokeSession")
            // Field 1, four bytes: "mine".
            #expect(seen.bytes == [0x0A, 4] + Array("mine".utf8))
            edge.services.revoke("mine")
            #expect(
                try edge.ask("GET", "/api/auth/me", [("Cookie", "session_id=mine")]).status == 401)
        }
    }

    @Test("A verified session is believed for the cache time only")
    func revocation() async throws {
        try await EdgeFixture.with({ $0.sessionCacheTime = .milliseconds(50) }) { edge in
            edge.services.signIn("mine")
            let cookie = [("Cookie", "session_id=mine")]
            #expect(try edge.ask("GET", "/api/auth/me", cookie).status == 200)
            edge.services.revoke("mine")
            try await edge.loop.sleep(for: .milliseconds(80))
            #expect(try edge.ask("GET", "/api/auth/me", cookie).status == 401)
        }
    }

    @Test(
        "CSRF: a state change from a foreign page is refused, from the own or an allowed one not",
        arguments: [
            ([own], 200), ([friend], 200), ([foreign], 403), ([("Origin", "null")], 403),
            ([], 200), ([("Sec-Fetch-Site", "cross-site")], 403),
            ([("Sec-Fetch-Site", "same-origin")], 200), ([own, foreign], 403),
        ] as [([(String, String)], Int)])
    func csrf(_ fields: [(String, String)], _ status: Int) async throws {
        try await EdgeFixture.with { edge in
            edge.services.signIn("s")
            let answer = try edge.ask(
                "POST", "/v1/admin/x", [("Cookie", "session_id=s")] + fields, body: "{}")
            #expect(answer.status == status)
            if status == 403 { #expect(answer.code == "FORBIDDEN") }
        }
    }

    @Test("CORS: allowed origins are echoed with credentials, others get nothing, never *")
    func cors() async throws {
        try await EdgeFixture.with { edge in
            let preflight = [
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "content-type"),
            ]
            let good = try edge.ask("OPTIONS", "/v1/things", [Self.friend] + preflight)
            #expect(good.status == 204)
            #expect(good.headers.first("access-control-allow-origin") == Self.friend.1)
            #expect(good.headers.first("access-control-allow-credentials") == "true")
            #expect(good.headers.first("access-control-allow-methods") == "GET, HEAD, POST")
            let bad = try edge.ask("OPTIONS", "/v1/things", [Self.foreign] + preflight)
            #expect(bad.status == 403)
            #expect(bad.headers.first("access-control-allow-origin") == nil)
            let simple = try edge.ask("GET", "/v1/things", [Self.friend])
            #expect(simple.headers.first("access-control-allow-origin") == Self.friend.1)
            #expect(simple.headers.first("vary") == "origin")
            let foreign = try edge.ask("GET", "/v1/things", [Self.foreign])
            #expect(foreign.headers.first("access-control-allow-origin") == nil)
            let failed = try edge.ask("GET", "/nowhere", [Self.friend])
            #expect(failed.headers.first("access-control-allow-origin") == Self.friend.1)
        }
    }

    @Test("X-25: public state changes and all requests are limited per address, 429 says when")
    func rates() async throws {
        try await EdgeFixture.with({
            $0.publicRate = RateLimit(burst: 2, perSecond: 0.01)
            $0.overallRate = RateLimit(burst: 5, perSecond: 0.01)
        }) { edge in
            for remaining in ["1", "0"] {
                let answer = try edge.ask("POST", "/v1/things", body: "{}")
                #expect(answer.status == 200)
                #expect(answer.headers.first("x-ratelimit-limit") == "2")
                #expect(answer.headers.first("x-ratelimit-remaining") == remaining)
            }
            let refused = try edge.ask("POST", "/v1/things", body: "{}")
            #expect(refused.status == 429)
            #expect(refused.code == "RATE_LIMITED")
            // A token comes in a hundred seconds, some of which have passed.
            let wait = try #require(refused.headers.first("retry-after").flatMap { Int($0) })
            #expect((10...100).contains(wait))
            #expect(refused.headers.first("x-ratelimit-remaining") == "0")
            #expect(try edge.ask("GET", "/v1/things").status == 200)
            #expect(try edge.ask("GET", "/v1/things").status == 200)
            #expect(try edge.ask("GET", "/v1/things").status == 429)
            #expect(try edge.ask("GET", "/health").status == 200)
        }
    }

    @Test("The rate table has a fixed size and refills with time")
    func rateTable() {
        var table = RateTable(RateLimit(burst: 2, perSecond: 1), size: 64)
        let start = Deadline(nanoseconds: 1_000_000_000)
        #expect(table.take("a", now: start)?.isAllowed == true)
        #expect(table.take("a", now: start)?.isAllowed == true)
        #expect(table.take("a", now: start)?.isAllowed == false)
        #expect(table.take("b", now: start)?.isAllowed == true)
        #expect(table.take("a", now: start + .seconds(1))?.isAllowed == true)
        #expect(table.take("a", now: start + .seconds(1))?.isAllowed == false)
        for index in 0..<10_000 { _ = table.take("flood-\(index)", now: start + .seconds(2)) }
        #expect(table.take("c", now: start + .seconds(2))?.isAllowed == true)
    }
}
