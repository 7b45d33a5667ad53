/// The error codes of RST_STREAM and GOAWAY (RFC 9113 §7).
public struct HTTP2Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let noError = HTTP2Code(rawValue: 0)
    public static let protocolError = HTTP2Code(rawValue: 1)
    public static let internalError = HTTP2Code(rawValue: 2)
    public static let flowControlError = HTTP2Code(rawValue: 3)
    public static let settingsTimeout = HTTP2Code(rawValue: 4)
    public static let streamClosed = HTTP2Code(rawValue: 5)
    public static let refusedStream = HTTP2Code(rawValue: 7)
    public static let cancel = HTTP2Code(rawValue: 8)
    public static let enhanceYourCalm = HTTP2Code(rawValue: 11)
    public static let inadequateSecurity = HTTP2Code(rawValue: 12)

    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
        "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
        "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    public var description: String {
        rawValue < 14 ? HTTP2Code.names[Int(rawValue)] : "ERROR_\(rawValue)"
    }
}
