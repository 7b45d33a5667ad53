import Testing
import WebSocket

struct HandshakeTests {
    static let good: [String: [String]] = [
        "upgrade": ["websocket"], "connection": ["Upgrade"], "sec-websocket-version": ["13"],
        "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ=="],
    ]

    private func handshake(
        _ changes: [String: [String]] = [:], method: String = "GET", isHTTP11: Bool = true
    ) throws(WebSocketHandshake.Rejection) -> WebSocketHandshake {
        let fields = Self.good.merging(changes) { $1 }
        return try WebSocketHandshake(method: method, isHTTP11: isHTTP11) { fields[$0] ?? [] }
    }

    @Test("RFC 6455 §1.3: the accept value of the standard's example")
    func accept() throws {
        let handshake = try handshake()
        #expect(handshake.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(
            handshake.responseFields().map { "\($0.name): \($0.value)" } == [
                "upgrade: websocket", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            ])
    }

    @Test(
        "tokens are compared without case inside lists",
        arguments: [
            ["upgrade": ["WebSocket"]], ["upgrade": ["h2c, WEBSOCKET"]],
            ["connection": ["keep-alive, upgrade"]], ["connection": ["keep-alive", "UPGRADE ,"]],
        ])
    func tokens(changes: [String: [String]]) {
        #expect(throws: Never.self) { try handshake(changes) }
    }

    @Test(
        "what is wrong is refused with its status",
        arguments: [
            (["upgrade": []], 426), (["upgrade": ["websockets"]], 426), (["connection": []], 426),
            (["connection": ["keep-alive"]], 426), (["sec-websocket-version": []], 426),
            (["sec-websocket-version": ["8"]], 426),
            (["sec-websocket-version": ["13", "13"]], 426),
            (["sec-websocket-key": []], 400), (["sec-websocket-key": [""]], 400),
            (["sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ"]], 400),
            (["sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZR=="]], 400),
            (["sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ==AAAA"]], 400),
            (["sec-websocket-key": ["dGhlIHNhbXBsZ*Bub25jZQ=="]], 400),
            (["sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ==", "x"]], 400),
        ] as [([String: [String]], Int)])
    func refuses(changes: [String: [String]], status: Int) {
        #expect {
            try handshake(changes)
        } throws: { ($0 as? WebSocketHandshake.Rejection)?.status == status }
    }

    @Test("another method is 405, HTTP/1.0 is 400, another version names 13")
    func rejections() {
        #expect {
            try handshake(method: "POST")
        } throws: { ($0 as? WebSocketHandshake.Rejection)?.status == 405 }
        #expect {
            try handshake(isHTTP11: false)
        } throws: { ($0 as? WebSocketHandshake.Rejection)?.status == 400 }
        #expect {
            try handshake(["sec-websocket-version": ["8"]])
        } throws: {
            ($0 as? WebSocketHandshake.Rejection)?.headers.contains {
                $0.name == "sec-websocket-version" && $0.value == "13"
            } == true
        }
    }

    @Test("subprotocols are passed through in order, and one may be chosen")
    func subprotocols() throws {
        let handshake = try handshake(["sec-websocket-protocol": ["janji.v1, token.abc", "x"]])
        #expect(handshake.subprotocols == ["janji.v1", "token.abc", "x"])
        #expect(handshake.responseFields(subprotocol: "janji.v1").last?.value == "janji.v1")
    }
}
