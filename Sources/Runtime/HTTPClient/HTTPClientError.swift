/// Why a request got no answer.
public struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The URL, method or a header field cannot be sent.
        case invalidRequest
        /// The name has no address.
        case unresolved
        /// No connection could be made.
        case cannotConnect
        /// No secure connection: the certificate is not trusted, or the handshake failed.
        case insecure
        /// The time was over.
        case timedOut
        /// The connection ended before the answer was complete.
        case connectionLost
        /// What came is no HTTP.
        case badResponse
        /// The answer is larger than the limit.
        case tooLarge
        /// As many requests as allowed are running.
        case tooManyRequests
        /// The client is closed.
        case closed
    }

    public enum Blame: Sendable, Hashable { case caller, server, us }

    public var code: Code
    /// One sentence without the URL's query and without any header field: those may be secret.
    public var message: String
    public var blame: Blame
    /// The library's own words.
    public var cause: String?
    /// Some of the request was sent: the server may have acted on it.
    public var mayHaveArrived: Bool

    public init(
        _ code: Code, _ message: String, blame: Blame, cause: String? = nil,
        mayHaveArrived: Bool = false
    ) {
        self.code = code
        self.message = message
        self.blame = blame
        self.cause = cause
        self.mayHaveArrived = mayHaveArrived
    }

    public var description: String { cause.map { "\(message): \($0)" } ?? message }

    static let closed = HTTPClientError(.closed, "the HTTP client is closed", blame: .us)
}
