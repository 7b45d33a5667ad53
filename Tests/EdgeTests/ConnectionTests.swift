import HTTP1
import Loop
import Protobuf
import Synchronization
import Telemetry
import Testing

@testable import Edge

@Suite struct ConnectionTests {
    @Test("Pipelined requests are answered in order on one connection")
    func pipelining() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            plug.send("GET", "/v1/things/one")
            plug.send("POST", "/v1/things", body: #"{"name":"two"}"#)
            plug.send("GET", "/health")
            plug.send("HEAD", "/v1/things/four")
            plug.send("GET", "/v1/things/five", [("Connection", "close")])
            #expect(try plug.answer().json["data"]?["name"] == "one")
            #expect(try plug.answer().json["data"]?["name"] == "two")
            #expect(try plug.answer().json["status"] == "healthy")
            let head = try plug.answer()
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(try plug.answer().json["data"]?["name"] == "five")
            #expect(plug.isAtEnd)
        }
    }

    @Test("Answers that nobody reads stop the asking; once read, every request has its answer")
    func unreadPipeline() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            let count = 2000
            for _ in 0..<count { plug.send("GET", "/metrics") }
            try await edge.loop.sleep(for: .milliseconds(300))
            for _ in 0..<count { #expect(try plug.answer().status == 200) }
            #expect(try plug.ask("GET", "/health").status == 200)
        }
    }

    @Test("A streaming method answers NDJSON; a failure in between is its last line")
    func streaming() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            let three = try plug.ask("GET", "/v1/count/3")
            #expect(three.status == 200)
            #expect(three.headers.first("content-type") == "application/x-ndjson")
            let lines = three.text.split(separator: "\n")
            #expect(try lines.map { try JSONValue.parse(Array($0.utf8))["count"] } == [1, 2, 3])
            let broken = try plug.ask("GET", "/v1/count/20").text.split(separator: "\n")
            #expect(broken.count == 13)
            #expect(broken.last?.contains(#""code":"UPSTREAM_UNAVAILABLE""#) == true)
            let refused = try plug.ask("GET", "/v1/count/-1")
            #expect(refused.status == 404)
            #expect(refused.code == "COURSE_NOT_FOUND")
            let empty = try plug.ask("GET", "/v1/count/0")
            #expect(empty.status == 200)
            #expect(empty.body.isEmpty)
        }
    }

    @Test("Expect: 100-continue is answered before the body, and not for a body that is too large")
    func expectContinue() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            plug.write(
                "POST /v1/things HTTP/1.1\r\nHost: edge.test\r\nContent-Type: application/json\r\n"
                    + "Content-Length: 14\r\nExpect: 100-continue\r\n\r\n")
            try await edge.loop.sleep(for: .milliseconds(50))
            plug.write(#"{"name":"asked"#.prefix(12) + #""}"#)
            let answer = try plug.answer()
            #expect(answer.json["data"]?["name"] == "ask")
            let large = edge.plug()
            large.write(
                "POST /v1/things HTTP/1.1\r\nHost: edge.test\r\nContent-Type: application/json\r\n"
                    + "Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
            #expect(try large.answer().status == 413)
        }
    }

    @Test("A head that trickles in is cut off with 408, an idle connection without a word")
    func slowHead() async throws {
        // Where the connection itself took too long it is ended without a word.
        var status: Int?
        for limit in [100, 2_000, 20_000] where status == nil {
            status = try await slowHead(.milliseconds(limit))
        }
        #expect(status == 408)
        try await EdgeFixture.with({ $0.idleTimeout = .milliseconds(100) }) { edge in
            let idle = edge.plug()
            let answer = try idle.ask("GET", "/health")
            #expect(answer.status == 200)
            #expect(idle.isAtEnd)
        }
    }

    /// The answer to half a head, after which the connection ends; nil when there was none.
    private func slowHead(_ limit: Duration) async throws -> Int? {
        let status = Mutex<Int?>(nil)
        try await EdgeFixture.with({ $0.headerTimeout = limit }) { edge in
            let slow = edge.plug()
            slow.write("GET /health HT")
            guard let answer = try? slow.answer() else { return }
            status.withLock { $0 = answer.status }
            #expect(slow.isAtEnd)
        }
        return status.withLock { $0 }
    }

    @Test("A client that goes away cancels its call")
    func clientGone() async throws {
        // It is not the time limit that cancels.
        try await EdgeFixture.with({ $0.requestTimeout = .seconds(600) }) { edge in
            let plug = edge.plug()
            plug.send("POST", "/v1/things", body: #"{"name":"slow"}"#)
            try #require(await Self.eventually(edge) { !edge.services.seen.isEmpty })
            plug.hangUp()
            #expect(await Self.eventually(edge) { edge.services.cancelled == 1 })
        }
    }

    /// Whether it becomes so within a minute.
    private static func eventually(
        _ edge: EdgeFixture, _ isSo: @Sendable () -> Bool
    ) async -> Bool {
        for _ in 0..<12_000 where !isSo() { try? await edge.loop.sleep(for: .milliseconds(5)) }
        return isSo()
    }

    @Test("Bytes that are no HTTP get one error in the envelope and the end")
    func garbage() async throws {
        try await EdgeFixture.with { edge in
            let plug = edge.plug()
            plug.write("\u{1}\u{2}garbage\r\n\r\n")
            let answer = try plug.answer()
            #expect(answer.status == 400)
            #expect(answer.code == "MALFORMED_REQUEST")
            #expect(plug.isAtEnd)
        }
    }

    @Test("/health says whether the process is ready; /metrics counts by route")
    func healthAndMetrics() async throws {
        try await EdgeFixture.with { edge in
            let healthy = try edge.ask("GET", "/health")
            #expect(healthy.status == 200)
            #expect(healthy.json["status"] == "healthy")
            #expect(healthy.json["service"] == "gateway")
            #expect(healthy.json["timestamp"]?.string != nil)
            edge.services.isReady = false
            #expect(try edge.ask("GET", "/health").status == 503)
            #expect(try edge.ask("POST", "/health", body: "{}").status == 405)
            _ = try edge.ask("GET", "/v1/things/private-name")
            let metrics = try edge.ask("GET", "/metrics")
            #expect(
                metrics.headers.first("content-type")?.hasPrefix("text/plain; version=0.0.4")
                    == true)
            #expect(
                metrics.text.contains(
                    #"janji_edge_requests_total{route="GET /v1/things/{name}",status="2xx"} 1"#))
        }
    }

    @Test("The access log names the route, never the path, and the request id")
    func accessLog() async throws {
        try await EdgeFixture.with { edge in
            _ = try edge.ask(
                "GET", "/v1/things/private-name?tags=private-tag",
                [("X-Request-Id", "log-me-please")]
            )
            let line = try #require(edge.log.lines.first { $0.contains("log-me-please") })
            #expect(line.contains(#""route":"GET /v1/things/{name}""#))
            #expect(line.contains(#""status":200"#))
            #expect(!edge.log.contains("private"))
            let bad = try edge.ask("GET", "/v1/things/x", [("X-Request-Id", "\"bad id\"")])
            #expect(bad.headers.first("x-request-id")?.count == 36)
        }
    }

    @Test(
        "X-12: the pages may take from elsewhere what their captcha needs, and nothing without one",
        arguments: [nil, .turnstile, .hcaptcha, .recaptcha] as [CaptchaWidget.Provider?])
    func captcha(_ provider: CaptchaWidget.Provider?) async throws {
        let widget = provider.map { CaptchaWidget(provider: $0, siteKey: "k<\"1") }
        try await EdgeFixture.with({ $0.captcha = widget }) { edge in
            let answer = try edge.ask("GET", "/assets/captcha.json")
            #expect(answer.headers.first("content-type") == "application/json")
            #expect(answer.json["provider"]?.string == provider?.rawValue ?? "none")
            let policy = try #require(
                try edge.ask("GET", "/").headers.first("content-security-policy"))
            guard let provider else {
                #expect(answer.json["site_key"] == nil)
                #expect(!policy.contains("http"))
                return
            }
            #expect(answer.json["site_key"]?.string == "k<\"1")
            let host: String =
                switch provider {
                case .turnstile: "https://challenges.cloudflare.com"
                case .hcaptcha: "https://*.hcaptcha.com"
                case .recaptcha: "https://www.google.com/recaptcha/"
                }
            for directive in ["script-src 'self' ", "frame-src "] {
                let part = policy.split(separator: ";").first { $0.contains(directive) }
                #expect(part?.contains(host) == true, "\(directive)")
            }
            #expect(policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe"))
        }
    }

    @Test("Pages come from memory with their types, a policy and an ETag; nothing else is served")
    func pages() async throws {
        try await EdgeFixture.with { edge in
            for (path, type) in [
                ("/", "text/html; charset=utf-8"), ("/admin", "text/html; charset=utf-8"),
                ("/assets/style.css", "text/css; charset=utf-8"),
                ("/assets/live.js", "text/javascript; charset=utf-8"),
                ("/assets/icon.svg", "image/svg+xml"),
            ] {
                let answer = try edge.ask("GET", path)
                #expect(answer.status == 200, "\(path)")
                #expect(answer.headers.first("content-type") == type)
                #expect(answer.headers.first("x-content-type-options") == "nosniff")
                #expect(
                    answer.headers.first("content-security-policy")?.hasPrefix(
                        "default-src 'self'; connect-src 'self' ws: wss:") == true)
                let tag = try #require(answer.headers.first("etag"))
                let again = try edge.ask("GET", path, [("If-None-Match", tag)])
                #expect(again.status == 304)
                #expect(again.body.isEmpty)
            }
            for path in [
                "/assets/../index.html", "/assets/%2e%2e/index.html", "/../../etc/passwd",
                "/assets//style.css", "/assets/", "/assets/none.js", "/assets%2Fstyle.css",
            ] {
                let answer = try edge.ask("GET", path)
                #expect([400, 404].contains(answer.status), "\(path)")
            }
            #expect(try edge.ask("POST", "/admin", body: "{}").status == 405)
        }
    }

    @Test("Dates are formatted as RFC 9110 says")
    func dates() {
        #expect(DateField.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(DateField.format(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(DateField.format(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    }

    @Test("Draining finishes what is in progress and closes the rest")
    func drain() async throws {
        try await EdgeFixture.with({ $0.requestTimeout = .seconds(600) }) { edge in
            let idle = edge.plug()
            #expect(try idle.ask("GET", "/health").status == 200)
            let busy = edge.plug()
            busy.send("POST", "/v1/things", body: #"{"name":"held"}"#)
            try #require(await Self.eventually(edge) { !edge.services.seen.isEmpty })
            let drained = Task { await edge.server.drain(grace: .seconds(600)) }
            // The one is ended while the other is still being answered.
            #expect(idle.isAtEnd)
            edge.services.release()
            #expect(try busy.answer().status == 200)
            #expect(busy.isAtEnd)
            busy.hangUp()
            await drained.value
        }
    }
}
