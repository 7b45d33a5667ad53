/// Who sends one message and who a stream of them.
public enum CallKind: Sendable, Hashable {
    case unary, clientStreaming, serverStreaming, bidirectional

    public var clientStreams: Bool { self == .clientStreaming || self == .bidirectional }
    public var serverStreams: Bool { self == .serverStreaming || self == .bidirectional }
}

/// `option idempotency_level` of a method: what a retry may assume.
public enum Idempotency: Sendable, Hashable {
    case unknown, noSideEffects, idempotent
}

/// One RPC method: `/service/name`.
public struct MethodDescriptor: Sendable, Hashable, CustomStringConvertible {
    /// The full name of the service, for example `janji.booking.v1.Booking`.
    public let service: String
    public let name: String
    /// `/service/name`, as in `:path`.
    public let path: String
    public let kind: CallKind
    public let idempotency: Idempotency

    public init(
        service: String, name: String, kind: CallKind, idempotency: Idempotency = .unknown
    ) {
        self.service = service
        self.name = name
        self.path = "/\(service)/\(name)"
        self.kind = kind
        self.idempotency = idempotency
    }

    public var description: String { path }
}
