/// Why nothing was generated, as a sentence for the person who runs protoc.
public struct GeneratorError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The request of protoc does not decode or does not link.
        case request
        /// A parameter of the plugin is unknown or has no such value.
        case parameter
        /// The proto uses something that the runtime does not have.
        case unsupported
    }

    public enum Blame: Sendable, Hashable {
        case caller, us
    }

    public let code: Code
    public let message: String
    public let blame: Blame
    public let cause: String?

    init(_ code: Code, _ message: String, blame: Blame = .caller, cause: String? = nil) {
        self.code = code
        self.message = message
        self.blame = blame
        self.cause = cause
    }

    public var description: String { cause.map { "\(message): \($0)" } ?? message }
}
