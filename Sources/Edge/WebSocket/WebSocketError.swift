/// The peer broke the protocol or a limit. Send a close frame with `closeCode`, then end the
/// connection; the parser reads nothing more.
public struct WebSocketError: Error, Sendable, Hashable, CustomStringConvertible {
    /// 1002, 1007 or 1009.
    public let closeCode: WebSocketCloseCode
    /// One sentence, short enough for the close frame; never contains bytes of the peer.
    public let message: String

    public init(_ closeCode: WebSocketCloseCode, _ message: String) {
        self.closeCode = closeCode
        self.message = message
    }

    public var description: String { "\(closeCode.rawValue): \(message)" }
}
