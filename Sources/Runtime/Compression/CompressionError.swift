/// Why bytes could not be compressed or inflated.
public struct CompressionError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Not the format that was promised, or a checksum that does not fit.
        case corrupt
        /// The input ends inside the compressed stream.
        case truncated
        /// The input goes on after the compressed stream.
        case trailingBytes
        /// The inflated size is above the limit.
        case tooLarge
        case outOfMemory
    }

    /// Who has to change something.
    public enum Blame: Sendable, Hashable {
        case peer, us
    }

    public let code: Code
    public let message: String
    /// What zlib said, when it said something.
    public let cause: String?

    init(_ code: Code, _ message: String, cause: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    static func tooLarge(limit: Int) -> CompressionError {
        CompressionError(.tooLarge, "it inflates to more than the limit of \(limit) bytes")
    }

    public var blame: Blame { code == .outOfMemory ? .us : .peer }

    public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
