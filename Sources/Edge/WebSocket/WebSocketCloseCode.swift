/// Why a connection ends (RFC 6455 §7.4 and the IANA registry).
public struct WebSocketCloseCode: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let normal = WebSocketCloseCode(rawValue: 1000)
    public static let goingAway = WebSocketCloseCode(rawValue: 1001)
    public static let protocolError = WebSocketCloseCode(rawValue: 1002)
    public static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// Never on the wire: the peer closed without a code (RFC 6455 §7.4.1).
    public static let noStatus = WebSocketCloseCode(rawValue: 1005)
    public static let invalidPayload = WebSocketCloseCode(rawValue: 1007)
    public static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    public static let internalError = WebSocketCloseCode(rawValue: 1011)
    public static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    public static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)
    /// The session is missing, wrong or over; do not reconnect before signing in.
    public static let unauthenticated = WebSocketCloseCode(rawValue: 4001)
    /// The client read too slowly; reconnect with the last position.
    public static let tooSlow = WebSocketCloseCode(rawValue: 4008)
    /// Events were lost on our side; reconnect and read the snapshot again.
    public static let resync = WebSocketCloseCode(rawValue: 4009)

    /// Whether a close frame may carry it: 1000–1003, 1007–1014, 3000–4999.
    public var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
