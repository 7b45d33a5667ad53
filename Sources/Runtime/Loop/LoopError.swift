import CUV

/// A failed libuv operation: what was tried, and the system's own word for why it failed.
public struct LoopError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The negative errno of libuv, for example `-111`.
    public let code: Int32
    /// The symbol of the code, for example `ECONNREFUSED`.
    public let name: String
    /// The system's sentence, for example `connection refused`.
    public let message: String
    /// What was tried, with its object, for example `connect 127.0.0.1:5432`.
    public let operation: String

    public init(code: Int32, operation: String) {
        self.code = code
        self.name = String(cString: uv_err_name(code))
        self.message = String(cString: uv_strerror(code))
        self.operation = operation
    }

    public var description: String { "\(operation): \(message) (\(name))" }

    public static func timedOut(_ operation: String) -> LoopError {
        LoopError(code: UV_ETIMEDOUT.rawValue, operation: operation)
    }

    public static func cancelled(_ operation: String) -> LoopError {
        LoopError(code: UV_ECANCELED.rawValue, operation: operation)
    }
}

/// Throws what a libuv call answered when it is negative.
@inline(__always)
func check(_ code: Int32, _ operation: @autoclosure () -> String) throws(LoopError) {
    if code < 0 { throw LoopError(code: code, operation: operation()) }
}
