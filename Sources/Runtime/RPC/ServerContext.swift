public import Compression
public import Environment
import Synchronization

/// A typed name for a value that an interceptor leaves for the handler (the actor, a trace).
public protocol ServerContextKey {
    associatedtype Value: Sendable
}

/// What a handler knows about its call besides the messages. Any thread.
public final class ServerContext: Sendable {
    /// The call that the current task is answering. Client calls made inside a handler take
    /// its deadline; its cancellation reaches them because the handler's task is cancelled.
    @TaskLocal public static var current: ServerContext?

    /// The parts that are built, or set, only when somebody asks.
    private struct Lazy {
        var flat = FlatMetadata()
        private var rare: RareParts?

        init(flat: FlatMetadata) {
            self.flat = flat
        }

        init(metadata: Metadata) {
            parts.metadata = metadata
        }

        /// To be changed: makes them when there are none.
        var parts: RareParts {
            mutating get {
                if let rare { return rare }
                let parts = RareParts()
                rare = parts
                return parts
            }
        }

        /// To be looked at.
        var known: RareParts? { rare }
    }

    /// What few calls have: behind one reference, because each field costs every call its end.
    private final class RareParts {
        var metadata: Metadata?
        var requestID: String?
        var response = Metadata()
        var trailing = Metadata()
        var values: [ObjectIdentifier: any Sendable] = [:]
        var cancelHandlers: [@Sendable () -> Void] = []
    }

    private let registered: RegisteredMethod
    /// When the client stops waiting; nil when it named no deadline.
    public let deadline: Deadline?
    public let peer: Peer
    private let cancelled = Atomic<Bool>(false)
    private let hasResponseFields = Atomic<Bool>(false)
    private let requestCompressed = Atomic<Bool>(false)
    /// Of an algorithm, or `unset`.
    private let responseAlgorithm = Atomic<UInt8>(ServerContext.unset)
    private let lazy: Mutex<Lazy>

    private static var unset: UInt8 { 255 }

    package init(
        method: RegisteredMethod, metadata: FlatMetadata, deadline: Deadline?, peer: Peer
    ) {
        self.registered = method
        self.deadline = deadline
        self.peer = peer
        self.lazy = Mutex(Lazy(flat: metadata))
    }

    package init(method: RegisteredMethod, metadata: Metadata, deadline: Deadline?, peer: Peer) {
        self.registered = method
        self.deadline = deadline
        self.peer = peer
        self.lazy = Mutex(Lazy(metadata: metadata))
    }

    /// A context for tests of handlers and interceptors.
    public convenience init(
        method: MethodDescriptor, metadata: Metadata = Metadata(), deadline: Deadline? = nil
    ) {
        self.init(
            method: RegisteredMethod(method) { _ in }, metadata: metadata, deadline: deadline,
            peer: .inProcess)
    }

    public var method: MethodDescriptor { registered.descriptor }

    /// What the client sent; parsed at the first use.
    public var metadata: Metadata {
        lazy.withLock { lazy in
            if let metadata = lazy.known?.metadata { return metadata }
            let metadata = Metadata(lazy.flat)
            lazy.parts.metadata = metadata
            lazy.flat = FlatMetadata()
            return metadata
        }
    }

    /// Time left until the deadline; zero when it passed.
    public var remaining: Duration? { deadline?.remaining }

    /// `x-request-id` of the client, or a new id.
    public var requestID: String {
        let metadata = metadata
        return lazy.withLock { lazy in
            if let id = lazy.known?.requestID { return id }
            let id = metadata.first("x-request-id") ?? UUID.timeOrdered().description
            lazy.parts.requestID = id
            return id
        }
    }

    /// The client went away, reset the call, or its deadline passed.
    public var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Calls `body` once when the call is cancelled: the client went away or gave up, or the
    /// deadline passed; at once when that has happened. Not after an ordinary end.
    ///
    /// The handler's task is cancelled as well: this is for work that runs outside of it. On the
    /// call's loop, or here when it is too late.
    public func onCancel(_ body: @escaping @Sendable () -> Void) {
        let isLate = lazy.withLock { lazy in
            if isCancelled { return true }
            lazy.parts.cancelHandlers.append(body)
            return false
        }
        if isLate { body() }
    }

    package func markCancelled() {
        let handlers = lazy.withLock { lazy in
            cancelled.store(true, ordering: .relaxed)
            defer { lazy.known?.cancelHandlers = [] }
            return lazy.known?.cancelHandlers ?? []
        }
        for handler in handlers { handler() }
    }

    /// Headers that leave with the first message; later changes do nothing.
    public var responseMetadata: Metadata {
        get { lazy.withLock { $0.known?.response ?? Metadata() } }
        set {
            hasResponseFields.store(true, ordering: .relaxed)
            lazy.withLock { $0.parts.response = newValue }
        }
    }

    /// Trailers that leave with the status.
    public var trailingMetadata: Metadata {
        get { lazy.withLock { $0.known?.trailing ?? Metadata() } }
        set {
            hasResponseFields.store(true, ordering: .relaxed)
            lazy.withLock { $0.parts.trailing = newValue }
        }
    }

    /// Whether the request message that was received last came compressed.
    public var requestIsCompressed: Bool { requestCompressed.load(ordering: .relaxed) }

    package func markRequest(compressed: Bool) {
        requestCompressed.store(compressed, ordering: .relaxed)
    }

    /// For the responses, where the client accepts it; the server's policy when nil. Changes
    /// after the first response do nothing.
    public var responseCompression: CompressionAlgorithm? {
        get { CompressionAlgorithm(rawValue: responseAlgorithm.load(ordering: .relaxed)) }
        set {
            responseAlgorithm.store(newValue?.rawValue ?? ServerContext.unset, ordering: .relaxed)
        }
    }

    /// Whether any response header or trailer was set: the usual answer is no.
    package var hasResponseMetadata: Bool { hasResponseFields.load(ordering: .relaxed) }

    /// The value that an interceptor left under the key.
    public subscript<Key: ServerContextKey>(_ key: Key.Type) -> Key.Value? {
        get { lazy.withLock { $0.known?.values[ObjectIdentifier(key)] } as? Key.Value }
        set { lazy.withLock { $0.parts.values[ObjectIdentifier(key)] = newValue } }
    }
}
