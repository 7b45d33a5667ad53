/// Why a call failed: what travels in `grpc-status`, `grpc-message` and `grpc-status-details-bin`,
/// and what only we know about it (`blame`, `cause`).
public struct RPCError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The status codes of gRPC (statuscodes.md). Open: an unknown number survives.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        public var rawValue: Int32

        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        public static let ok = Code(rawValue: 0)
        public static let cancelled = Code(rawValue: 1)
        public static let unknown = Code(rawValue: 2)
        public static let invalidArgument = Code(rawValue: 3)
        public static let deadlineExceeded = Code(rawValue: 4)
        public static let notFound = Code(rawValue: 5)
        public static let alreadyExists = Code(rawValue: 6)
        public static let permissionDenied = Code(rawValue: 7)
        public static let resourceExhausted = Code(rawValue: 8)
        public static let failedPrecondition = Code(rawValue: 9)
        public static let aborted = Code(rawValue: 10)
        public static let outOfRange = Code(rawValue: 11)
        public static let unimplemented = Code(rawValue: 12)
        public static let internalError = Code(rawValue: 13)
        public static let unavailable = Code(rawValue: 14)
        public static let dataLoss = Code(rawValue: 15)
        public static let unauthenticated = Code(rawValue: 16)

        private static let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
            "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
            "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
            "UNAUTHENTICATED",
        ]

        /// The canonical name, for example `INVALID_ARGUMENT`.
        public var name: String {
            rawValue >= 0 && rawValue < 17 ? Code.names[Int(rawValue)] : "CODE_\(rawValue)"
        }

        /// The code with this canonical name.
        public init?(name: String) {
            guard let index = Code.names.firstIndex(of: name) else { return nil }
            self.init(rawValue: Int32(index))
        }

        public var description: String { name }
    }

    /// Who has to change something for the call to succeed.
    public enum Blame: Sendable, Hashable {
        case caller, peer, us
    }

    /// One `google.protobuf.Any` of `google.rpc.Status.details`.
    public struct Detail: Sendable, Hashable {
        public var typeURL: String
        public var value: [UInt8]

        public init(typeURL: String, value: [UInt8]) {
            self.typeURL = typeURL
            self.value = value
        }
    }

    public var code: Code
    /// What the other side may read.
    public var message: String
    public var details: [Detail]
    /// Trailing metadata that came, or goes, with the status; the header of an answer that is not
    /// gRPC's (`retry-after`, `www-authenticate`, …).
    public var metadata: Metadata
    public var blame: Blame
    /// What happened underneath (a system error, a GOAWAY, a reset); never sent to the peer.
    public var cause: String?
    /// Set when there was no connection, or it was lost; never sent to the peer.
    public var connectionFailure: ConnectionFailure?

    public init(
        _ code: Code, _ message: String, details: [Detail] = [], metadata: Metadata = Metadata(),
        blame: Blame? = nil, cause: String? = nil, connectionFailure: ConnectionFailure? = nil
    ) {
        self.code = code
        self.message = message
        self.details = details
        self.metadata = metadata
        self.blame = blame ?? RPCError.usualBlame(of: code)
        self.cause = cause
        self.connectionFailure = connectionFailure
    }

    private static func usualBlame(of code: Code) -> Blame {
        switch code {
        case .cancelled, .invalidArgument, .notFound, .alreadyExists, .permissionDenied,
            .failedPrecondition, .outOfRange, .unimplemented, .unauthenticated, .aborted:
            .caller
        case .unavailable, .deadlineExceeded, .resourceExhausted:
            .peer
        default:
            .us
        }
    }

    public var description: String {
        var text = "\(code.name): \(message)"
        if let cause { text += " (\(cause))" }
        for detail in details { text += "; \(detail)" }
        return text
    }
}

/// An error of another layer that knows its status. Everything else that a handler throws
/// becomes UNKNOWN with no text.
public protocol RPCErrorConvertible: Error {
    var rpcError: RPCError { get }
}
