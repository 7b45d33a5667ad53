/// One stream; the layer above subclasses it and gets its events by overriding. Retained by the
/// session between opening and `didClose`. Reusable afterwards (`prepareForReuse`).
///
/// Exclusivity checks are off for its fields: they are confined to one loop, and each check costs
/// as much as the work it guards (5 % of a unary call, measured).
open class HTTP2Stream {
    /// What the library does about the body.
    enum Provision {
        /// It asks when it may send.
        case running
        /// It was told to wait.
        case deferred
        /// It knows of none.
        case resting
    }

    /// Zero before the stream is open and after it has closed.
    @exclusivity(unchecked) public internal(set) var id: Int32 = 0
    /// Nil before the stream is open and after it has closed.
    public final var session: HTTP2Session? { link?.takeUnretainedValue() }
    public final var isOpen: Bool { link != nil }
    /// The session, for what happens once per message: nothing is retained for a look at it.
    @exclusivity(unchecked) final var link: Unmanaged<HTTP2Session>?
    /// The peer has sent END_STREAM.
    @exclusivity(unchecked) public internal(set) final var remoteEnded = false
    /// Where the session keeps it.
    @exclusivity(unchecked) final var index = 0
    /// The peer's header block was so large that the rest was not looked at: the stream was reset.
    @exclusivity(unchecked) public internal(set) final var headersAreTooLarge = false
    /// We have sent END_STREAM.
    @exclusivity(unchecked) final var localEnded = false

    // What waits to be sent. The data provider takes it as the windows allow.
    @exclusivity(unchecked) final var body = ByteQueue(keeping: 64 << 10)
    @exclusivity(unchecked) final var bodyEnded = false
    @exclusivity(unchecked) final var trailers: HTTP2Fields?
    @exclusivity(unchecked) final var provision = Provision.running
    /// Below this many waiting bytes `didDrainBody` is called, once after each `write` above it.
    @exclusivity(unchecked) final var wasFull = false
    /// Bytes of the body left since the owner cleared it.
    @exclusivity(unchecked) public final var hasProgressed = false
    /// Bytes received and not consumed yet; given back to the connection when the stream ends.
    @exclusivity(unchecked) final var unconsumed = 0
    /// Consumed, and the library has not heard of it yet.
    @exclusivity(unchecked) final var owed = 0

    /// A writer should stop above this, and hears `didDrainBody` below half of it.
    public static let bodyHighWatermark = 64 << 10

    public init() {}

    /// A header block: the request or response headers, or the trailers.
    open func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {}
    /// Bytes of the body, valid during the call. They count against the windows until `consume`.
    open func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {}
    /// END_STREAM, after the headers or data that carried it.
    open func didReceiveEnd() {}
    /// The waiting bytes of the body have left, or nearly.
    open func didDrainBody() {}
    /// The last event. `code` is NO_ERROR when both sides have ended the stream.
    open func didClose(_ code: HTTP2Code) {}

    /// Bytes that wait to be sent.
    public final var waitingBytes: Int { body.count }

    /// Appends to the body. Returns false when the writer should wait for `didDrainBody`.
    public final func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        body.append(bytes)
        return didAppend(bytes.count)
    }

    /// The same for a message behind a prefix of up to eight bytes, which are the low bytes of
    /// `prefix` in memory order.
    public final func write(
        prefix: UInt64, count: Int, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        body.append(prefix: prefix, count, bytes)
        return didAppend(count + bytes.count)
    }

    @inline(__always)
    private func didAppend(_ count: Int) -> Bool {
        if provision != .running { provide() }
        return body.count <= HTTP2Stream.bodyHighWatermark || isFull(appended: count)
    }

    private func isFull(appended count: Int) -> Bool {
        session?.largeBodies += wasFull ? count : body.count
        wasFull = true
        return false
    }

    /// Whether such a header block can be sent on it.
    public final func fits(_ fields: HTTP2Fields) -> Bool {
        link?._withUnsafeGuaranteedRef { $0.limit(exceededBy: fields) } == nil
    }

    /// Ends the body; with trailers they carry END_STREAM.
    public final func endBody(trailers: HTTP2Fields?) {
        bodyEnded = true
        self.trailers = trailers
        if provision != .running { provide() }
    }

    @inline(__always)
    private func provide() {
        link?._withUnsafeGuaranteedRef { $0.provideBody(of: self) }
    }

    /// All that waited has been sent.
    final func bodyDidRest() {
        provision = .resting
        // Meanwhile there may be more.
        if !body.isEmpty || bodyEnded { provide() }
    }

    /// Server: the response headers; the body follows.
    public final func respond(_ fields: HTTP2Fields) {
        link?._withUnsafeGuaranteedRef { $0.respond(self, fields) }
    }

    /// Gives flow-control credit back to the peer.
    public final func consume(_ count: Int) {
        link?._withUnsafeGuaranteedRef { $0.consume(count, of: self) }
    }

    public final func reset(_ code: HTTP2Code) {
        session?.reset(self, code)
    }

    /// Makes a closed stream as new, keeping its memory.
    public final func prepareForReuse() {
        precondition(link == nil, "a stream was reused while it was open")
        remoteEnded = false
        headersAreTooLarge = false
        localEnded = false
        body.removeAll()
        body.trim(to: 4 << 10)
        bodyEnded = false
        trailers = nil
        provision = .running
        wasFull = false
        unconsumed = 0
        owed = 0
        hasProgressed = false
    }
}
