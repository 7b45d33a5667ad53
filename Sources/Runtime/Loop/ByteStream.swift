/// A connected stream of bytes, confined to its loop: a socket, or something that wraps one (TLS).
///
/// The contract is ``StreamSocket``'s: writing never blocks and queues without limit what cannot
/// leave at once, so the owner watches ``queuedBytes`` and stops producing.
public protocol ByteStream: AnyObject, Sendable {
    var loop: EventLoop { get }
    /// The other end's address.
    var peer: SocketAddress { get }
    /// Our end's address; nil when closed.
    func localAddress() -> SocketAddress?
    /// Bytes that were written and have not left yet; ``StreamSocketHandler/socketDidDrain()``
    /// follows when they have.
    var queuedBytes: Int { get }
    var isOpen: Bool { get }

    /// Sets who is told; kept strongly until the stream has closed.
    func setHandler(_ handler: any StreamSocketHandler)
    func startReading()
    func stopReading()
    /// Writes bytes that belong to the caller; what does not leave at once is copied.
    func write(_ bytes: UnsafeRawBufferPointer)
    func write(_ bytes: [UInt8])
    func write(_ chunks: [[UInt8]])
    /// Ends our direction once the queued bytes are out; reading goes on.
    func shutdown()
    /// Closes at once; `socketDidClose` follows on a later turn with this error.
    func close(_ error: (any Error)?)
    /// Who is at the other end of a UNIX socket; nil for others, and when closed.
    func unixCredentials() -> UnixCredentials?
}

extension ByteStream {
    public func close() { close(nil) }
}

extension StreamSocket: ByteStream {}
