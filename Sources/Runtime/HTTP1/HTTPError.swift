/// Why a message cannot be read or built. After a parser threw one, answer `status` and close:
/// where the next message would start is not known any more (RFC 9112 §2.2, §6.3).
public struct HTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable {
        case malformedStartLine, malformedField, malformedHost, malformedFraming, malformedTarget
        case targetTooLong, headTooLarge, bodyTooLarge
        case unsupportedTransferCoding, unsupportedMethod, unsupportedVersion
        /// The connection ended inside a message.
        case truncated
        /// Our own code tried to write a field that would break the message.
        case unwritableField
    }

    public enum Blame: String, Sendable { case caller, peer }

    public let code: Code
    /// One sentence for the answer and the log; never contains bytes of the peer.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var blame: Blame { code == .unwritableField ? .caller : .peer }

    /// The status to answer with.
    public var status: HTTPStatus {
        switch code {
        case .malformedStartLine, .malformedField, .malformedHost, .malformedFraming,
            .malformedTarget, .truncated:
            .badRequest
        case .targetTooLong: .uriTooLong
        case .headTooLarge: .requestHeaderFieldsTooLarge
        case .bodyTooLarge: .contentTooLarge
        case .unsupportedTransferCoding, .unsupportedMethod: .notImplemented
        case .unsupportedVersion: .httpVersionNotSupported
        case .unwritableField: .internalServerError
        }
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
