import CNghttp2

/// A connection that cannot go on, or a command that came too late.
public struct HTTP2Error: Error, Sendable, CustomStringConvertible {
    public enum Blame: Sendable, Hashable {
        case peer, us
    }

    /// The library's error number, negative.
    public let code: Int32
    public let message: String
    public let blame: Blame

    init(_ code: Int32, _ operation: String, blame: Blame = .us) {
        self.code = code
        self.message = "\(operation): \(String(cString: nghttp2_strerror(code)))"
        self.blame = blame
    }

    public var description: String { message }
}
