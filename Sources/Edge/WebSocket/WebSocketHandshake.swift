import Crypto

/// The opening handshake (RFC 6455 §4). Knows no HTTP types: the caller hands in plain values.
public struct WebSocketHandshake: Sendable, Hashable {
    /// Why the request is not upgraded; answer with it as a normal HTTP response.
    public struct Rejection: Error, Sendable, Hashable {
        /// 400, 405 or 426.
        public let status: Int
        public let message: String
        /// Fields that the answer must carry, beside `Connection: upgrade` with 426.
        public let headers: [Field]
    }

    public struct Field: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    /// The value for `Sec-WebSocket-Accept`.
    public let accept: String
    /// What the client offers in `Sec-WebSocket-Protocol`, in its order. Choose at most one.
    public let subprotocols: [String]

    /// Checks an upgrade request (RFC 6455 §4.2.1). Origin and session are the caller's business.
    /// - Parameters:
    ///   - method: "GET" is needed, else 405.
    ///   - isHTTP11: whether the request is HTTP/1.1.
    ///   - values: every value of the field with that lower-case name.
    public init(
        method: String, isHTTP11: Bool, values: (_ name: String) -> [String]
    ) throws(Rejection) {
        guard method == "GET" else {
            throw Rejection(
                status: 405, message: "a WebSocket handshake is a GET request",
                headers: [Field(name: "allow", value: "GET")])
        }
        guard isHTTP11 else { throw Self.bad("a WebSocket handshake needs HTTP/1.1") }
        guard Self.members(values("upgrade")).contains(where: { $0.lowercased() == "websocket" }),
            Self.members(values("connection")).contains(where: { $0.lowercased() == "upgrade" })
        else {
            throw Rejection(
                status: 426, message: "this resource speaks WebSocket only",
                headers: Self.upgradeRequired)
        }
        guard values("sec-websocket-version") == ["13"] else {
            throw Rejection(
                status: 426, message: "only WebSocket version 13 is spoken here",
                headers: Self.upgradeRequired)
        }
        let keys = values("sec-websocket-key")
        guard let key = keys.first, keys.count == 1, Self.isKey(key) else {
            throw Self.bad("Sec-WebSocket-Key is not 16 bytes of base64")
        }
        accept = Self.acceptValue(forKey: key)
        subprotocols = Self.members(values("sec-websocket-protocol"))
    }

    /// The fields of the 101 response beside `Connection: upgrade`.
    /// - Parameter subprotocol: one of `subprotocols`, or nil for none.
    public func responseFields(subprotocol: String? = nil) -> [Field] {
        var fields = [
            Field(name: "upgrade", value: "websocket"),
            Field(name: "sec-websocket-accept", value: accept),
        ]
        if let subprotocol {
            precondition(subprotocols.contains(subprotocol), "the client did not offer it")
            fields.append(Field(name: "sec-websocket-protocol", value: subprotocol))
        }
        return fields
    }

    /// `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2); clients compare with it.
    public static func acceptValue(forKey key: String) -> String {
        Base64.encode(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    private static let upgradeRequired = [
        Field(name: "upgrade", value: "websocket"),
        Field(name: "sec-websocket-version", value: "13"),
    ]

    private static func bad(_ message: String) -> Rejection {
        Rejection(status: 400, message: message, headers: [])
    }

    /// The base64 text of exactly 16 bytes: 22 digits, the last with four zero bits, and "==".
    private static func isKey(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        guard bytes.count == 24, bytes[22] == UInt8(ascii: "="), bytes[23] == UInt8(ascii: "=")
        else { return false }
        return bytes[..<21].allSatisfy(isBase64Digit) && "AQgw".utf8.contains(bytes[21])
    }

    private static func isBase64Digit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// The members of comma-separated lists, without the white space around them.
    private static func members(_ values: [String]) -> [String] {
        values.flatMap { $0.utf8.split(separator: UInt8(ascii: ",")) }.compactMap { member in
            var member = member
            while let first = member.first, first == 32 || first == 9 { member.removeFirst() }
            while let last = member.last, last == 32 || last == 9 { member.removeLast() }
            return member.isEmpty ? nil : String(member)
        }
    }
}
